"""Admission: whether a model may be served, from its statements, keys and a policy; no file is read, no clock asked.

Of each signer the newest statement of a kind decides, so that a newer worse result cannot hide behind an older better
one; statements of the very same time must all be enough. A revocation wins over everything, whatever its date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from redan.core.errors import UsageError, nearest
from redan.core.settings import Requirement
from redan.evidence.dsse import Envelope
from redan.evidence.statements.decision import Decision, Failure, Verdict
from redan.evidence.statements.judging import bound, failures_of, label, numbers
from redan.evidence.statements.policy import AdmissionPolicy, Required
from redan.evidence.statements.predicates.decisions import Approval, Revocation
from redan.evidence.statements.resource import Resource
from redan.evidence.statements.types import KINDS, type_of
from redan.evidence.statements.verified import Ignored, Known, Verified, verified


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSignature:
    """What was found of the model's own signature.

    Attributes:
        state: ``unchecked`` means that there is one and no key or library to check it with.
        why: one sentence.
    """

    state: Literal["verified", "refused", "absent", "unchecked"] = "absent"
    why: str = "the model has no signature of its own"


def admission(
    model: Resource,
    envelopes: Sequence[Envelope],
    policy: AdmissionPolicy,
    *,
    at: datetime,
    signature: ModelSignature | None = None,
    notes: Sequence[str] = (),
) -> Decision:
    """Decide about a model.

    Args:
        model: with the digests that were computed from the bytes to be served.
        envelopes: its statements, unchecked.
        policy: what is required, with the keys that count.
        at: time to judge by, with its time zone.
        signature: what was found of the model's own signature.
        notes: what a reader of the decision should know besides.

    Raises:
        UsageError: ``at`` has no time zone.
    """
    if at.tzinfo is None:
        raise UsageError("the time to judge by has no time zone", hint="write 2026-05-01T12:00:00+00:00")
    sorted_out = verified(model, envelopes, policy.verifiers, at=at)
    standing, revoked = _standing(sorted_out.known, policy)
    failures = [*_of_signature(policy, signature or ModelSignature()), *revoked]
    met = (
        [f"signature of the model: {signature.why}"] if signature is not None and signature.state == "verified" else []
    )
    for required in policy.required or _implied(standing):
        short, sentence = _of_requirement(required, replace(sorted_out, known=standing), policy, at)
        failures += short
        met += [sentence] if sentence else []
    signed = signature is not None and signature.state == "verified"
    verdict = _verdict(policy, bool(standing) or signed, bool(failures), bool(envelopes))
    return Decision(
        verdict=verdict,
        model=model,
        at=at.astimezone(UTC).isoformat(timespec="seconds"),
        failures=tuple(dict.fromkeys(failures)),
        met=tuple(met),
        notes=(*(_note(each) for each in sorted_out.ignored), *notes),
    )


def _verdict(policy: AdmissionPolicy, vouched: bool, failed: bool, any_statement: bool) -> Verdict:
    if failed:
        return "refused"
    if policy.required:
        return "admitted"
    if vouched:
        return "verified"
    return "refused" if any_statement and policy.verifiers else "undecided"


def _of_signature(policy: AdmissionPolicy, found: ModelSignature) -> tuple[Failure, ...]:
    required = policy.signature == "required"
    if found.state == "verified" or policy.signature == "ignored" or (found.state == "absent" and not required):
        return ()
    return (
        Failure(
            requirement="signature of the model",
            expected="a signature by a key that counts" + ("" if required else ", since there is one"),
            found=found.why,
            fix="sign it anew with redan sign MODEL --key KEY, after finding out what changed",
        ),
    )


def _standing(known: Sequence[Known], policy: AdmissionPolicy) -> tuple[tuple[Known, ...], tuple[Failure, ...]]:
    """Return the statements that were not taken back, and a failure where the model was."""
    taken: set[str] = set()
    failures = []
    for each in known:
        if not isinstance(each.content, Revocation) or not each.signers & policy.revoked_by:
            continue
        taken.update(each.content.statements)
        if not each.content.statements:
            failures.append(
                Failure(
                    requirement="revocation",
                    expected="a model that nobody took back",
                    found=f"it was revoked on {each.made:%Y-%m-%d} by {policy.named(each.signers)}: {each.content.why}",
                    fix="use another version of the model; a revocation is not taken back",
                )
            )
    return tuple(each for each in known if each.statement.sha256 not in taken), tuple(failures)


def _of_requirement(
    required: Required, found: Verified, policy: AdmissionPolicy, at: datetime
) -> tuple[list[Failure], str]:
    requirement = required.requirement
    wanted = type_of(requirement.statement)
    kept = [k for k in found.known if k.statement.predicate_type == wanted]
    counting = required.signed_by - (_sealers(found.known) if requirement.not_sealer else frozenset())
    newest = {key: _newest(kept, key) for key in sorted(counting)}
    judged = {
        key: [f for each in statements for f in failures_of(required, each, at)]
        for key, statements in newest.items()
        if statements
    }
    enough = [key for key, failures in judged.items() if not failures]
    if len(enough) >= requirement.signers:
        made = min(each.made for key in enough for each in newest[key])
        against = [f"{policy.named([key])} says {failures[0].found}" for key, failures in judged.items() if failures]
        otherwise = f"; but {'; '.join(against)}" if against else ""
        shown = {text for key in enough for each in newest[key] if (text := numbers(requirement, each))}
        number = f"{'; '.join(sorted(shown))}, " if shown else ""
        return [], f"{label(requirement)}: {number}{policy.named(enough)}, {made:%Y-%m-%d}{otherwise}"
    failures = [f for key in judged for f in judged[key]]
    if len(judged) < requirement.signers:
        failures.append(_lacking(required, policy, len(judged), kept, found.ignored))
    return failures, ""


def _newest(known: Sequence[Known], key: str) -> list[Known]:
    own = [each for each in known if key in each.signers]
    last = max((each.made for each in own), default=None)
    return [each for each in own if each.made == last]


def _sealers(known: Sequence[Known]) -> frozenset[str]:
    results = (each for each in known if not isinstance(each.content, Approval | Revocation))
    return frozenset(key for each in results for key in each.signers)


def _lacking(
    required: Required, policy: AdmissionPolicy, n_found: int, kept: Sequence[Known], ignored: Sequence[Ignored]
) -> Failure:
    requirement = required.requirement
    others = {key for each in kept for key in each.signers} - required.signed_by
    reasons = [i.why for i in ignored if i.kind == requirement.statement]
    if others:
        reasons.append(f"one is by {policy.named(others)}, which does not count for it")
    if requirement.not_sealer and any(each.signers & required.signed_by for each in kept):
        reasons.append("a key that sealed results of this model does not count here")
    expected = f"a statement by {policy.named(required.signed_by)}"
    if requirement.signers > 1:
        expected = f"statements by {requirement.signers} different keys of {policy.named(required.signed_by)}"
    if requirement.claim:
        expected = f"{bound(requirement)}, in {expected}"
    return Failure(
        requirement=label(requirement),
        expected=expected,
        found=f"{n_found or 'none'} that count{'s' if n_found == 1 else ''}"
        + (f" ({'; '.join(dict.fromkeys(reasons[:5]))})" if reasons else ""),
        fix=_fix(requirement.statement),
    )


def _fix(kind: str) -> str:
    if kind not in KINDS and (near := nearest(kind, list(KINDS))):
        return f"write statement = {near!r}, if that is meant"
    what = {"approval": '--approve "WHO: WHY"', "bom": "--bom FILE"}.get(kind, "REPORT")
    return f"redan seal {what} --model MODEL --key KEY"


def _implied(standing: Sequence[Known]) -> tuple[Required, ...]:
    """Require, where no policy does, that nothing which a known key states speaks against the model."""
    stated = {(each.kind, key) for each in standing if not isinstance(each.content, Revocation) for key in each.signers}
    return tuple(
        Required(requirement=Requirement(statement=kind), signed_by=frozenset({key}), max_age_s=None)
        for kind, key in sorted(stated)
    )


def _note(each: Ignored) -> str:
    return f"a {each.kind or 'nameless'} statement does not count: {each.why}"

"""Which statements of a bundle count at all: signed by a known key, about this model, of a known type, of a known time.

Nothing is read from an envelope before a signature over it was accepted, apart from what its signer calls himself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redan.core.errors import SignatureRefused, Unreadable
from redan.evidence import dsse
from redan.evidence.dsse import Envelope
from redan.evidence.keys import Verifier
from redan.evidence.statements.predicates.decisions import Approval, Revocation, read_approval, read_revocation
from redan.evidence.statements.predicates.result import Result, read_result
from redan.evidence.statements.resource import Resource
from redan.evidence.statements.statement import Statement, parse
from redan.evidence.statements.types import APPROVAL, BASE, BOM, PROVENANCE, REVOCATION, kind_of, type_of

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of ours a signer's clock may be."""
MOST_SIGNATURES = 4
"""In one envelope; each costs a check with every key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A statement that counts.

    Attributes:
        kind: short name of its type.
        statement: what it says.
        content: the predicate as a record where its type is one of ours.
        signers: identifiers of the keys that signed it.
        made: UTC time of what it says, not of its signature.
    """

    kind: str
    statement: Statement
    content: Result | Approval | Revocation | None
    signers: frozenset[str]
    made: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A statement that does not count, and why, one sentence. Its kind is what it says itself, or empty."""

    kind: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a bundle proves.

    Attributes:
        known: the statements that count.
        ignored: the others.
    """

    known: tuple[Known, ...]
    ignored: tuple[Ignored, ...]


def verified(
    model: Resource, envelopes: Sequence[Envelope], verifiers: Sequence[Verifier], *, at: datetime
) -> Verified:
    """Sort statements into those that count for a model at a time and those that do not.

    Args:
        model: with the digests that were computed from its bytes.
        envelopes: unchecked.
        verifiers: the keys that count.
        at: with its time zone.
    """
    known: list[Known] = []
    ignored: list[Ignored] = []
    for envelope in envelopes:
        found = _judged(model, envelope, verifiers, at)
        if isinstance(found, Known):
            known.append(found)
        else:
            ignored.append(found)
    return Verified(known=tuple(known), ignored=tuple(ignored))


def _judged(model: Resource, envelope: Envelope, verifiers: Sequence[Verifier], at: datetime) -> Known | Ignored:
    signers = _signers(envelope, verifiers)
    if not signers:
        return Ignored(kind=_claimed_kind(envelope), why=_unsigned(envelope, verifiers))
    try:
        statement = parse(envelope.payload)
        kind = kind_of(statement.predicate_type)
        if why := _unfit(model, statement, kind):
            return Ignored(kind=kind, why=why)
        content, made = _read(statement, at)
    except Unreadable as err:
        return Ignored(kind=_claimed_kind(envelope), why=f"it is signed and cannot be read: {err.message}")
    # taking back must not wait until a clock agrees
    if made > at + CLOCK_SKEW and not isinstance(content, Revocation):
        return Ignored(kind=kind, why=f"it is of {_day(made)}, and it is {_day(at)} now")
    return Known(kind=kind, statement=statement, content=content, signers=signers, made=made)


def _signers(envelope: Envelope, verifiers: Sequence[Verifier]) -> frozenset[str]:
    if len(envelope.signatures) > MOST_SIGNATURES:
        return frozenset()
    return frozenset(key.key_id for key in verifiers if _signed(envelope, key))


def _signed(envelope: Envelope, key: Verifier) -> bool:
    try:
        dsse.opened(envelope, [key])
    except SignatureRefused:
        return False
    return True


def _unsigned(envelope: Envelope, verifiers: Sequence[Verifier]) -> str:
    if envelope.payload_type != dsse.IN_TOTO:
        return f"its envelope holds {envelope.payload_type[:60]!r}; expected {dsse.IN_TOTO!r}"
    if not verifiers:
        return "there is no key to check its signature with"
    if len(envelope.signatures) > MOST_SIGNATURES:
        return f"it has {len(envelope.signatures)} signatures; at most {MOST_SIGNATURES} are checked"
    trusted = {key.key_id for key in verifiers}
    names = {s.key_id for s in envelope.signatures}
    if names & trusted:
        return "it names a key that counts, and that key did not sign it: it was forged, or changed after signing"
    shown = ", ".join(f"{name[:16]}…" for name in sorted(names)) or "nobody"
    return f"none of the keys that count signed it; it says it was signed by {shown}"


def _claimed_kind(envelope: Envelope) -> str:
    """Return what an unchecked statement says it is, for a sentence and nothing else."""
    try:
        return kind_of(parse(envelope.payload).predicate_type)[:120]
    except Unreadable:
        return ""


def _unfit(model: Resource, statement: Statement, kind: str) -> str:
    if not any(model.is_same(subject) for subject in statement.subjects):
        first = statement.subjects[0]
        digest = next(iter(first.digest.values()), "")
        return f"it is about another model: {first.name[:60]!r} with digest {digest[:12]}…"
    if type_of(kind) != statement.predicate_type:
        ours = " (another version than this one reads)" if kind.startswith(BASE) else ""
        return f"its type {kind[:120]!r} is not known{ours}"
    return ""


def _read(statement: Statement, at: datetime) -> tuple[Result | Approval | Revocation | None, datetime]:
    """Return the record of a predicate and the time of what it says.

    Raises:
        Unreadable: the predicate does not fit its type, or says no time.
    """
    predicate, kind = statement.predicate, statement.predicate_type
    if kind in _STANDARD_TIMES:
        return None, _time(next((t for path in _STANDARD_TIMES[kind] if (t := _at(predicate, path))), None))
    if kind == APPROVAL:
        approval = read_approval(predicate)
        return approval, _time(approval.approved)
    if kind == REVOCATION:
        return _revocation(predicate, at)
    result = read_result(predicate)
    return result, _time(result.finished)


def _revocation(predicate: Mapping[str, Any], at: datetime) -> tuple[Revocation, datetime]:
    try:
        revocation = read_revocation(predicate)
        return revocation, _time(revocation.revoked)
    except Unreadable:
        # a key that counts has signed that something is to be taken back: not knowing what, we take back everything
        return Revocation(why="the revocation cannot be read, so all of it is revoked", revoked=""), at


_STANDARD_TIMES: Mapping[str, Iterable[tuple[str, ...]]] = {
    PROVENANCE: (("runDetails", "metadata", "finishedOn"), ("runDetails", "metadata", "startedOn")),
    BOM: (("metadata", "timestamp"),),
}


def _at(predicate: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = predicate
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _time(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("it has no time zone")
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as err:
        raise Unreadable(f"it says {str(text)[:40]!r} for its time: {err}") from err


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")

"""One statement against one requirement: age, findings, and the number that it must hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from math import isclose
from typing import Any

from redan.core.finding import Severity
from redan.core.settings import Requirement
from redan.evidence.statements.decision import Failure
from redan.evidence.statements.policy import Required
from redan.evidence.statements.predicates.result import Claim, Result
from redan.evidence.statements.verified import Known

_AGAINST = ("open", "baseline")
"""A baseline says that a finding is not new, which is no reason to serve the model."""


def label(requirement: Requirement) -> str:
    """Name a requirement in the fewest words that tell it from the others."""
    if not requirement.claim:
        return requirement.statement
    params = ", ".join(f"{name}={value}" for name, value in sorted(requirement.params.items()))
    details = ", ".join(filter(None, (requirement.rule, params)))
    return f"{requirement.statement} {requirement.claim}" + (f" ({details})" if details else "")


def failures_of(required: Required, known: Known, at: datetime) -> tuple[Failure, ...]:
    """Return everything that one statement lacks of what is required; empty when it is enough.

    Args:
        required: the requirement.
        known: a statement of its kind that counts.
        at: time to judge age and expiry by, with its time zone.
    """
    found = [*_too_old(required, known, at)]
    if isinstance(known.content, Result):
        found += _unfinished(required.requirement, known.content)
        gate = _gate(required.requirement)
        found += [] if gate is None else _findings(label(required.requirement), gate, known.content, at)
    if required.requirement.claim:
        found += _claims(required.requirement, known.content)
    return tuple(found)


def _too_old(required: Required, known: Known, at: datetime) -> Iterator[Failure]:
    age_s = (at - known.made).total_seconds()
    if required.max_age_s is not None and age_s > required.max_age_s:
        yield Failure(
            requirement=label(required.requirement),
            expected=f"at most {_span(required.max_age_s)} old",
            found=f"one of {known.made.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {_span(age_s)} old",
            fix="measure again and seal the new report",
        )


def _gate(requirement: Requirement) -> Severity | None:
    """Return the severity that refuses; where a number is asked for, it decides and not how its finding was rated."""
    return requirement.gate if requirement.gate is not None or requirement.claim else Severity.HIGH


def _findings(name: str, gate: Severity, result: Result, at: datetime) -> Iterator[Failure]:
    names = [severity.word for severity in Severity if severity >= gate]
    against = {word: sum(result.counts.get(s, {}).get(word, 0) for s in _AGAINST) for word in names}
    shown = ", ".join(f"{number} {word}" for word, number in against.items() if number)
    if shown:
        yield Failure(
            requirement=name,
            expected=f"no finding at or above {gate.word}",
            found=f"findings that nobody set aside: {shown}",
            fix="mend them and measure again, or set them aside in redan.toml with a reason and a date",
        )
    for each in result.set_aside:
        if each.severity >= gate and not _still(each.expires, at):
            yield Failure(
                requirement=name,
                expected="findings that are set aside for now",
                found=f"a {each.severity.word} finding of {each.rule} that was set aside until {each.expires!r}",
                fix="mend it, or set it aside anew with a reason and seal a new report",
            )
    if unsure := sum(result.counts.get("inconclusive", {}).values()):
        yield Failure(
            requirement=name,
            expected="findings that could be decided",
            found=f"{unsure} that could not",
            fix="see the report for what was lacking, and measure again",
        )


def _still(expires: str, at: datetime) -> bool:
    try:
        return at.astimezone(UTC).date() < date.fromisoformat(expires)
    except ValueError:
        return False


def _unfinished(requirement: Requirement, result: Result) -> Iterator[Failure]:
    own = [p for p in result.probes if p.probe == requirement.rule]
    probes = own or result.probes
    bad = [p for p in probes if p.outcome in ("failed", "partial")]
    reasons = [f"{p.name} {'failed' if p.outcome == 'failed' else 'was cut short'}: {p.why}" for p in bad]
    if not any(p.outcome in ("ran", "partial") for p in probes):
        reasons.append("nothing was measured")
    if reasons:
        yield Failure(
            requirement=label(requirement),
            expected="a measurement that ran to its end",
            found="; ".join(reasons[:5]),
            fix="measure again with what it lacked, or with more budget",
        )


def numbers(requirement: Requirement, known: Known) -> str:
    """Show the numbers that a claim was judged by; empty where none was asked for."""
    claims = known.content.claims if isinstance(known.content, Result) else ()
    fitting = (c for c in _named(requirement, claims) if _same_params(requirement.params, c.params))
    return "; ".join(_number(c) for c in fitting)


def _named(requirement: Requirement, claims: Sequence[Claim]) -> list[Claim]:
    return [c for c in claims if c.name == requirement.claim and requirement.rule in ("", c.rule)]


def _claims(requirement: Requirement, content: object) -> Iterator[Failure]:
    claims = content.claims if isinstance(content, Result) else ()
    named = _named(requirement, claims)
    fitting = [c for c in named if _same_params(requirement.params, c.params)]
    if not fitting:
        there = sorted({_shown_claim(c) for c in named or claims})
        yield Failure(
            requirement=label(requirement),
            expected=bound(requirement),
            found=f"no such number; there is {'; '.join(there[:5]) or 'none at all'}",
            fix="measure it with exactly these parameters and seal the report",
        )
    for claim in fitting:
        if why := _short_of(requirement, claim):
            yield Failure(
                requirement=label(requirement),
                expected=bound(requirement),
                found=why,
                fix="harden the model, or measure on more samples where the interval is what fails",
            )


def _same_params(expected: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    return all(name in found and _same(value, found[name]) for name, value in expected.items())


def _same(expected: Any, found: Any) -> bool:
    numbers = (int, float)
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, numbers) and isinstance(found, numbers):
        return isclose(expected, found, rel_tol=1e-9)
    return type(expected) is type(found) and bool(expected == found)


def _short_of(requirement: Requirement, claim: Claim) -> str:
    """Say why a number is not enough, or return an empty string; NaN is never enough."""
    number = _number(claim)
    if not claim.low <= claim.value <= claim.high:
        return f"{number}, which is no number in an interval"
    if claim.partial or claim.status == "inconclusive":
        return f"{number}, which was cut short or could not be decided"
    if claim.n < requirement.n_at_least:
        return f"{number}, which rests on fewer than {requirement.n_at_least} samples"
    worst_low, worst_high = (claim.low, claim.high) if requirement.use == "interval" else (claim.value, claim.value)
    enough = requirement.at_least is None or worst_low >= requirement.at_least
    allowed = requirement.at_most is None or worst_high <= requirement.at_most
    return "" if enough and allowed else number


def _number(claim: Claim) -> str:
    return f"{claim.value:.4g} ({claim.low:.4g} to {claim.high:.4g}, n={claim.n})"


def bound(requirement: Requirement) -> str:
    """Say in words what a claim's number must be."""
    parts = []
    if requirement.at_least is not None:
        parts.append(f"at least {requirement.at_least:g}")
    if requirement.at_most is not None:
        parts.append(f"at most {requirement.at_most:g}")
    return " and ".join(parts) + (" at the worse end of the interval" if requirement.use == "interval" else "")


def _shown_claim(claim: Claim) -> str:
    params = ", ".join(f"{name}={value}" for name, value in sorted(claim.params.items()))
    details = ", ".join(filter(None, (claim.rule, params)))
    return claim.name + (f" ({details})" if details else "")


def _span(seconds: float) -> str:
    for unit_s, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit_s or seconds == unit_s:
            return f"{seconds / unit_s:.0f} {name}"
    return f"{seconds:.0f} seconds"

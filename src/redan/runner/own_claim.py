"""Whether a suspect was made from an owner's model: matches of his secrets, judged against independent models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import CapabilityMissing, ShapeMismatch, Unreadable
from redan.core.finding import Finding, Location, Quantity, Status, Table
from redan.core.inputs import Inputs
from redan.core.plugins import load_allowed
from redan.evidence.ownership import key_from, read
from redan.kernels.ownership.null import LEAST_MODELS, fitted
from redan.kernels.statistics import wilson
from redan.runner.opening import inputs_of, released, subject_of
from redan.runner.own_reading import count, secrets_of
from redan.runner.own_report import Clock, reported
from redan.threats.theft.rules.ownership import RULE
from redan.threats.theft.threat import THREAT

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.report import Report
    from redan.core.subject import Subject
    from redan.evidence.ownership import Mark, Ownership
    from redan.kernels.ownership.null import Null
    from redan.runner.own_reading import Secrets
    from redan.runner.run import Session

ACCUSED, DOUBTED = 1e-6, 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What one mark says of a suspect.

    Attributes:
        mark: the mark.
        null: its independent models.
        matches: secrets that the suspect gives; None where it could not be asked.
        p_value: of so many matches; 1 where it could not be asked.
        why: why it could not be asked.
    """

    mark: Mark
    null: Null
    matches: int | None
    p_value: float
    why: str = ""


def claim(config: Config, session: Session, *, place: Path, key: str) -> Report:
    """Open the suspect that the settings name, and hold it against an ownership file.

    Args:
        config: names the suspect.
        session: budget, seed, policy and stores.
        place: the ownership file.
        key: where its key lies.

    Raises:
        SignatureRefused: the key does not fit the file, or the file was changed.
        Unreadable: key or file cannot be read, or rests on too few independent models.
        SubjectError: the suspect cannot be opened or asked.
    """
    since = Clock.now()
    load_allowed(config.settings.plugins.allow)
    told = read(place)
    secrets = secrets_of(told, key_from(key), place)
    nulls = [null_of(mark, place) for mark in told.marks]
    inputs = inputs_of(config)
    subject = subject_of(config, inputs)
    with released(subject):
        found = [_matched(mark, null, secrets, subject) for mark, null in zip(told.marks, nulls, strict=True)]
    if all(one.matches is None for one in found):
        raise CapabilityMissing(f"no mark can be read: {found[0].why}" if found else "the file holds no mark")
    finding = finding_of(told, found, subject.ref.name, place)
    asked = {"ownership": place.name, "commitment": told.commitment, "suspect": config.settings.model.target}
    return reported(RULE, (finding,), subject.ref, Inputs(), session, since=since, asked=asked)


def null_of(mark: Mark, place: Path) -> Null:
    """Fit the null of a mark.

    Raises:
        Unreadable: too few independent models.
    """
    if len(mark.independent) < LEAST_MODELS:
        raise Unreadable(
            f"{str(place)!r}: {mark.kind} was held against {len(mark.independent)} independent models, and a p-value "
            f"rests on {LEAST_MODELS} at least",
            hint="mark again with --independent 20",
        )
    return fitted(mark.independent, mark.n)


def _matched(mark: Mark, null: Null, secrets: Secrets, subject: Subject) -> Matched:
    try:
        matches = count(mark, secrets, subject)
    except (CapabilityMissing, ShapeMismatch) as err:
        return Matched(mark=mark, null=null, matches=None, p_value=1.0, why=err.message)
    return Matched(mark=mark, null=null, matches=matches, p_value=null.p_value(matches, mark.n))


def finding_of(told: Ownership, found: list[Matched], suspect: str, place: Path) -> Finding:
    """Say what all marks together say of a suspect; the least p-value counts, times the number of marks asked."""
    asked = [one for one in found if one.matches is not None]
    best = min(asked, key=lambda one: one.p_value)
    p_value = min(1.0, best.p_value * len(asked))
    p = Quantity(
        name="p_value", value=p_value, unit="probability", n=best.mark.n, low=p_value, high=p_value, better="higher"
    )
    title, status = _verdict(told, suspect, p_value)
    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=suspect,
        title=title,
        severity=THREAT.severity(p),
        status=status,
        detail=_detail(told, best, len(asked)),
        params={"ownership": told.commitment[:16], "model_sha256": told.model_sha256},
        quantities=(p, *(_rate(one) for one in asked)),
        tables=(_table(found),),
        locations=(Location(uri=place.name),),
        remedies=(RULE.remedy,) if p_value < DOUBTED else (),
        references=RULE.references,
    )


def _verdict(told: Ownership, suspect: str, p_value: float) -> tuple[str, Status]:
    if p_value < ACCUSED:
        return f"{suspect!r} was made from {told.model!r}: p = {p_value:.1e}", "open"
    if p_value < DOUBTED:
        return f"whether {suspect!r} was made from {told.model!r} stays open: p = {p_value:.1e}", "inconclusive"
    return f"no sign that {suspect!r} was made from {told.model!r}: p = {p_value:.2g}", "open"


def _detail(told: Ownership, best: Matched, asked: int) -> str:
    assert best.matches is not None, "those that could not be asked were left out"
    more = f" The least of {asked} p-values, times {asked}." if asked > 1 else ""
    return (
        f"The suspect gives {best.matches} of {best.mark.n} secret answers of the {best.mark.kind}; of "
        f"{best.null.models} independent models the usual one gives {best.null.mean:.0%} and 99 of 100 give less than "
        f"{best.null.upper:.0%}, which the p-value takes for chance.{more} The file says it was made on "
        f"{told.made[:10]}; only a log or a witness proves the date. No sign is no proof: a distilled copy keeps no "
        "mark."
    )


def _rate(one: Matched) -> Quantity:
    assert one.matches is not None, "those that could not be asked were left out"
    low, high = wilson(one.matches, one.mark.n)
    name, value = f"{one.mark.kind}_match_rate", one.matches / one.mark.n
    return Quantity(name=name, value=value, unit="fraction", n=one.mark.n, low=low, high=high)


def _table(found: list[Matched]) -> Table:
    rows = tuple(
        (
            one.mark.kind,
            one.mark.n,
            one.mark.matched,
            one.matches if one.matches is not None else "–",
            f"{min(one.mark.independent)}\N{EN DASH}{max(one.mark.independent)}",
            f"{100 * one.null.upper:.1f}",
            f"{one.p_value:.1e}" if one.matches is not None else one.why,
        )
        for one in found
    )
    columns = ("mark", "secrets", "owner's", "suspect", "independent", "99 % below %", "p-value")
    return Table(name="matches", columns=columns, rows=rows)

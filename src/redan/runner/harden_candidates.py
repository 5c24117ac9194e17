"""Which mitigations are tried on a subject, in which order, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from redan.core import catalogue
from redan.core.errors import UnknownName, UsageError
from redan.core.params import Params
from redan.core.probe import Cost
from redan.core.subject import unsuited

if TYPE_CHECKING:
    from redan.core.catalogue import Entry
    from redan.core.inputs import Inputs
    from redan.core.subject import Subject

CHEAPEST_FIRST: tuple[str, ...] = get_args(Cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class Craft:
    """How hardening against one threat is judged.

    Attributes:
        rule: identifier of the rule that its findings have.
        yardsticks: probes that measure what a mitigation is worth by the first quantity of their finding; the first
            probe that subject and data allow.
        doubts: probes that say whether the number after hardening can be believed.
        compares_on: where the rows come from that candidates are compared on: left out of the training rows, or half
            of the test rows, whose other half is then measured at the end, where a probe needs rows that no candidate
            and not the original has seen.
    """

    rule: str
    yardsticks: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    compares_on: Literal["training rows", "test rows"] = "test rows"


CRAFTS: dict[str, Craft] = {
    "evasion": Craft(
        rule="RDN-EVA-100",
        yardsticks=("cascade", "trees", "hopskipjump", "text-characters"),
        doubts=("gradient-masking",),
        compares_on="training rows",
    ),
    "privacy": Craft(rule="RDN-PRI-100", yardsticks=("rmia", "loss-threshold", "label-only")),
    "poisoning": Craft(rule="RDN-POI-100", yardsticks=("trigger-success", "trigger-inversion")),
    "theft": Craft(rule="RDN-THE-100", yardsticks=("knockoff",)),
    "bias": Craft(rule="RDN-BIA-100", yardsticks=("group-rates",)),
}


def craft(against: str) -> Craft:
    """Return how hardening against a threat is judged.

    Raises:
        UsageError: nothing hardens against it.
    """
    if against not in CRAFTS:
        raise UsageError(f"nothing hardens against {against!r} yet", hint=f"known: {', '.join(CRAFTS)}")
    return CRAFTS[against]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A mitigation with its parameters."""

    entry: Entry
    params: Params


@dataclass(frozen=True, slots=True, kw_only=True)
class Untried:
    """A mitigation that was not tried, or not to its end, and why."""

    rule: str
    name: str
    why: str


def candidates(
    against: str,
    subject: Subject,
    inputs: Inputs,
    params: Mapping[str, Any],
    *,
    named: Sequence[str] = (),
    every: bool = False,
) -> tuple[tuple[Candidate, ...], tuple[Untried, ...]]:
    """Return what to try: what runs by default first, since it is expected to help most, then the cheap ones first.

    Args:
        against: threat to reduce.
        subject: what is hardened.
        inputs: the data at hand.
        params: parameter name → value, given to every mitigation that knows the name.
        named: exactly these mitigations.
        every: also those that do not run by default.

    Raises:
        UsageError: nothing reduces that threat, or nothing that does fits this subject.
        UnknownName: no such mitigation or parameter.
    """
    entries = _chosen(against, named)
    _known(params, against)
    tried: list[Candidate] = []
    untried: list[Untried] = []
    for entry in sorted(entries, key=lambda e: (not e.default, CHEAPEST_FIRST.index(e.cost), e.id)):
        wanted = entry.default or every or bool(named)
        why = _unfit(entry, subject, inputs) or ("" if wanted else "tried when a budget is given, or named")
        found = None if why else _params(entry, params)
        if isinstance(found, Params):
            tried.append(Candidate(entry=entry, params=found))
        else:
            untried.append(Untried(rule=entry.id, name=entry.name, why=found or why))
    if not tried:
        told = "; ".join(f"{u.name}: {u.why}" for u in untried)
        raise UsageError(f"nothing that hardens against {against} fits {subject.ref.name!r}: {told}")
    return tuple(tried), tuple(untried)


def yardsticks(against: str, subject: Subject, inputs: Inputs) -> tuple[str, ...]:
    """Return the probes that may measure a subject before and after, the best first.

    Raises:
        UsageError: none fits.
    """
    told = {name: _unfit(catalogue.entry("probe", name), subject, inputs) for name in _yardsticks(against)}
    fits = tuple(name for name, why in told.items() if not why)
    if not fits:
        whys = "; ".join(f"{name} {why}" for name, why in told.items())
        raise UsageError(f"no probe of {against} can measure what hardening {subject.ref.name!r} brings: {whys}")
    return fits


def _yardsticks(against: str) -> list[str]:
    known = {e.name for e in catalogue.entries("probe")}
    return [name for name in craft(against).yardsticks if name in known]


def _chosen(against: str, named: Sequence[str]) -> list[Entry]:
    every = catalogue.entries("mitigation")
    if against not in {e.threat for e in every}:
        known = sorted({e.threat for e in every})
        raise UsageError(f"nothing hardens against {against!r} yet", hint=f"known: {', '.join(known)}")
    if not named:
        return [e for e in every if e.threat == against]
    found = [catalogue.entry("mitigation", name) for name in named]
    for entry in found:
        if entry.threat != against:
            raise UsageError(f"mitigation {entry.name!r} is against {entry.threat}, not {against}")
    return found


def _known(params: Mapping[str, Any], against: str) -> None:
    """Refuse a parameter that neither a mitigation of the threat nor the probe that measures it has."""
    entries = [e for e in catalogue.entries("mitigation") if e.threat == against]
    probes = [catalogue.entry("probe", name) for name in _yardsticks(against)]
    known = {name for entry in (*entries, *probes) for name in entry.params}
    for name in params:
        if name not in known:
            raise UnknownName.among("parameter", name, sorted(known))


def _unfit(entry: Entry, subject: Subject, inputs: Inputs) -> str:
    if odd := unsuited(subject, entry.needs):
        return odd
    lacking = [need for need in entry.needs if need not in subject.capabilities]
    if lacking:
        return f"needs {', '.join(lacking)}, which a {subject.ref.kind} subject does not offer"
    absent = [role for role in entry.data if getattr(inputs, role) is None]
    return f"needs {' and '.join(absent)} data" if absent else ""


def _params(entry: Entry, params: Mapping[str, Any]) -> Params | str:
    """Return the parameter set, or why what was asked for is none of this mitigation's."""
    kind: type[Params] = catalogue.load(entry).Params
    try:
        return kind.subset(params)
    except UsageError as err:
        return err.message

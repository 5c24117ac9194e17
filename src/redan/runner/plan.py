"""Which probes run on what, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from redan.core import catalogue
from redan.core.catalogue import Entry
from redan.core.errors import UnknownName, UsageError
from redan.core.inputs import Inputs
from redan.core.params import Params
from redan.core.report import Ran
from redan.core.subject import Subject, unsuited

SCANNING = "supply_chain"
"""The threat whose probes read files; all others ask the model."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Step:
    """One probe on one subject with its parameters."""

    entry: Entry
    subject: Subject
    params: Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Plan:
    """What will run, and what will not with its reason."""

    steps: tuple[Step, ...] = ()
    skipped: tuple[Ran, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What somebody asked for.

    Attributes:
        threats: threats by name; all that have probes when empty.
        probes: exactly these probes; the defaults of the threats when empty.
        params: parameter name → value, given to every probe that knows the name.
    """

    threats: tuple[str, ...] = ()
    probes: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


def plan(subjects: Sequence[Subject], inputs: Inputs, choice: Choice) -> Plan:
    """Match the chosen probes with the subjects that offer what they need.

    Args:
        subjects: candidates in order of preference; each probe runs on the first that fits.
        inputs: the data at hand.
        choice: what was asked for.

    Raises:
        UnknownName: a threat, probe or parameter that does not exist, with the nearest one.
        UsageError: a parameter of the wrong kind.
    """
    entries = chosen(choice)
    steps: list[Step] = []
    skipped: list[Ran] = []
    wanted = set(choice.params)
    for entry in entries:
        kind: type[Params] = catalogue.load(entry).Params
        wanted -= set(kind.names())
        params = kind.subset(choice.params)
        subject, why = _fit(entry, subjects, inputs)
        if subject is None:
            skipped.append(Ran(probe=entry.id, name=entry.name, threat=entry.threat, outcome="skipped", why=why))
        else:
            steps.append(Step(entry=entry, subject=subject, params=params))
    if wanted:
        known = sorted({name for entry in entries for name in entry.params})
        raise UnknownName.among("parameter", sorted(wanted)[0], known)
    if not choice.probes:
        # a better-informed probe answers the same question, whichever of the two comes first
        running = {step.entry.id for step in steps}
        moot = {entry.id for entry in entries if running & set(entry.unless.split())}
        # a probe made for another kind of model leaves no gap where one for this kind runs
        measured = {step.entry.threat for step in steps}
        moot |= {entry.id for entry in entries if entry.threat in measured and _of_another_kind(entry, subjects)}
        steps = [step for step in steps if step.entry.id not in moot]
        skipped = [skip for skip in skipped if skip.probe not in moot]
    absent = [t for t in choice.threats if t not in {e.threat for e in entries}]
    skipped += [Ran(probe="", name=t, threat=t, outcome="skipped", why="no probe was chosen for it") for t in absent]
    return Plan(steps=tuple(steps), skipped=tuple(skipped))


def attacking(choice: Choice) -> Choice:
    """Leave the scanning of files out of a choice that names no threats and no probes: it is another verb's work."""
    if choice.threats or choice.probes:
        return choice
    return replace(choice, threats=tuple(e.id for e in catalogue.entries("threat") if e.id != SCANNING))


def chosen(choice: Choice) -> tuple[Entry, ...]:
    """Return the catalogue entries of the chosen probes.

    Raises:
        UnknownName: no such threat or probe.
        UsageError: a chosen probe belongs to none of the chosen threats.
    """
    known = [e.id for e in catalogue.entries("threat")]
    for threat in choice.threats:
        if threat not in known:
            raise UnknownName.among("threat", threat, known)
    if choice.probes:
        found = tuple(catalogue.entry("probe", name) for name in choice.probes)
        for entry in found:
            if choice.threats and entry.threat not in choice.threats:
                raise UsageError(
                    f"probe {entry.name!r} belongs to {entry.threat}, which is not among the threats asked for",
                    hint=f"add {entry.threat} to the threats, or leave threats out",
                )
        return found
    threats = choice.threats or known
    return tuple(e for e in catalogue.entries("probe") if e.default and e.threat in threats)


def _of_another_kind(entry: Entry, subjects: Sequence[Subject]) -> bool:
    models = [subject for subject in subjects if "labels" in subject.capabilities]
    strange = ["trees" in entry.needs and "trees" not in model.capabilities for model in models]
    return bool(models) and all(odd or unsuited(model, entry.needs) for odd, model in zip(strange, models, strict=True))


def _fit(entry: Entry, subjects: Sequence[Subject], inputs: Inputs) -> tuple[Subject | None, str]:
    why = "there is nothing to measure"
    for subject in subjects:
        if odd := unsuited(subject, entry.needs):
            why = odd
            continue
        lacking = [need for need in entry.needs if need not in subject.capabilities]
        if lacking:
            why = f"needs {', '.join(lacking)}, which {subject.ref.name} ({subject.ref.kind}) does not offer"
            continue
        absent = [role for role in entry.data if getattr(inputs, role) in (None, ())]
        if absent:
            return None, f"needs {' and '.join(absent)} data, which was not given"
        return subject, ""
    return None, why

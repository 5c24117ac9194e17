"""The threat model of a project: assets, exposures, which threats apply and why, and what will measure them.

It is made from redan.toml and from what the project's folder holds; no model is loaded. A threat that applies and that
nothing here measures is said to be not tested, never left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from redan.core import catalogue
from redan.core.config import Config
from redan.core.settings import Exposure
from redan.runner.applies import Applies, judged
from redan.runner.check import choice_of, scan_paths
from redan.runner.opening import target_file
from redan.runner.plan import chosen

SECONDS = {"instant": 1.0, "seconds": 15.0, "minutes": 240.0, "hours": 7200.0}
"""Typical time of a probe on two cores for a thousand small inputs, by its order of magnitude."""
USUAL_ROWS = 1000
_INDENT = " " * 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """Something worth protecting, and how it is known."""

    what: str
    where: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatLine:
    """One threat: whether it applies and why, and the probes that will run."""

    threat: str
    question: str
    applies: bool
    why: str
    probes: tuple[str, ...]
    tested: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreatModel:
    """The whole of it."""

    project: str
    assets: tuple[Asset, ...]
    exposures: tuple[str, ...]
    threats: tuple[ThreatLine, ...]
    seconds: float


def threat_model(config: Config) -> ThreatModel:
    """Build the threat model from the settings and the project's files."""
    settings = config.settings
    planned = {e.id: e for e in chosen(choice_of(config))}
    threats = tuple(_line(config, found) for found in judged(settings))
    running = {e.name for line in threats for e in planned.values() if e.name in line.probes}
    running -= {e.name for e in planned.values() if planned.keys() & set(e.unless.split())}
    rows = settings.data.limit or USUAL_ROWS
    scale = max(1.0, rows / USUAL_ROWS)
    seconds = sum(SECONDS[e.cost] * (scale if e.data else 1) for e in planned.values() if e.name in running)
    return ThreatModel(
        project=settings.project.name or config.root.name,
        assets=tuple(_assets(config)),
        exposures=tuple(_exposures(settings.exposure)),
        threats=threats,
        seconds=seconds,
    )


def _assets(config: Config) -> Iterator[Asset]:
    settings = config.settings
    if settings.model.target:
        file = Path(target_file(config)) if "://" not in settings.model.target else None
        found = "an endpoint" if file is None else _about(file)
        yield Asset(what="model", where=settings.model.target, note=found)
    if settings.model.weights:
        yield Asset(what="weights", where=settings.model.weights, note=_about(config.path(settings.model.weights)))
    for role, value in (("test data", settings.data.test), ("training data", settings.data.train)):
        if value:
            path = config.path(value)
            yield Asset(what=role, where=value, note=_about(path) if path.exists() else "a built-in name")
    for path in scan_paths(config):
        yield Asset(what="files to scan", where=str(path), note=_about(path))


def _about(path: Path) -> str:
    if not path.exists():
        return "NOT FOUND"
    if path.is_dir():
        return f"folder with {sum(1 for p in path.rglob('*') if p.is_file())} files"
    return f"{path.stat().st_size} bytes"


def _exposures(exposure: Exposure) -> Iterator[str]:
    yield f"who can ask the model: {exposure.queries}, and gets {exposure.answers}"
    yield f"who can have the weights: {exposure.weights}"
    yield f"training data describes people: {_yes(exposure.personal_data)}"
    yield f"outputs change what happens to people: {_yes(exposure.decides_about_people)}"
    yield f"outsiders can add training data: {_yes(exposure.outside_data)}"


def _yes(value: bool) -> str:  # it says one flag in words
    return "yes" if value else "no"


def _line(config: Config, found: Applies) -> ThreatLine:
    entries = [e for e in chosen(choice_of(config)) if e.threat == found.threat] if _has(found.threat) else []
    probes = tuple(e.name for e in entries)
    return ThreatLine(
        threat=found.threat,
        question=found.question,
        applies=found.applies,
        why=found.why,
        probes=probes if found.applies else (),
        tested=_tested(found.threat, config, probes, applies=found.applies),
    )


def _has(threat: str) -> bool:
    return any(e.threat == threat for e in catalogue.entries("probe"))


def _tested(threat: str, config: Config, probes: tuple[str, ...], *, applies: bool) -> str:
    if not applies:
        return "does not apply"
    if not _has(threat):
        return "NOT TESTED: this version has no probe for it"
    if not probes:
        return "NOT TESTED: no probe of it was chosen"
    lacking = {name: _absent(name, config) for name in probes}
    some = {name: roles for name, roles in lacking.items() if roles}
    named = ", ".join(sorted({role for roles in some.values() for role in roles}))
    if len(some) == len(probes):
        return f"NOT TESTED unless {named} is given"
    return f"will be tested, but for {', '.join(some)}: needs {named}" if some else "will be tested"


def _absent(probe: str, config: Config) -> tuple[str, ...]:
    """Return the data that a probe needs and the settings do not name."""
    settings = config.settings
    tables = {"recipe": ("model", settings.model)}
    found = {role: tables.get(role, ("data", settings.data)) for role in catalogue.entry("probe", probe).data}
    return tuple(f"[{table}] {role}" for role, (table, part) in found.items() if not getattr(part, role, ""))


def render(model: ThreatModel) -> str:
    """Return the threat model as plain text."""
    lines = [f"Threat model of {model.project}", "", "Assets"]
    lines += [f"  {a.what:<14} {a.where} ({a.note})" for a in model.assets] or ["  none named: redan init"]
    lines += ["", "Exposures", *(f"  {text}" for text in model.exposures), "", "Threats"]
    for line in model.threats:
        mark = "applies" if line.applies else "-"
        lines.append(f"  {line.threat:<13} {mark:<8} {line.question}")
        told = [line.why, line.tested, *([f"probes: {_running(line.probes)}"] if line.probes else [])]
        lines += [text for part in told for text in wrap(part, 80, initial_indent=_INDENT, subsequent_indent=_INDENT)]
    return "\n".join([*lines, "", f"About {_span(model.seconds)} on two cores: redan check"]) + "\n"


def _running(probes: tuple[str, ...]) -> str:
    """Name the probes; one that stands in for a better-informed one says so."""
    names = {e.id: e.name for e in catalogue.entries("probe")}
    better = {e.name: [names.get(i, "") for i in e.unless.split()] for e in catalogue.entries("probe")}
    instead = {p: " or ".join(name for name in better[p] if name in probes) for p in probes}
    return ", ".join(f"{p} (where {instead[p]} cannot)" if instead[p] else p for p in probes)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

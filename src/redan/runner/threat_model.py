"""The threat model of a project: assets, exposures, which threats apply and why, and what will measure them.

It is made from redan.toml and from what the project's folder holds; no model is loaded. A threat that applies and that
nothing here measures is said to be not tested, never left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from redan.core import catalogue
from redan.core.config import Config
from redan.core.settings import Exposure, Settings
from redan.runner.check import choice_of, scan_paths
from redan.runner.opening import target_file
from redan.runner.plan import chosen

SECONDS = {"instant": 1.0, "seconds": 15.0, "minutes": 240.0, "hours": 7200.0}
"""Typical time of a probe on two cores for a thousand small inputs, by its order of magnitude."""
USUAL_ROWS = 1000


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
    threats = tuple(_line(config, name, question, why) for name, question, why in _THREATS)
    running = [p for line in threats for p in line.probes]
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


Reason = Callable[[Settings], tuple[bool, str]]


def _supply_chain(settings: Settings) -> tuple[bool, str]:
    if "://" in settings.model.target and not settings.scan.paths:
        return False, "the model is reached by address and no files are named"
    return True, "the model, its data or its code comes from files"


def _evasion(settings: Settings) -> tuple[bool, str]:
    if settings.exposure.queries == "nobody":
        return False, "nobody outside can choose inputs"
    return True, f"{settings.exposure.queries} users choose inputs"


def _privacy(settings: Settings) -> tuple[bool, str]:
    if settings.exposure.personal_data or settings.data.sensitive:
        return True, "the training data describes people"
    return False, "redan.toml says that the training data describes nobody ([exposure] personal_data)"


def _theft(settings: Settings) -> tuple[bool, str]:
    exposure = settings.exposure
    if exposure.queries in ("customers", "public") and exposure.weights == "secret":
        return True, f"{exposure.queries} users get {exposure.answers} of a model whose weights are secret"
    return False, "the weights are not secret, or too few people can ask"


def _poisoning(settings: Settings) -> tuple[bool, str]:
    if settings.exposure.outside_data:
        return True, "outsiders can add to the training data"
    return False, "redan.toml says that outsiders cannot add training data ([exposure] outside_data)"


def _bias(settings: Settings) -> tuple[bool, str]:
    if settings.exposure.decides_about_people:
        return True, "outputs change what happens to people"
    return False, "redan.toml says that outputs decide about nobody ([exposure] decides_about_people)"


def _injection(settings: Settings) -> tuple[bool, str]:
    if settings.model.kind == "chat":
        return True, "the model follows text that others write"
    return False, "the model is no language model"


_THREATS: tuple[tuple[str, str, Reason], ...] = (
    ("supply_chain", "Does loading this model run somebody else's code?", _supply_chain),
    ("evasion", "How little must an input change for the model to err?", _evasion),
    ("privacy", "Can somebody learn who was in the training data?", _privacy),
    ("theft", "How many queries does it take to copy the model?", _theft),
    ("poisoning", "Did somebody plant behaviour through the training data?", _poisoning),
    ("bias", "Does the model treat groups of people differently?", _bias),
    ("injection", "Can text make the model disobey its owner?", _injection),
)


def _line(config: Config, threat: str, question: str, reason: Reason) -> ThreatLine:
    applies, why = reason(config.settings)
    if threat in config.settings.attack.threats and not applies:
        applies, why = True, "redan.toml or a flag asks for it"
    probes = tuple(e.name for e in chosen(choice_of(config)) if e.threat == threat) if _has(threat) else ()
    return ThreatLine(
        threat=threat,
        question=question,
        applies=applies,
        why=why,
        probes=probes if applies else (),
        tested=_tested(threat, config, probes, applies=applies),
    )


def _has(threat: str) -> bool:
    return any(e.id == threat for e in catalogue.entries("threat"))


def _tested(threat: str, config: Config, probes: tuple[str, ...], *, applies: bool) -> str:
    if not applies:
        return "does not apply"
    if not _has(threat):
        return "NOT TESTED: this version has no probe for it"
    if not probes:
        return "NOT TESTED: no probe of it was chosen"
    data = config.settings.data
    roles = {role for name in probes for role in catalogue.entry("probe", name).data}
    absent = {role for role in roles if not getattr(data, role, "")}  # some roles have no setting, only an argument
    if absent:
        return f"NOT TESTED unless [data] {', '.join(sorted(absent))} is given"
    return "will be tested"


def render(model: ThreatModel) -> str:
    """Return the threat model as plain text."""
    lines = [f"Threat model of {model.project}", "", "Assets"]
    lines += [f"  {a.what:<14} {a.where} ({a.note})" for a in model.assets] or ["  none named: redan init"]
    lines += ["", "Exposures", *(f"  {text}" for text in model.exposures), "", "Threats"]
    for line in model.threats:
        mark = "applies" if line.applies else "-"
        lines += [f"  {line.threat:<13} {mark:<8} {line.question}", f"{'':<25}{line.why}", f"{'':<25}{line.tested}"]
        if line.probes:
            lines.append(f"{'':<25}probes: {', '.join(line.probes)}")
    return "\n".join([*lines, "", f"About {_span(model.seconds)} on two cores: redan check"]) + "\n"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

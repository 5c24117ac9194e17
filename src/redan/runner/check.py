"""The main job: scan the files, load the model if it may be loaded, attack it, and gate."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redan.core import catalogue
from redan.core import config as configuration
from redan.core.budget import Budget, parse_limits
from redan.core.config import Config
from redan.core.errors import ConfigError, RedanError, UnsafeArtifact
from redan.core.inputs import Inputs
from redan.core.plugins import load_allowed
from redan.core.policy import Policy
from redan.core.progress import SILENT, Observer
from redan.core.report import Ran, Report
from redan.core.subject import Subject, SubjectRef
from redan.runner.applies import judged
from redan.runner.opening import inputs_of, released, subject_of, target_file
from redan.runner.plan import Choice, Plan, chosen, plan
from redan.runner.run import Session, run
from redan.runner.scan import scan_choice

QUICK_ROWS = 200
QUICK_BUDGET = "45s"
SCANNING = "supply_chain"
"""The threat whose probes read files and need no loaded model."""


def configured(config: Config | str | Path | None) -> Config:
    """Return a configuration from itself, from a path, or from the nearest redan.toml.

    Raises:
        ConfigError: there is none.
    """
    if isinstance(config, Config):
        return config
    file = Path(config) if config is not None else configuration.find(Path.cwd())
    if file is None:
        raise ConfigError("there is no redan.toml here or above", hint="redan init")
    return configuration.load(file=file, root=file.parent, environ=os.environ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The model of a configuration, or why it could not be loaded."""

    subject: Subject | None
    inputs: Inputs
    refused: tuple[Ran, ...] = ()


def check(config: Config, *, quick: bool = False, session: Session | None = None, observe: Observer = SILENT) -> Report:
    """Do what the settings ask for.

    The model's own file is scanned with everything else, so that a file which is refused still has its findings in
    the report; its attacks are then reported as failed, never as clean.
    """
    settings = config.settings
    load_allowed(settings.plugins.allow)
    session = session or session_of(config, quick=quick, observe=observe)
    choice = choice_of(config, quick=quick)
    untested = () if choice.threats or choice.probes else untestable(config)
    choice = applying(config, choice)
    asking = _asking(choice)
    opened = Opened(subject=None, inputs=Inputs()) if asking is None else _open(config, quick=quick)
    files = _files(config)
    scanning = scan_choice(settings, _scanning(choice), config.root)
    steps = _join([*(plan([f], Inputs(), scanning) for f in files), Plan(skipped=untested)])
    if opened.subject is not None and asking is not None:
        steps = _join([steps, plan([opened.subject], opened.inputs, asking)])
    ref = opened.subject.ref if opened.subject else _ref(config, files)
    asked = {"threats": choice.threats, "probes": choice.probes, "params": dict(choice.params), "quick": quick}
    with released(opened.subject):
        return run(steps, opened.inputs, ref, session, asked=asked, notes=notes_of(config), before=opened.refused)


def session_of(config: Config, *, quick: bool = False, observe: Observer = SILENT, command: str = "") -> Session:
    """Build budget, seed and policy from the settings."""
    settings = config.settings
    budget = settings.attack.budget or (QUICK_BUDGET if quick else "")
    return Session(
        budget=Budget(limits=parse_limits(budget)),
        seed=settings.run.seed,
        policy=policy_of(config),
        command=command or ("redan check --quick" if quick else "redan check"),
        config_digest=config.digest,
        observe=observe,
    )


def policy_of(config: Config) -> Policy:
    """Build the policy: gate, ignores, baseline, and the threats somebody asked for by name."""
    settings = config.settings
    baseline = Report.read(config.path(settings.gate.baseline)) if settings.gate.baseline else None
    return Policy(
        gate=settings.gate.level,
        ignores=settings.ignore,
        baseline=baseline,
        today=datetime.now(UTC).date(),
        required=settings.attack.threats,
    )


def choice_of(config: Config, *, quick: bool = False) -> Choice:
    """Build the choice of probes and parameters from the settings."""
    attack = config.settings.attack
    choice = Choice(threats=attack.threats, probes=attack.probes)
    # what nobody typed is no error where the chosen probes have no such parameter
    usual: dict[str, Any] = {"norm": attack.norm, **({"plan": "quick"} if quick else {})}
    known = {name for entry in chosen(choice) for name in entry.params}
    typed = {name: getattr(attack, name) for name in ("norm", "eps") if f"attack.{name}" in config.origins}
    params = {name: value for name, value in usual.items() if name in known}
    return replace(choice, params={**params, **typed, **attack.params})


def applying(config: Config, choice: Choice) -> Choice:
    """Narrow a choice that names no threats and no probes to the threats that apply to the project."""
    if choice.threats or choice.probes:
        return choice
    known = {e.id for e in catalogue.entries("threat")}
    found = tuple(a.threat for a in judged(config.settings) if a.applies and a.threat in known)
    return replace(choice, threats=found or (SCANNING,))  # no threats at all would mean every one of them


def untestable(config: Config) -> tuple[Ran, ...]:
    """Return the threats that apply to the project and that nothing here measures, so that the report names them."""
    known = {e.id for e in catalogue.entries("threat")}
    found = [a.threat for a in judged(config.settings) if a.applies and a.threat not in known]
    why = "it applies to this project, and this version has no probe for it"
    return tuple(Ran(probe="", name=t, threat=t, outcome="skipped", why=why) for t in found)


def notes_of(config: Config) -> tuple[str, ...]:
    """Return what a reader must know: ignores whose date has come."""
    expired = policy_of(config).expired()
    return tuple(
        f"an ignore has expired on {i.expires}: {i.rule or i.fingerprint or i.path} ({i.reason})" for i in expired
    )


def _scanning(choice: Choice) -> Choice:
    """Keep the part of a choice that reads files; files are scanned whatever else was chosen."""
    probes = tuple(e.id for e in chosen(choice) if e.threat == SCANNING) if choice.probes else ()
    return Choice(threats=(SCANNING,), probes=probes)


def _asking(choice: Choice) -> Choice | None:
    """Keep the part of a choice that asks the model; None where it was not meant to be asked."""
    probes = tuple(e.id for e in chosen(choice) if e.threat != SCANNING) if choice.probes else ()
    threats = tuple(t for t in choice.threats if t != SCANNING)
    if (choice.probes and not probes) or (choice.threats and not threats):
        return None
    if not threats and not probes:
        threats = tuple(e.id for e in catalogue.entries("threat") if e.id != SCANNING)
    return replace(choice, threats=threats, probes=probes)


def _join(plans: Sequence[Plan]) -> Plan:
    return Plan(
        steps=tuple(step for p in plans for step in p.steps),
        skipped=tuple(skip for p in plans for skip in p.skipped),
    )


def _open(config: Config, *, quick: bool) -> Opened:
    """Load data and model; a model that is refused or fails to load becomes an outcome, not the end of the run."""
    inputs = inputs_of(config, most=QUICK_ROWS if quick else 0)
    if not config.settings.model.target:
        return Opened(subject=None, inputs=inputs)
    try:
        return Opened(subject=subject_of(config, inputs), inputs=inputs)
    except UnsafeArtifact as err:
        why = f"the model was not loaded: {err.message}"
    except RedanError as err:
        why = f"the model could not be measured: {err.message}" + (f" ({err.hint})" if err.hint else "")
    refused = Ran(probe="", name="model", threat="model", outcome="failed", why=why)
    return Opened(subject=None, inputs=inputs, refused=(refused,))


def _files(config: Config) -> list[Subject]:
    from redan.subjects.files import open_all

    return list(open_all(scan_paths(config), exclude=config.settings.scan.exclude))


def scan_paths(config: Config) -> list[Path]:
    """Return what is to be scanned: the configured paths and the model's own file or folder."""
    settings = config.settings
    paths = [config.path(p) for p in settings.scan.paths]
    for value in (target_file(config) if settings.model.target else "", settings.model.weights):
        own = config.path(value) if value else None
        if own is not None and own.exists() and own.suffix != ".py":
            paths.append(own)
    return list(dict.fromkeys(paths))


def _ref(config: Config, files: Sequence[Subject]) -> SubjectRef:
    name = config.settings.model.name or config.settings.project.name or config.root.name
    return files[0].ref if len(files) == 1 else SubjectRef(name=name, kind="files")

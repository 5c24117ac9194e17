"""The declared pipeline: retrain, check, seal, push, canary, promote; each step is recorded and none is skipped.

It is started by hand, by a schedule that asks ``due`` now and then, or by a report of drift. A step that fails ends the
update with the reason; what answers stays what it was.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import EvidenceError, RedanError, UsageError
from redan.core.settings import age_s
from redan.evidence.keys import load_signer
from redan.evidence.statements import beside
from redan.evidence.statements.policy import policy_of
from redan.service.audit.act import Act
from redan.service.registry.moving import move
from redan.service.registry.opening import Registry
from redan.service.registry.progress import STEPS, Progress, Step, alone, keep, load, moment
from redan.service.registry.pushing import Person, push

if TYPE_CHECKING:
    from redan.core.config import Config

Agreement = Callable[[str, str], tuple[float, int] | None]
"""Of a model and its canary: lower end of the 95 % interval of how often both agree, and on how many requests."""
_REPORT = "update.report.json"


class Stopped(RedanError):
    """A step of the pipeline failed; nothing was promoted."""

    code = "RDN-E520"
    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pipeline:
    """What an update works with.

    Attributes:
        config: the project.
        registry: where versions go.
        by: who started it, and why.
        agreement: what the gateway measured of a canary; None where no gateway was asked.
    """

    config: Config
    registry: Registry
    by: Person
    agreement: Agreement | None = None


def due(config: Config, *, now: datetime, drift: Path | None = None) -> str:
    """Return why an update should start or go on now, or an empty string.

    Args:
        config: the project.
        now: with its time zone.
        drift: report of ``redan watch`` in JSON; one that fails its gate makes an update due.

    Raises:
        Unreadable: a file cannot be read.
    """
    wanted = config.settings.registry.update
    last = load(_folder(config))
    if last is not None and not last.ended:
        return "the last update has not ended"
    if drift is not None and (found := _drifted(drift)):
        return found
    if not wanted.every:
        return ""
    every = timedelta(seconds=age_s(wanted.every) or 0)
    if last is None or now - datetime.fromisoformat(last.started) >= every:
        return f"every {wanted.every}"
    return ""


def update(pipeline: Pipeline, *, abandon: bool = False) -> Progress:
    """Do the steps that are left, as far as they can be done now.

    Args:
        pipeline: what to work with.
        abandon: give up an unfinished update first and start anew.

    Returns:
        Where it stands: ended, or waiting for its canary.

    Raises:
        UsageError: no pipeline is declared, or one is running.
        Stopped: a step failed; the update has ended.
        EvidenceError: its state cannot be written.
    """
    if not pipeline.config.settings.registry.update.name:
        raise UsageError("no pipeline is declared", hint="write [registry.update] with name and seal_key")
    folder = _folder(pipeline.config)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        progress = load(folder)
        if progress is None or progress.ended or abandon:
            progress = keep(folder, Progress(why=pipeline.by.why, started=moment()))
        while (step := progress.next) is not None:
            try:
                after = _ACTIONS[step](pipeline, progress)
            except RedanError as err:
                why = f"{step}: {err.message}"
                keep(folder, replace(progress, ended=why))
                _record(pipeline, progress, step, ok=False, why=err.message)
                raise Stopped(f"the update ended at its step {why}", hint=err.hint) from err
            if after is None:
                return progress
            progress = keep(folder, after)
            _record(pipeline, progress, step, ok=True, why=progress.steps[-1].note)
    return progress


def _retrain(pipeline: Pipeline, progress: Progress) -> Progress:
    from redan.runner.enclosing import Allowed
    from redan.runner.execute import Wanted, execute

    config, wanted = pipeline.config, pipeline.config.settings.registry.update
    if not wanted.retrain:
        return progress.after("no command; the model is taken as it is")
    done = execute(
        Wanted(
            argv=tuple(shlex.split(wanted.retrain)),
            allowed=Allowed(
                read=tuple(config.path(each) for each in wanted.reads),
                write=tuple(config.path(each) for each in wanted.writes),
            ),
            data=(config.path(wanted.data),) if wanted.data else (),
            seed=config.settings.run.seed,
        ),
        key=load_signer(config.path(wanted.seal_key)),
    )
    if done.code:
        raise Stopped(f"the command ended with {done.code}", hint=f"redan run -- {wanted.retrain}")
    return progress.after(f"{len(done.outputs)} files written, {len(done.findings)} undeclared accesses refused")


def _check(pipeline: Pipeline, progress: Progress) -> Progress:
    from redan.runner.check import check

    report = check(pipeline.config, quick=pipeline.config.settings.registry.update.quick)
    path = report.save(_folder(pipeline.config) / _REPORT)
    if report.gate.exit_code:
        reasons = "; ".join(report.gate.reasons)
        raise Stopped(f"{report.gate.verdict}: {reasons}", hint=f"redan report {path}")
    return progress.after("; ".join(report.gate.reasons))


def _seal(pipeline: Pipeline, progress: Progress) -> Progress:
    from redan.runner.seal import seal

    config = pipeline.config
    key = config.path(config.settings.registry.update.seal_key)
    sealed = seal(_model(config), _folder(config) / _REPORT, key=key)
    return progress.after(f"{', '.join(sealed.kinds)} by {sealed.key_id[:16]}…")


def _push(pipeline: Pipeline, progress: Progress) -> Progress:
    config, wanted = pipeline.config, pipeline.config.settings.registry.update
    found = pipeline.registry.history(wanted.name)
    version = str(1 + max((int(v.name) for v in found.versions if v.name.isdecimal()), default=0))
    model = _model(config)
    push(
        pipeline.registry,
        model,
        name=wanted.name,
        version=version,
        by=pipeline.by,
        statements=beside(model),
        data=config.path(wanted.data) if wanted.data else None,
        config=config.file,
    )
    return progress.after(f"{wanted.name}@{version}", version=version)


def _canary(pipeline: Pipeline, progress: Progress) -> Progress:
    wanted = pipeline.config.settings.registry.update
    if not wanted.canary or pipeline.registry.history(wanted.name).live is None:
        return progress.after("none: no time is asked for it" if not wanted.canary else "none: nothing was live before")
    _moved(pipeline, progress, "canary")
    return progress.after(f"{wanted.name}@{progress.version} for {wanted.canary}")


def _promote(pipeline: Pipeline, progress: Progress) -> Progress | None:
    """Promote, once the canary's time is over; None while it is not."""
    wanted = pipeline.config.settings.registry.update
    began = progress.when("canary")
    state = pipeline.registry.history(wanted.name).version(progress.version).state
    if state == "standby":
        raise Stopped(
            f"{wanted.name}@{progress.version} is a canary no more: another version took its place",
            hint="redan registry update starts anew",
        )
    if state == "canary" and began is not None:
        if datetime.now(UTC) < began + timedelta(seconds=age_s(wanted.canary) or 0):
            return None
        if wanted.agreement:
            _insist_on_agreement(pipeline, progress.version)
    _moved(pipeline, progress, "promote")
    return progress.after(f"{wanted.name}@{progress.version}")


def _insist_on_agreement(pipeline: Pipeline, version: str) -> None:
    wanted = pipeline.config.settings.registry.update
    found = pipeline.agreement(wanted.name, version) if pipeline.agreement is not None else None
    if found is None:
        raise Stopped(
            f"an agreement of {wanted.agreement:.1%} is asked for and the gateway measured none of these two versions",
            hint=f"serve registry:{wanted.name}@live, and registry:{wanted.name}@canary as canary or shadow",
        )
    low, n = found
    if low < wanted.agreement:
        raise Stopped(
            f"canary and live version agree on at least {low:.1%} of {n} requests; asked {wanted.agreement:.1%}"
        )


def _moved(pipeline: Pipeline, progress: Progress, act: Any) -> None:
    config = pipeline.config
    policy = policy_of(config.settings.admission, config.root) if config.settings.admission.require else None
    move(pipeline.registry, config.settings.registry.update.name, progress.version, act, by=pipeline.by, policy=policy)


_ACTIONS: dict[Step, Callable[[Pipeline, Progress], Progress | None]] = dict(
    zip(STEPS, (_retrain, _check, _seal, _push, _canary, _promote), strict=True)
)


def _record(pipeline: Pipeline, progress: Progress, step: Step, *, ok: bool, why: str) -> None:
    name = pipeline.config.settings.registry.update.name
    pipeline.registry.record(
        Act(
            t_us=time.time_ns() // 1000,
            who=pipeline.by.who,
            act=f"registry.update.{step}",
            model=f"{name}@{progress.version or '-'}",
            ok=ok,
            why=why[:512],
        )
    )


def _drifted(path: Path) -> str:
    from redan.core.report import Report

    report = Report.read(path)
    if report.gate.exit_code != 1:
        return ""
    return f"{path.name}: {'; '.join(report.gate.reasons)}"


def _model(config: Config) -> Path:
    path = config.path(config.settings.model.target)
    if not path.exists():
        raise EvidenceError(f"there is no model at {config.settings.model.target!r}", hint="[model] target")
    return path


def _folder(config: Config) -> Path:
    return config.path(config.settings.registry.store)

"""Load a model file only after a scan and a rehearsal in the sandbox agree that it is safe."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import SubjectFailed, UnsafeArtifact
from redan.core.policy import Policy
from redan.core.progress import SILENT, Observer
from redan.runner.plan import SCANNING, Choice
from redan.runner.scan import scan

if TYPE_CHECKING:
    from redan.core.report import Report

PROBES = ("artifacts", "loading")


def rehearse(*paths: str | Path, observe: Observer = SILENT, policy: Policy | None = None) -> Report:
    """Scan files, load each once in the sandbox, and report where the two differ and what was tried.

    Args:
        *paths: files and folders.
        observe: told about progress.
        policy: what decides; gate ``high`` by default.

    Raises:
        Unreadable: a path does not exist or may not be read.
    """
    rules = policy or Policy(today=datetime.now(UTC).date())
    report = scan(
        *paths,
        choice=Choice(threats=(SCANNING,), probes=PROBES),
        observe=observe,
        policy=replace(rules, required=(SCANNING,)),
    )
    command = report.run.command.replace("redan scan", "redan load", 1)
    return replace(report, run=replace(report.run, command=command))


def load(path: str | Path, *, trust: bool = False, rehearsal: bool = True) -> Any:
    """Return the object that a model file holds.

    The file is scanned, then loaded once in the sandbox to see whether its loader does what the scan said; only then it
    is loaded here. Pickled formats are loaded from the very bytes that were scanned.

    Args:
        path: the file.
        trust: for a file that is not found safe, return a subject whose model runs in the sandbox and answers labels
            and scores; nothing of it is ever loaded here.
        rehearsal: load it once in the sandbox first; without it the scan alone decides.

    Raises:
        UnsafeArtifact: not found safe, the rehearsal and the scan differ, or there is no sandbox to rehearse in.
        Unreadable: missing, damaged, or of no format that holds a model.
        SubjectFailed: its library raised.
        MissingDependency: its library is not installed.
    """
    from redan.kernels.artifacts import inspect_bytes
    from redan.subjects.gate import admit
    from redan.subjects.loading import load_object

    file = Path(path)
    admitted = admit(file, trust=trust)
    if not admitted.safe:
        from redan.subjects.open import open_subject

        return open_subject(file, trust=True)
    if rehearsal:
        from redan.subjects.sandbox.rehearsing import rehearse as rehearse_one

        seen = rehearse_one(file, inspect_bytes(admitted.data, file.name))
        if seen.unseen or seen.tried:
            shown = ", ".join((*seen.unseen, *seen.tried)[:3])
            raise UnsafeArtifact(
                f"{file.name!r} was found safe and did what the scan did not see when it was loaded: {shown}",
                hint="`redan load` shows all of it; report the file to Redan",
            )
        if seen.failure:
            raise SubjectFailed(f"{file.name!r} cannot be loaded: {seen.failure}")
    return load_object(admitted)

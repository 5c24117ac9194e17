"""Judge files without loading them: the one job that must start fast, so it imports nothing that others need."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.inputs import Inputs
from redan.core.policy import Policy
from redan.core.progress import SILENT, Observer
from redan.core.subject import SubjectRef
from redan.runner.plan import SCANNING, Choice, Plan, chosen, plan
from redan.runner.run import Session, run
from redan.subjects.files import open_all

if TYPE_CHECKING:
    from redan.core.report import Report
    from redan.core.settings import Settings

READING = Choice(threats=(SCANNING,))
"""The default probes of the supply chain."""

MOST_DIGESTED_BYTES = 16 << 20
"""Digesting is most of the time that a large file takes; whoever wants the report bound to it asks for that."""

_PATHS = ("osv", "vex", "environment")
"""Settings of ``[scan]`` that name a file or folder."""


def scan(
    *paths: str | Path,
    choice: Choice = READING,
    exclude: Sequence[str] = (),
    digest_all: bool = False,
    observe: Observer = SILENT,
    policy: Policy | None = None,
) -> Report:
    """Judge every file under some paths by content, without loading anything.

    Args:
        paths: files and folders.
        choice: probes of the supply chain with their parameters; its defaults when left out.
        exclude: globs over the paths in reports; what they match is left out and listed.
        digest_all: digest also files above 16 MiB, so that the report can be sealed for them.
        observe: told about progress.
        policy: what decides; gate ``high`` by default.

    Raises:
        Unreadable: a path does not exist or may not be read.
    """
    most_digested_bytes = None if digest_all else MOST_DIGESTED_BYTES
    subjects = open_all([Path(p) for p in paths], exclude=exclude, most_digested_bytes=most_digested_bytes)
    plans = [plan([each], Inputs(), choice) for each in subjects]
    steps = Plan(steps=tuple(s for p in plans for s in p.steps), skipped=plans[0].skipped)
    refs = [each.ref for each in subjects]
    ref = refs[0] if len(refs) == 1 else _together(refs)
    session = Session(
        policy=policy or Policy(today=datetime.now(UTC).date()),
        observe=observe,
        command=shlex.join(["redan", "scan", *map(str, paths), *(["--digest-all"] if digest_all else [])]),
    )
    return run(steps, Inputs(), ref, session, asked={"paths": list(map(str, paths))}, notes=_notes(ref))


def scan_choice(settings: Settings, choice: Choice, root: Path) -> Choice:
    """Give the probes that read files the parameters which ``[scan]`` sets; a list becomes words with commas.

    Args:
        settings: the settings in force.
        choice: what was asked for; its own parameters win.
        root: folder that relative paths in the settings start from.
    """
    known = {name for entry in chosen(choice) for name in entry.params}
    given = {name: getattr(settings.scan, name, None) for name in known}
    given |= {name: str(root / place) for name in _PATHS if (place := given.get(name))}
    words = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in given.items() if value}
    return replace(choice, params={**words, **choice.params})


def _together(refs: Sequence[SubjectRef]) -> SubjectRef:
    parts = tuple(part for ref in refs for part in ref.components)
    return SubjectRef(name=", ".join(ref.name for ref in refs), kind="files", components=parts)


def _notes(ref: SubjectRef) -> tuple[str, ...]:
    left = sum(not part.sha256 and part.size_bytes > MOST_DIGESTED_BYTES for part in ref.components)
    if not left:
        return ()
    return (f"not digested: {left} above {MOST_DIGESTED_BYTES >> 20} MiB; --digest-all binds the report to content",)

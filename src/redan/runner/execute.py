"""Run a training or conversion command in the sandbox, and state what went in and what came out."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redan
from redan.core.errors import Unreadable, UsageError
from redan.core.finding import Finding, Location, Severity
from redan.evidence.provenance import Build, Dependency, provenance
from redan.evidence.statements import PROVENANCE, Resource, append, beside, describe, statement
from redan.runner.enclosing import Allowed, command_of, files_among, granted
from redan.runner.origin import code_of, packages_of, platform_of
from redan.subjects.sandbox.command import Limits, run_enclosed
from redan.threats.supply_chain.rules import undeclared_touch

if TYPE_CHECKING:
    from redan.evidence.keys import Signer
    from redan.subjects.sandbox.tracing import Touched

UNSIGNED_SUFFIX = ".provenance.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A command, and what its owner declares of it.

    Attributes:
        argv: program and arguments.
        allowed: what it may touch.
        data: manifests of data that it uses; readable, and named as such in the statement.
        code: folder of its code in git; readable, and known by commit and changes.
        parameters: what the owner says of the run.
        seed: given as ``PYTHONHASHSEED`` and ``REDAN_SEED``.
        environment: names of further variables to hand over.
        limits: most of each process.
    """

    argv: tuple[str, ...]
    allowed: Allowed = field(default_factory=Allowed)
    data: tuple[Path, ...] = ()
    code: Path | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    environment: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """What came of it.

    Attributes:
        code: the command's exit code.
        findings: what it asked for and had not declared.
        outputs: name → SHA-256 of each file that is new or changed.
        statements: files that the statement was written to.
        statement: its bytes; empty when nothing could be stated.
        notes: why something is missing, one sentence each.
    """

    code: int
    findings: tuple[Finding, ...]
    outputs: Mapping[str, str]
    statements: tuple[Path, ...]
    statement: bytes
    notes: tuple[str, ...]


def execute(wanted: Wanted, *, key: Signer | None = None) -> Executed:
    """Run a command in the sandbox.

    Nothing is stated of a command that failed or wrote nothing.

    Args:
        wanted: the command and what is declared of it.
        key: signs the statement, which is then added to the bundle beside each output folder; without it the bare
            statement is written there.

    Raises:
        UsageError: the program is not found, or paths do not fit together.
        Unreadable: an input cannot be digested.
        UnsafeArtifact: this machine has no sandbox; nothing was run.
        SubjectFailed: the command could not be started inside.
        EvidenceError: the statement cannot be written.
    """
    for folder in wanted.allowed.write:
        _make(folder)
    with tempfile.TemporaryDirectory(prefix="redan-run-") as private:
        home = Path(private).resolve()
        command = command_of(wanted, home)
        inputs = _inputs(wanted, Path(command.program))
        before = {folder: _digests(folder) for folder in wanted.allowed.write}
        started = datetime.now(UTC)
        code, touched = run_enclosed(command)
        finished = datetime.now(UTC)
        asked = _undeclared(touched, granted(command), home)
    outputs = {name: digest for folder, known in before.items() for name, digest in _new(folder, known)}
    payload = b""
    paths: tuple[Path, ...] = ()
    if not code and outputs:
        build = Build(
            argv=wanted.argv,
            parameters=wanted.parameters,
            seed=wanted.seed,
            environment=tuple(sorted(command.environment)),
            declared=_declared(wanted),
            platform=platform_of(Path(command.program)),
            limits={"memory_bytes": wanted.limits.memory_bytes, "cpu_s": wanted.limits.cpu_s},
            dependencies=inputs,
            started=started.isoformat(timespec="seconds"),
            finished=finished.isoformat(timespec="seconds"),
            trace={"undeclared": [f"{kind} {what}" for kind, what in asked]},
            complete=not touched.cut,
            version=redan.__version__,
        )
        payload, paths = _stated(build, wanted.allowed.write, outputs, key)
    return Executed(
        code=code,
        findings=tuple(_finding(kind, what, wanted.argv[0]) for kind, what in asked),
        outputs=outputs,
        statements=paths,
        statement=payload,
        notes=_notes(code, outputs, touched, signed=key is not None),
    )


def _stated(
    build: Build, folders: Sequence[Path], outputs: Mapping[str, str], key: Signer | None
) -> tuple[bytes, tuple[Path, ...]]:
    """Write one statement about every folder with outputs, and every output, beside each of the folders."""
    written = [folder for folder in folders if _digests(folder)]
    about: list[Resource] = [describe(folder) for folder in written]
    about += [Resource(name=name, digest={"sha256": digest}) for name, digest in outputs.items()]
    payload = statement(about, PROVENANCE, provenance(build))
    return payload, tuple(_kept(payload, folder, key) for folder in written)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise UsageError(
            f"{str(folder)!r} cannot be an output folder: {err.strerror}", hint="--write names folders, not files"
        ) from err


def _digests(folder: Path) -> Mapping[str, str]:
    if not any(path.is_file() or path.is_symlink() for path in folder.rglob("*")):
        return {}
    return describe(folder).files


def _new(folder: Path, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, digest in _digests(folder).items():
        if known.get(name) != digest:
            yield f"{folder.name}/{name}", digest


def _inputs(wanted: Wanted, program: Path) -> tuple[Dependency, ...]:
    """Digest all that goes in, before the command runs."""
    found = []
    words = files_among(wanted.argv)
    for role, paths in (("input", (*words, *wanted.allowed.read)), ("data manifest", wanted.data)):
        for path in dict.fromkeys(paths):
            model = describe(path)
            found.append(Dependency(uri=f"file:{path}", digest=dict(model.digest), annotations={"role": role}))
    place = wanted.code or Path.cwd()
    code = code_of(place, without=wanted.allowed.write)
    if code is None and wanted.code is not None:
        raise Unreadable(f"{str(place)!r} is in no git repository with a commit", hint="give it with --read")
    executable = describe(program)
    found.append(
        Dependency(uri=f"file:{program.name}", digest=dict(executable.digest), annotations={"role": "program"})
    )
    return (*([code] if code else []), *found, *packages_of(program.parent.parent))


def _declared(wanted: Wanted) -> dict[str, tuple[str, ...]]:
    allowed = wanted.allowed
    return {
        "read": tuple(map(str, (*allowed.read, *wanted.data, *([wanted.code] if wanted.code else [])))),
        "write": tuple(map(str, allowed.write)),
        "execute": tuple(map(str, allowed.execute)),
        "network": ("loopback",) if allowed.loopback else (),
    }


def _undeclared(touched: Touched, may: Mapping[str, tuple[str, ...]], home: Path) -> list[tuple[str, str]]:
    """Return what was asked for and not granted, sorted: reads, writes, executions, sockets."""
    found = []
    for kind, paths in (("read", touched.read), ("write", touched.written), ("execute", touched.executed)):
        roots = may[kind]
        odd = (path for path in paths if not path.startswith("/proc/") and not _below(os.path.realpath(path), roots))
        found += sorted({(kind, _told(path, home)) for path in odd})
    return found + sorted(("socket", family) for family in touched.sockets)


def _told(path: str, home: Path) -> str:
    """A path without what differs from run to run: the private folder, and names of shared memory."""
    return "/dev/shm" if path.startswith("/dev/shm/") else path.replace(str(home), "$HOME")  # noqa: S108  told, not used


def _below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(f"{root.rstrip('/')}/") for root in roots)


def _finding(kind: str, what: str, program: str) -> Finding:
    rule = undeclared_touch.RULE
    verb = {"read": "read", "write": "write", "execute": "execute", "socket": "open a socket:"}[kind]
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=Path(program).name,
        title=f"{Path(program).name} wanted to {verb} {what}, which was not declared; refused",
        severity=Severity.LOW if kind == "read" or what == "AF_UNIX" else rule.severity,
        detail=rule.title,
        params={"kind": kind},
        locations=(Location(uri=what),),
        remedies=(rule.remedy,),
        references=rule.references,
    )


def _notes(code: int, outputs: Mapping[str, str], touched: Touched, *, signed: bool) -> tuple[str, ...]:
    notes = []
    if code:
        notes.append(f"the command ended with {code}; nothing is stated of it")
    elif not outputs:
        notes.append("the command wrote nothing below --write; there is nothing to state")
    elif not signed:
        notes.append("the statement is not signed; give --key so that others can rely on it")
    if touched.cut:
        notes.append("the command touched more than is kept; the trace is cut")
    return tuple(notes)


def _kept(payload: bytes, folder: Path, key: Signer | None) -> Path:
    if key is not None:
        from redan.evidence import dsse

        path = beside(folder)
        append(path, dsse.seal(payload, key))
        return path
    resolved = folder.resolve()
    path = resolved.with_name(resolved.name + UNSIGNED_SUFFIX)
    document: dict[str, Any] = json.loads(payload)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path

"""The scanner: every file under a path gets a verdict, by content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.finding import Evidence, Finding, Location
from redan.core.probe import Spec
from redan.core.report import Artifact, Unexamined
from redan.kernels.artifacts import inspect
from redan.kernels.artifacts.reading import UNSAFE, Reading, Reason, is_artifact
from redan.threats.supply_chain.rules import escapes_folder, executes_on_load, not_read, unlisted_callable

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.catalogue import Rule
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files

_ESCAPES = frozenset({"path-traversal", "link", "external-path", "absolute-path"})


@probe(
    Spec(
        id="RDN-SUP-001",
        name="artifacts",
        threat="supply_chain",
        title="Verdict on every model file, by content and without loading it",
        source="Abstract interpretation of pickle opcodes (Python library, pickletools); default-deny allow-lists",
        needs=("bytes",),
        cost="instant",
        references=("cwe:502", "atlas:AML.T0010", "atlas:AML.T0018", "owasp:ML06"),
    )
)
class Artifacts:
    """Judges every file under a path: unsafe, unknown or safe.

    What it measures:
        What loading each file would import, call, write or reach. ``safe`` only if everything was read and every name
        is on the allow-list; ``unknown`` if something was not read or not known; ``unsafe`` otherwise.

    Why it matters:
        A model file can be a program that runs when it is loaded.

    How:
        Formats are told by content, never by file name. Pickles are interpreted abstractly, with stack, memo and
        marks; archives are walked by their own directories; nothing is unpacked, imported or executed.

    Shapes:
        Input: a file or folder. Output: one verdict a file, one finding a reason, with member path and byte offset.

    Units:
        Counts of opcodes, bytes, members and nesting depth.

    Error of the estimate:
        None: verdicts are deterministic. A verdict ``safe`` is a statement about loading, not about the model's
        behaviour.

    Cost:
        Time in proportion to pickle bytes, not to file size; tensors inside torch archives are not read.

    Sources:
        Python library reference, pickletools; ZIP application note 4.3; Zhao et al. 2025 (arXiv 2508.19774).

    Limits:
        Formats without a reader are ``unknown``. Prose, source code, images and tables are listed as not examined.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = core_params.Params

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: core_params.Params,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Artifact | Unexamined]:
        """Walk the path in sorted order and judge each file."""
        files = subject.files()
        observe.started("artifacts", len(files))
        for done, (file, shown) in enumerate(files, 1):
            if budget.stop():
                break
            yield from examine(file, shown, subject_name=subject.root.name, sha256=subject.digest(file))
            observe.advanced("artifacts", done, len(files), file.name)
        for shown in subject.left_out():
            yield Unexamined(path=shown, why="excluded by the settings")
        observe.finished("artifacts", f"{len(files)} files")


def examine(
    file: Path, shown: str, *, subject_name: str, sha256: str = ""
) -> Iterator[Finding | Artifact | Unexamined]:
    """Judge one file and yield its verdict and its findings."""
    if not file.is_file():
        yield Unexamined(path=shown, why="no regular file")
        return
    try:
        reading = inspect(file)
        size_bytes = file.stat().st_size
    except OSError as err:
        reason = Reason(kind="unreadable", verdict="unknown", message=f"cannot be read: {err.strerror}")
        reading = Reading(path=shown, format="", verdict="unknown", reasons=(reason,), complete=False)
        size_bytes = 0
    if not is_artifact(reading):
        yield Unexamined(path=shown, why=f"{reading.format}: no model artifact")
        return
    yield Artifact(
        path=shown,
        verdict=reading.verdict,
        reasons=tuple(_sentence(reason) for reason in reading.reasons),
        format=reading.format,
        sha256=sha256,
        size_bytes=size_bytes,
    )
    for number, reason in enumerate(reading.reasons):
        yield _finding(reading, reason, shown, subject_name, graph=number == 0)


def _sentence(reason: Reason) -> str:
    return f"{reason.message} ({reason.where})" if reason.where else reason.message


def rule_of(reason: Reason) -> Rule:
    """Return the rule that a reason belongs to."""
    if reason.kind in _ESCAPES:
        return escapes_folder.RULE
    if reason.verdict == UNSAFE:
        return executes_on_load.RULE
    if reason.kind.startswith("unlisted"):
        return unlisted_callable.RULE
    return not_read.RULE


def _finding(reading: Reading, reason: Reason, shown: str, subject_name: str, *, graph: bool) -> Finding:
    rule = rule_of(reason)
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=subject_name,
        title=f"{shown}: {reason.message}",
        severity=rule.severity,
        status="open" if reason.verdict == UNSAFE else "inconclusive",
        detail=rule.title,
        params={"kind": reason.kind},
        locations=(Location(uri=shown, address=reason.where),),
        evidence=(_call_graph(reading),) if graph and reading.calls else (),
        remedies=(rule.remedy,),
        references=rule.references,
    )


def _call_graph(reading: Reading) -> Evidence:
    """Return the call graph as JSON: callable, arguments, opcode, stream and byte offset of each call."""
    rows = [
        {"callable": c.callable, "arguments": c.arguments, "how": c.how, "stream": c.stream, "offset": c.offset}
        for c in reading.calls
    ]
    data = json.dumps(rows, indent=1).encode()
    return Evidence.of("call_graph", data, "application/json", f"{len(rows)} calls that loading would make")

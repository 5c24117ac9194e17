"""What a file would do when it is loaded, as plain values."""

from __future__ import annotations

from typing import Literal

from redan.core.record import dataclass

Verdict = Literal["safe", "unknown", "unsafe"]

SAFE: Verdict = "safe"
UNKNOWN: Verdict = "unknown"
UNSAFE: Verdict = "unsafe"

_RANK: dict[Verdict, int] = {SAFE: 0, UNKNOWN: 1, UNSAFE: 2}

NOT_ARTIFACTS = frozenset(
    {
        "empty",
        "text",
        "python",
        "json",
        "yaml",
        "xml",
        "html",
        "notebook",
        "image",
        "audio",
        "pdf",
        "csv",
        "parquet",
        "idx",
    }
)
"""Formats of prose, source code, settings, pictures, tables: skipped unless a reason speaks against a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that moved a verdict away from safe.

    Attributes:
        kind: Stable slug such as `denied-import`; never reused for another meaning.
        verdict: What this reason alone would make of the file.
        message: One sentence for a person.
        where: Member path and byte offset, such as `archive/data.pkl @ byte 123`; empty for the whole file.
    """

    kind: str
    verdict: Verdict
    message: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A node of the call graph: one callable that loading the file invokes.

    Attributes:
        callable: Dotted name, or `?` where it is not a literal import.
        arguments: Short literal rendering of the arguments, or `?`.
        how: Opcode that makes the call.
        stream: Member path of the pickle; empty for the file itself.
        offset: Byte offset of the opcode within that stream's buffer.
    """

    callable: str
    arguments: str
    how: str
    stream: str
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The result of inspecting one file.

    Attributes:
        path: The name that was given.
        format: Slug of the format found by content.
        verdict: The worst verdict of the reasons; safe only when everything was read.
        reasons: In the order in which they were met.
        calls: The call graph, cut at `Limits.calls`.
        n_opcodes: Pickle opcodes interpreted, all streams together.
        n_bytes_read: Bytes interpreted, storages and tensors excluded.
        members: Paths of the members of containers, cut at `Limits.listed_members`.
        complete: Whether everything that loading would interpret was read.
        imports: Dotted names that the pickles import, sorted, cut at `Limits.imports`.
    """

    path: str
    format: str
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    calls: tuple[Call, ...] = ()
    n_opcodes: int = 0
    n_bytes_read: int = 0
    members: tuple[str, ...] = ()
    complete: bool = True
    imports: tuple[str, ...] = ()


def worst(verdicts: list[Verdict]) -> Verdict:
    """The worst of several verdicts; safe for none."""
    return max(verdicts, key=_RANK.__getitem__, default=SAFE)


def is_artifact(reading: Reading) -> bool:
    """Whether the file is a model artifact at all.

    Source code, prose, images and tables are not: a caller lists them as skipped, never as safe. A file of such a
    format with a reason against it is always an artifact.
    """
    return bool(reading.reasons) or reading.format not in NOT_ARTIFACTS

"""How much of a file is read before the verdict becomes unknown.

Every limit counts something that is a property of the file, never seconds, so the same file has the same verdict on
every machine. Exceeding one is a reason `limit` that names it.
"""

from __future__ import annotations

from redan.core.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one inspection, all streams and members together unless stated.

    Attributes:
        opcodes: Pickle opcodes interpreted.
        judged: Imports, calls, writes and text arguments of all pickles, plain calls of listed callables excepted; what
            takes longer than an import counts as several.
        streams: Concatenated pickles in one buffer.
        stack_values: Values alive on one pickle's stack and in its containers.
        memo_entries: Memo entries of one pickle.
        imports: Different names that one pickle imports.
        marks: Open marks of one pickle.
        text_bytes: Strings and bytes that one pickle's machine keeps.
        members: Members of all archives.
        listed_members: Member names kept in the reading.
        depth: Containers within containers.
        expanded_bytes: Bytes that decompression may produce.
        header_bytes: Size of a header or a JSON or text document that is parsed.
        nodes: Values visited while walking a document, a graph or a table of metadata.
        evidence_chars: Characters of the arguments of unlisted callables that are searched for evidence.
        calls: Nodes of the call graph that are kept.
        reasons: Reasons that are kept.
    """

    opcodes: int = 8_000_000
    judged: int = 400_000
    streams: int = 100_000
    stack_values: int = 2_000_000
    memo_entries: int = 2_000_000
    imports: int = 20_000
    marks: int = 20_000
    text_bytes: int = 64 * 2**20
    members: int = 50_000
    listed_members: int = 10_000
    depth: int = 5
    expanded_bytes: int = 96 * 2**20
    header_bytes: int = 32 * 2**20
    nodes: int = 500_000
    evidence_chars: int = 600_000
    calls: int = 1_000
    reasons: int = 200


STANDARD = Limits()
"""The limits of an inspection that is given none."""

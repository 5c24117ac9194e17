"""The machine's state and its loop; the opcodes themselves are in `literals`, `structure` and `calls`.

Two readings of one stream would be a hole, so the machine follows CPython's Python unpickler exactly where it and the
C one agree, and carries on where only one of the two would stop: what it interprets is a superset of what either runs.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from redan.kernels.artifacts.machine.core import CORE

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.kernels.artifacts.judgement.judge import Judge
    from redan.kernels.artifacts.ledger import Ledger
    from redan.kernels.artifacts.machine.values import Buffer, Value

    Handler = Callable[["Machine", int], int]

BLOCK = 4096
"""Opcodes between two looks at the limits."""

LONGEST_LINE = 1 << 24
"""Bytes of a text-protocol argument that are searched for its newline."""

LINE_BYTES = 4096
"""Bytes of such an argument that count as one judgement more."""


class Stop(Exception):
    """The STOP opcode was met; `end` is the offset behind it."""

    def __init__(self, end: int) -> None:
        super().__init__()
        self.end = end


class Broken(Exception):
    """The stream cannot go on; a real unpickler would raise here."""


class Outcome(NamedTuple):
    """How a stream ended: the offset behind it (or of the failing opcode), whether by STOP, opcodes, and why not."""

    end: int
    stopped: bool
    n_opcodes: int
    why: str
    top: Value


class Machine:
    """One run over one pickle stream.

    The compiled core of `core.CORE` works on these very attributes; what it does not do itself, the handlers do.

    Attributes:
        data: The buffer; indexing yields ints, slicing yields bytes.
        size: Its length.
        stack: Values above the innermost mark.
        push: Appends to `stack`.
        below: The stacks under each open mark.
        memo: Memo entries 0 to n-1 without a gap.
        sparse: Memo entries with other indices; an index too large for a hash of its own stands as its digits.
        table: The handler of each opcode.
        judge: Decides what imports, calls and writes mean.
        n_text_bytes: Bytes of strings kept so far, with their overhead.
        n_retained: Values kept in containers and tuples so far.
        n_judged: What counts against `Limits.judged` since the last look at the limits.
        is_graph_full: Whether the call graph holds all the calls that are kept.
    """

    __slots__ = (
        "below",
        "data",
        "is_graph_full",
        "judge",
        "memo",
        "n_judged",
        "n_retained",
        "n_text_bytes",
        "push",
        "size",
        "sparse",
        "stack",
        "table",
    )

    def __init__(self, data: Buffer, judge: Judge, table: list[Handler]) -> None:
        self.table = table
        self.data = data
        self.size = len(data)
        self.stack: list[Value] = []
        self.push = self.stack.append
        self.below: list[list[Value]] = []
        self.memo: list[Value] = []
        self.sparse: dict[int | str, Value] = {}
        self.judge = judge
        self.n_text_bytes = 0
        self.n_retained = 0
        self.n_judged = 0
        self.is_graph_full = False

    def pop_mark(self) -> list[Value]:
        """Close the innermost mark and return what stood above it."""
        items = self.stack
        try:
            self.stack = self.below.pop()
        except IndexError:
            raise Broken("no mark is open") from None
        self.push = self.stack.append
        return items

    def line(self, pos: int) -> tuple[bytes, int]:
        """The newline-terminated argument at `pos` and the offset behind it."""
        self.n_judged += 1
        end = self.data.find(b"\n", pos, pos + LONGEST_LINE)
        if end < 0:
            self.n_judged += LONGEST_LINE // LINE_BYTES
            raise Broken("a text argument has no end")
        self.n_judged += (end - pos) // LINE_BYTES
        return bytes(self.data[pos:end]), end + 1

    def charge(self, n: int) -> None:
        """Count work in proportion to a value that a single opcode names again and again.

        Raises:
            LimitReached: It is more than `Limits.judged`.
        """
        self.judge.ledger.judges(n, self.judge.where)

    def fork(self, judge: Judge) -> Machine:
        """A copy that shares values but not the stack or the memo, to try another reading of what follows."""
        other = Machine(self.data, judge, self.table)
        other.stack = list(self.stack)
        other.push = other.stack.append
        other.below = [list(stack) for stack in self.below]
        other.memo = list(self.memo)
        other.sparse = dict(self.sparse)
        return other

    def run(self, start: int, ledger: Ledger) -> Outcome:
        """Interpret from `start` to STOP, to an error or to a limit.

        Raises:
            LimitReached: A limit of the ledger was reached; its reason is recorded.
        """
        ledger.judges(0, self.judge.where)
        pos, n = start, 0
        allowance = ledger.limits.opcodes - ledger.n_opcodes
        data, table, walk = self.data, self.table, CORE.walk
        memo, below, sparse = self.memo, self.below, self.sparse
        try:
            while n < allowance:
                edge = min(n + BLOCK, allowance)
                if walk is None:
                    for n in range(n, edge):  # noqa: B007, B020  it counts opcodes
                        pos = table[data[pos]](self, pos + 1)
                    n += 1
                while n < edge and walk is not None:
                    pos, n = walk(self, data, memo, below, sparse, pos, n, edge)
                    if n < edge:
                        pos = table[data[pos]](self, pos + 1)
                        n += 1
                self.check_limits(ledger)
        except Stop as stop:
            return Outcome(stop.end, True, n + 1, "", self.stack[-1] if self.stack else None)
        except Broken as error:
            return Outcome(pos, False, n, str(error), None)
        except (IndexError, KeyError, ValueError, TypeError, OverflowError, struct.error) as error:
            why = "the stream ends early" if pos >= self.size else f"malformed opcode ({type(error).__name__})"
            return Outcome(pos, False, n, why, None)
        finally:
            ledger.n_opcodes += n + 1
            ledger.n_judged += self.n_judged
            ledger.n_bytes_read += max(0, pos - start)
        raise ledger.limit("opcodes", self.judge.where)

    def check_limits(self, ledger: Ledger) -> None:
        """Compare what this stream keeps alive with the limits."""
        limits = ledger.limits
        where = self.judge.where
        if len(self.memo) + len(self.sparse) > limits.memo_entries:
            raise ledger.limit("memo_entries", where)
        if len(self.below) > limits.marks:
            raise ledger.limit("marks", where)
        if len(self.stack) + self.n_retained > limits.stack_values:
            raise ledger.limit("stack_values", where)
        if self.n_text_bytes > limits.text_bytes:
            raise ledger.limit("text_bytes", where)
        ledger.judges(self.n_judged, where)
        self.n_judged = 0

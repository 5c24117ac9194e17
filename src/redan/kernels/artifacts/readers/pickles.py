"""Pickles: one stream or many, with whatever stands before, between and behind them.

The legacy torch format is five pickles followed by raw storages. Source: torch `serialization.py`, `_legacy_save`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.judgement.judge import Judge
from redan.kernels.artifacts.ledger import LimitReached
from redan.kernels.artifacts.machine.calls import OPCODES
from redan.kernels.artifacts.machine.machine import Machine
from redan.kernels.artifacts.machine.values import Global, Span
from redan.kernels.artifacts.reading import SAFE, UNSAFE

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.machine import Outcome
    from redan.kernels.artifacts.machine.values import Buffer, Value
    from redan.kernels.artifacts.source import Source

_START = re.compile(rb"\x80[\x00-\x05]")
_IMPORT = re.compile(rb"[ci][A-Za-z_][\w.]{0,200}\n[A-Za-z_][\w.]{0,200}\n")
_SECOND_LINE = rb"\n(?=[A-Za-z_][\w.]{0,200}\n)"
_SIGN = re.compile(rb"\x80[\x00-\x05]|" + _SECOND_LINE)
_FIRST_LINE = re.compile(rb"[ci][A-Za-z_]")
_WORD = bytes(code for code in range(128) if chr(code).isalnum() or chr(code) in "_.")
_LONGEST_FIRST_LINE = 202
_NOT_ZERO = re.compile(rb"[^\x00]")

_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
_TORCH_STREAMS = 5

MOST_CANDIDATES = 2_000
"""Places behind a pickle where another one is tried."""

LONGEST_TRIAL = 100_000
"""Opcodes of one such trial."""

JUDGED_STREAM = 4
"""What a stream counts against `Limits.judged`, however short it is."""

JUDGED_TRIAL = 8
"""What each counts against `Limits.judged`, however soon it ends."""

_ITEM_BYTES = {
    "Double": 8,
    "Float": 4,
    "Half": 2,
    "BFloat16": 2,
    "Long": 8,
    "Int": 4,
    "Short": 2,
    "Char": 1,
    "Byte": 1,
    "Bool": 1,
    "ComplexDouble": 16,
    "ComplexFloat": 8,
    "QInt8": 1,
    "QUInt8": 1,
    "QInt32": 4,
    "Untyped": 1,
}


def read_pickles(source: Source, start: int = 0) -> str:
    """Read every pickle from `start` on.

    Returns:
        `torch-legacy`, `joblib` or `pickle`.
    """
    pos = start
    size = len(source.data)
    n_streams = 0
    legacy = False
    storages: list[Value] = []
    joblib = False
    while pos < size:
        source.ledger.judges(JUDGED_STREAM, source.where)
        judge = Judge(source.ledger, source.where)
        outcome = _run(source, judge, pos)
        joblib = joblib or judge.has_arrays
        n_streams += 1
        if not outcome.stopped:
            source.unknown("truncated" if outcome.end >= size else "broken-pickle", outcome.why, outcome.end)
            _search_tail(source, outcome.end)
            break
        if n_streams > source.ledger.limits.streams:
            raise source.ledger.limit("streams", source.where)
        legacy = legacy or (n_streams == 1 and outcome.top == _TORCH_MAGIC and type(outcome.top) is int)
        storages += judge.storages
        pos = outcome.end
        if legacy and n_streams >= _TORCH_STREAMS:
            pos = _skip_storages(source.data, pos, storages)
        if pos < size:
            pos = _next_stream(source, pos)
    return "torch-legacy" if legacy else "joblib" if joblib else "pickle"


def _run(source: Source, judge: Judge, pos: int) -> Outcome:
    outcome = Machine(source.data, judge, OPCODES).run(pos, source.ledger)
    for content, offset in judge.nested:
        data = bytes(source.data[content.start : content.end]) if isinstance(content, Span) else content
        source.descend(data, f"nested@{offset}")
    return outcome


def _skip_storages(data: Buffer, pos: int, storages: list[Value]) -> int:
    """The offset behind the storages of a legacy torch file, or `pos` where they do not fit.

    They stand in the order of their sorted keys, each as a 64-bit number of items and the items.
    """
    item_bytes: dict[str, int | None] = {}
    for key in storages:
        if type(key) is tuple and len(key) >= 5 and type(key[1]) is Global and type(key[2]) is str:
            item_bytes[key[2]] = _ITEM_BYTES.get(key[1].name.removesuffix("Storage"))
    end = pos
    for _, n_bytes in sorted(item_bytes.items()):
        if n_bytes is None or end + 8 > len(data):
            return pos
        end += 8 + n_bytes * int.from_bytes(bytes(data[end : end + 8]), "little")
    return end if end <= len(data) else pos


def _next_stream(source: Source, pos: int) -> int:
    """Where the next pickle begins at or behind `pos`; the end where there is none."""
    data = source.data
    if _START.match(data, pos):
        return pos
    first = _NOT_ZERO.search(data, pos)
    if first is None:
        return len(data)
    found = _next_trial(source, pos)
    if found is None:
        source.unknown("trailing-bytes", "bytes behind the last pickle are no pickle", pos)
        return len(data)
    return found


def _next_trial(source: Source, pos: int) -> int | None:
    """The first offset from `pos` on where a pickle runs to its end or does something unsafe."""
    n_tried = 0
    at: int | None = pos
    while at is not None:
        n_tried += 1
        if n_tried > MOST_CANDIDATES:
            source.unknown("limit", f"more than {MOST_CANDIDATES} places could be the start of a pickle", pos)
            return None
        source.ledger.judges(JUDGED_TRIAL, source.where)
        trial = Judge(source.ledger, source.where).fork(LONGEST_TRIAL)
        try:
            outcome = Machine(source.data, trial, OPCODES).run(at, trial.ledger)
        except LimitReached:
            return at
        source.ledger.spend(trial.ledger)
        if trial.ledger.is_credible() or (outcome.stopped and _is_meant(outcome, trial)):
            return at
        at = _next_candidate(source.data, at + 1)
    return None


def _next_candidate(data: Buffer, pos: int) -> int | None:
    """The first offset from `pos` on where a protocol number stands, or a name with its module as GLOBAL has them.

    An import is found by the newline in its middle: a search for its start would try every letter c of a long text.
    """
    for sign in _SIGN.finditer(data, pos):
        middle = sign.start()
        if sign[0] != b"\n":
            return middle
        line = bytes(data[max(pos, middle - _LONGEST_FIRST_LINE) : middle])
        line = line[len(line.rstrip(_WORD)) :]
        first = _FIRST_LINE.search(line)
        if first is not None:
            return middle - len(line) + first.start()
    return None


def _is_meant(outcome: Outcome, trial: Judge) -> bool:
    """Whether a stream that ends well is one on purpose, and not some bytes that happen to."""
    return trial.ledger.verdict == SAFE and (bool(trial.ledger.calls) or outcome.n_opcodes > 3)


def _search_tail(source: Source, pos: int) -> None:
    """Look behind the place where a stream broke: another loader may get further, or start again there."""
    found = _next_trial(source, pos)
    while found is not None and source.ledger.verdict != UNSAFE:
        judge = Judge(source.ledger, source.where)
        outcome = _run(source, judge, found)
        found = _next_trial(source, max(outcome.end, found + 1)) if outcome.end < len(source.data) else None


def looks_like_pickle(content: bytes) -> bool:
    """Whether a blob of bytes begins as a pickle and ends as one."""
    return bool(_START.match(content) or _IMPORT.match(content)) and content.rstrip(b"\0")[-1:] == b"."


def try_pickle(source: Source, *, known: bool) -> bool:
    """Whether a source that does not begin with a protocol number is a pickle all the same.

    A text may begin like a pickle. It is one if it goes on as one for long, if it ends with STOP at its very end, or if
    it calls something.

    Args:
        source: The bytes.
        known: Whether they have another format, so that only an unsafe pickle is worth a mention.
    """
    if OPCODES[source.data[0]] is OPCODES[0]:
        return False
    judge = Judge(source.ledger, source.where).fork(LONGEST_TRIAL)
    try:
        outcome = Machine(source.data, judge, OPCODES).run(0, judge.ledger)
    except LimitReached:
        return True
    source.ledger.n_judged += judge.ledger.n_judged
    if judge.ledger.is_credible():
        return True
    if known:
        return False
    return any(call.callable != "?" for call in judge.ledger.calls) or (
        outcome.stopped and _NOT_ZERO.search(source.data, outcome.end) is None
    )

"""How long records are kept: old ones lose their text, never their place, hash or proof."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from redan.kernels.merkle.tiles import WIDTH
from redan.service.audit.act import Act, decode, encode

if TYPE_CHECKING:
    from redan.evidence.log import Log, LogReader

MOST_CLOCK_JUMP_S = 600.0


def prune(log: Log, *, older_than_s: float, act: Act) -> tuple[int, int]:
    """Let go of the text of old records, in whole bundles of 256, and record that first.

    Args:
        log: open for writing.
        older_than_s: age in seconds from which a record goes.
        act: what is recorded about it; first and last index are added.

    Returns:
        How many of the first entries are hashes only, before and now.

    Raises:
        EvidenceError: it cannot be recorded or done.
    """
    log.checkpoint()
    reader = log.reader()
    before = reader.pruned
    size = old_entries(reader, before_us=int((time.time() - older_than_s) * 1e6))
    if size > before:
        log.append(encode(msgspec.structs.replace(act, rows=size - before, more={"from": before, "to": size})))
    return before, log.prune(size)


def old_entries(reader: LogReader, *, before_us: int) -> int:
    """Return how many of the first entries lie in bundles that hold nothing from this time or later.

    Times are as they were told, and clocks jump: the first bundle with a younger record ends it, whatever comes after.
    """
    for n in range(reader.pruned // WIDTH, reader.size // WIDTH):
        if any(_t_us(entry) >= before_us for entry in reader.bundle(n)):
            return n * WIDTH
    return reader.size // WIDTH * WIDTH


def _t_us(entry: bytes) -> int:
    """Return an entry's time; what is no act is as old as its neighbours."""
    try:
        return decode(entry).t_us
    except msgspec.DecodeError:
        return 0


class Clock:
    """Notices that the wall clock was set, since age is all that pruning goes by."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def jumped(self) -> bool:
        """Return whether the two clocks of the machine disagree by more than `MOST_CLOCK_JUMP_S` since the start."""
        return abs(time.time() - time.monotonic() - self._offset_s) > MOST_CLOCK_JUMP_S

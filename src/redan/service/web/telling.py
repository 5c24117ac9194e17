"""What went wrong, on standard error, once and not once a request: an outage must not fill the disk with its news."""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

EVERY_S = 10.0
"""The same words are written again after so long, with how often they came meanwhile."""
MOST_KINDS = 64
"""Different words that are written within `EVERY_S`; what is more is counted together."""
_LONGEST = 2000


class Telling:
    """Writes what went wrong; used from any thread.

    Args:
        write: takes a text that ends with a line break; standard error when None.
        clock: monotonic seconds.
    """

    def __init__(
        self, write: Callable[[str], object] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write, self._clock = write, clock
        self._lock = threading.Lock()
        self._kinds: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._others = 0

    def tell(self, words: str) -> None:
        """Write words, or count them where the same were written just now."""
        now_s, kind = self._clock(), words[-_LONGEST:]
        with self._lock:
            said = self._over(now_s, kind)
            known = self._kinds.get(kind)
            if known is not None and now_s - known[0] < EVERY_S:
                self._kinds[kind] = (known[0], known[1] + 1)
            elif known is None and len(self._kinds) >= MOST_KINDS:
                self._others += 1
            else:
                self._kinds[kind] = (now_s, 0)
                self._kinds.move_to_end(kind)
                said.append(words + _again(known[1] if known is not None else 0))
        for text in said:
            (self._write or sys.stderr.write)(text + "\n")

    def _over(self, now_s: float, kind: str) -> list[str]:
        """Forget what was written long enough ago, and say of each how often it came since."""
        said = []
        while self._kinds:
            oldest, (at_s, times) = next(iter(self._kinds.items()))
            if now_s - at_s < EVERY_S or oldest == kind:
                break
            del self._kinds[oldest]
            if times:
                said.append(oldest.rstrip().rpartition("\n")[2] + _again(times))
        if self._others and len(self._kinds) < MOST_KINDS:
            said.append(f"other failures{_again(self._others)}")
            self._others = 0
        return said


def _again(times: int) -> str:
    return f" ({times} more like it since it was written last)" if times else ""

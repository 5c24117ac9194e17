"""Lock-out: whoever fails too often must wait, longer each time (NIST SP 800-63B-4, section 3.2.2: rate limiting).

Failures are counted by name: of an address, and of a credential *from* an address, so that an attacker elsewhere cannot
lock an owner out. What is counted is bounded; who was heard of least lately is forgotten first.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

MOST_NAMES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long failures make wait.

    Attributes:
        free: failures that cost nothing.
        first_s: wait after the next one; each further failure doubles it.
        most_s: longest wait.
        forget_s: after how long without a failure they are forgotten.
    """

    free: int
    first_s: float
    most_s: float
    forget_s: float

    def wait_s(self, failures: int) -> float:
        """Return how long a number of failures makes wait, in seconds."""
        over = failures - self.free
        return 0.0 if over <= 0 else min(self.most_s, self.first_s * 2.0 ** min(over - 1, 40))

    def counted(self, failures: int, *, since_s: float) -> int:
        """Return the number of failures with one more, ``since_s`` seconds after the last."""
        return 1 if since_s > self.forget_s else failures + 1


ADDRESS = Backoff(free=20, first_s=1.0, most_s=300.0, forget_s=900.0)
"""An address may stand for many people behind one router: it is patient, and never closed for long."""
PAIR = Backoff(free=5, first_s=1.0, most_s=900.0, forget_s=3600.0)
"""A credential, or an account, from one address."""


class Lockout:
    """Failures by name, in memory; used from any thread.

    Args:
        backoff: how long they make wait.
        most_names: names that are remembered.
        clock: seconds, monotonic.
    """

    def __init__(
        self, backoff: Backoff, *, most_names: int = MOST_NAMES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backoff, self._most, self._clock = backoff, most_names, clock
        self._lock = threading.Lock()
        # name → failures, time of the last, time until which it waits
        self._names: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    def wait_s(self, name: str) -> float:
        """Return how many seconds a name must wait still; 0: it may try."""
        found = self._names.get(name)
        return 0.0 if found is None else max(0.0, found[2] - self._clock())

    def failed(self, name: str) -> float:
        """Count a failure and return how many seconds the name must wait now.

        One that comes while the name waits anyway is not counted, so that a wait always ends.
        """
        now = self._clock()
        return max(0.0, self._counted(name, now)[1] - now)

    def attempt(self, name: str) -> float:
        """Admit an attempt and count it as a failure until `succeeded` says otherwise: those at once count each other.

        Returns:
            0 when it may be judged; else how many seconds the name must wait, and nothing was counted.
        """
        now = self._clock()
        return max(0.0, self._counted(name, now)[0] - now)

    def _counted(self, name: str, now: float) -> tuple[float, float]:
        """Count a failure; return until when the name had to wait before, and must wait now."""
        with self._lock:
            count, last, before = self._names.pop(name, (0, now, 0.0))
            until = before
            if now >= before:
                count = self._backoff.counted(count, since_s=now - last)
                until = now + self._backoff.wait_s(count)
            self._names[name] = (count, now, until)
            if len(self._names) > self._most:
                self._names.popitem(last=False)
        return before, until

    def succeeded(self, name: str) -> None:
        """Forget a name's failures."""
        with self._lock:
            self._names.pop(name, None)

    def __len__(self) -> int:
        return len(self._names)


def network(addr: str) -> str:
    """Return what an address is counted as: of IPv6 the /64 that one customer has whole."""
    try:
        address = ip_address(addr.partition("%")[0])
    except ValueError:
        return addr[:64]
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"

"""Requests or rows a second for each client, as one number a client: when its bucket would be full again.

Source: the generic cell rate algorithm (ITU-T I.371, 2004, annex A; RFC 9333 section 2 uses the same form), a token
bucket without tokens.
"""

from __future__ import annotations

import math
from itertools import islice

MOST_CLIENTS = 100_000
_LOOKED_AT = 256
"""Old entries that a newcomer may look at before it joins the strangers: the price of a flood stays flat."""
_STRANGERS = ""
_HAIR, _HAIR_S = 0.01, 1e-6


class Rates:
    """Token buckets of clients, in memory and bounded.

    Whoever was idle until the bucket was full again may leave: nothing is lost. When nobody may, newcomers share one
    bucket, so that a flood of new names gets one allowance and not one each.

    Args:
        rate_per_s: how many a second; 0 without limit.
        burst: how many at once, at least 1.
        most_clients: buckets that are kept.
    """

    __slots__ = ("_full_at_s", "_span_s", "_step_s", "burst", "most_clients", "n_shared")

    def __init__(self, rate_per_s: float, burst: int, *, most_clients: int = MOST_CLIENTS) -> None:
        self.most_clients, self.burst = most_clients, max(1, burst)
        self._full_at_s: dict[str, float] = {}
        self._step_s = 1 / rate_per_s if rate_per_s > 0 else 0.0
        # the sum of thousands of steps lies a hair beside the whole
        self._span_s = self.burst * self._step_s + max(_HAIR_S, _HAIR * self._step_s)
        self.n_shared = 0
        """How often the bucket of newcomers was asked."""

    def __len__(self) -> int:
        return len(self._full_at_s)

    def take(self, client: str, now_s: float, n: int = 1) -> bool:
        """Take all of ``n`` at a monotonic time; False: so many are not left, and none is taken."""
        buckets = self._full_at_s
        full_at_s = buckets.get(client)
        if full_at_s is None:
            if len(buckets) >= self.most_clients and not self._made_room(now_s):
                client = _STRANGERS
                self.n_shared += 1
            full_at_s = buckets.get(client, now_s)
        if full_at_s < now_s:  # noqa: PLR1730  # max() costs a call in the path of every request
            full_at_s = now_s
        full_at_s += n * self._step_s
        if full_at_s - now_s > self._span_s:
            return False
        buckets[client] = full_at_s
        return True

    def put_back(self, client: str) -> None:
        """Give one back that was taken just now, since the request was refused for another reason."""
        if client in self._full_at_s:
            self._full_at_s[client] -= self._step_s

    def retry_s(self, client: str, now_s: float, n: int = 1) -> int:
        """Return whole seconds until ``n``, at most the burst, are left, at least 1."""
        buckets = self._full_at_s
        # whoever has no bucket was refused by that of newcomers
        full_at_s = buckets.get(client, buckets.get(_STRANGERS, now_s))
        return max(1, math.ceil(full_at_s + min(n, self.burst) * self._step_s - now_s - self._span_s))

    def _made_room(self, now_s: float) -> bool:
        """Drop oldest entries with a full bucket; those still in debt go to the back of the queue."""
        buckets, room = self._full_at_s, False
        for client in list(islice(buckets, _LOOKED_AT)):
            full_at_s = buckets.pop(client)
            if full_at_s > now_s:
                buckets[client] = full_at_s
            else:
                room = True
        return room

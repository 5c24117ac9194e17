"""Requests a second for each client, as one number a client: when its bucket would be full again.

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


class Rates:
    """Token buckets of clients, in memory and bounded.

    Whoever was idle until the bucket was full again may leave: nothing is lost. When nobody may, newcomers share one
    bucket, so that a flood of new names gets one allowance and not one each.

    Args:
        rate_per_s: requests a second; 0 without limit.
        burst: requests at once, at least 1.
        most_clients: buckets that are kept.
    """

    __slots__ = ("_full_at_s", "_span_s", "_step_s", "most_clients", "n_shared")

    def __init__(self, rate_per_s: float, burst: int, *, most_clients: int = MOST_CLIENTS) -> None:
        self.most_clients = most_clients
        self._full_at_s: dict[str, float] = {}
        self._step_s = 1 / rate_per_s if rate_per_s > 0 else 0.0
        # the float of a whole number of steps may lie a hair below it
        self._span_s = max(1, burst) * self._step_s + 1e-9
        self.n_shared = 0
        """Requests that were counted in the bucket of newcomers."""

    def __len__(self) -> int:
        return len(self._full_at_s)

    def take(self, client: str, now_s: float) -> bool:
        """Take one request at a monotonic time; False: there is none left."""
        buckets = self._full_at_s
        full_at_s = buckets.get(client)
        if full_at_s is None:
            if len(buckets) >= self.most_clients and not self._made_room(now_s):
                client = _STRANGERS
                self.n_shared += 1
            full_at_s = buckets.get(client, now_s)
        if full_at_s < now_s:  # noqa: PLR1730  # max() costs a call in the path of every request
            full_at_s = now_s
        full_at_s += self._step_s
        if full_at_s - now_s > self._span_s:
            return False
        buckets[client] = full_at_s
        return True

    def retry_s(self, client: str, now_s: float) -> int:
        """Return whole seconds until one more request is left, at least 1."""
        full_at_s = self._full_at_s.get(client, now_s)
        return max(1, math.ceil(full_at_s + self._step_s - now_s - self._span_s))

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

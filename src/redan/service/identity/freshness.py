"""How fresh a proof is: the one judgement, by two clocks.

When somebody proved who they are stands in the database as wall time, which every replica and restart understands and
which may be set back. So each process also counts, by its monotonic clock, for how long it has known a proof: one that
was seen here is never taken for fresh longer than that, whatever the wall clock says.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from redan.service.identity.tokens import SKEW_S

MOST_PROOFS = 4096
_lock = threading.Lock()
_first: OrderedDict[tuple[str, float], float] = OrderedDict()


def fresh(credential: str, shown_s: float | None, *, within_s: float, now_s: float) -> bool:
    """Return whether a proof was given within some seconds.

    Args:
        credential: identifier of the session or token that it was given with.
        shown_s: when, seconds since the epoch; None: never. One from the future is a clock that was set back, and
            stale, unless clocks of replicas may be that far apart.
        within_s: how old it may be.
        now_s: seconds since the epoch.
    """
    if shown_s is None or not -SKEW_S <= now_s - shown_s <= within_s:
        return False
    with _lock:
        since_s = _first.setdefault((credential, shown_s), time.monotonic())
        if len(_first) > MOST_PROOFS:
            _first.popitem(last=False)
    return time.monotonic() - since_s <= within_s

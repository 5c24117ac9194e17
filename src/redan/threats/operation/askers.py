"""Who asked most of late: one client that repeats a row moves a whole stream, and must be seen to be the cause."""

from __future__ import annotations

import math
from collections.abc import Mapping

from redan.kernels.drift.stream import INTERVAL_S

MOST_INTERVALS = 12
MOST_CLIENTS = 1024
"""Of one interval; rows of further clients count as those of others."""
MOST_TOLD = 3
_OTHERS = ""


class Askers:
    """Rows by client, by intervals of five minutes, over the last hour."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, int]] = {}

    def count(self, asked: Mapping[str, int], time_s: float) -> None:
        """Count rows by client, of one time."""
        place = math.floor(time_s / INTERVAL_S)
        rows = self._rows.setdefault(place, {})
        for client, n in asked.items():
            name = client if client in rows or len(rows) < MOST_CLIENTS else _OTHERS
            rows[name] = rows.get(name, 0) + n
        newest = max(self._rows)
        for old in [each for each in self._rows if each <= newest - MOST_INTERVALS]:
            del self._rows[old]

    def most(self) -> str:
        """Say who asked most; empty where nobody is known."""
        sums: dict[str, int] = {}
        for rows in self._rows.values():
            for client, n in rows.items():
                sums[client] = sums.get(client, 0) + n
        total = sum(sums.values())
        named = sorted((-n, client) for client, n in sums.items() if client != _OTHERS)[:MOST_TOLD]
        shares = ", ".join(f"{client} {-n / total:.0%}" for n, client in named)
        return f"Of {total:,} rows in the last hour came from: {shares}." if named else ""

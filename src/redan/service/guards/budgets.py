"""Rows that each client may ask in 24 hours, counted by the hour: in no 24 hours are there more."""

from __future__ import annotations

from collections.abc import Iterable

HOURS = 24
HOUR_S = 3600
MOST_CLIENTS = 100_000
NEAR = 0.8
"""Whoever has spent this share is near the end of its budget."""
_STRANGERS = ""


class RowBudgets:
    """Rows by client and hour since the epoch.

    The hour under way and the 24 before it count, so that a budget may be refused up to an hour early and never holds
    twice. Beyond `MOST_CLIENTS` clients, newcomers share one budget until others have been idle for 25 hours.

    Args:
        rows_per_day: rows in 24 hours; 0 without limit.
        most_clients: accounts that are kept.
    """

    __slots__ = ("_changed", "_hours", "_most_far", "_near", "_others", "_pruned", "most_clients", "rows_per_day")

    def __init__(self, rows_per_day: int, *, most_clients: int = MOST_CLIENTS) -> None:
        self.rows_per_day, self.most_clients = rows_per_day, most_clients
        self._hours: dict[str, dict[int, int]] = {}
        self._others: dict[str, int] = {}
        self._changed: set[tuple[str, int]] = set()
        self._most_far, self._near = NEAR * rows_per_day, set[str]()
        self._pruned = 0

    def __len__(self) -> int:
        return len(self._hours)

    def take(self, client: str, rows: int, hour: int) -> bool:
        """Take rows in an hour since the epoch; False: they are not left, and none is taken."""
        account = self._hours.get(client)
        if account is None:
            client, account = self._entered(client, hour)
        if len(account) > 1:
            for old in [each for each in account if each < hour - HOURS]:
                del account[old]
        elif account and hour - HOURS > next(iter(account)):
            account.clear()
        spent = sum(account.values()) + self._others.get(client, 0) + rows
        if spent > self.rows_per_day:
            return False
        if spent >= self._most_far:
            self._near.add(client)
        account[hour] = account.get(hour, 0) + rows
        self._changed.add((client, hour))
        return True

    def left(self, client: str, hour: int) -> int:
        """Return how many rows a client may still ask."""
        account = self._hours.get(client, {})
        spent = sum(rows for each, rows in account.items() if each >= hour - HOURS)
        return max(0, self.rows_per_day - spent - self._others.get(client, 0))

    def near(self, hour: int) -> int:
        """Return how many clients have spent `NEAR` of their budget or more."""
        self._near = {client for client in self._near if self.left(client, hour) <= self.rows_per_day - self._most_far}
        return len(self._near)

    def changed(self) -> list[tuple[str, int, int]]:
        """Return (client, hour, rows) of every count that changed since this was last called."""
        found = [(client, hour, self._hours[client].get(hour, 0)) for client, hour in self._changed]
        self._changed.clear()
        return found

    def put_back(self, unkept: Iterable[tuple[str, int, int]]) -> None:
        """Count as changed what could not be kept."""
        self._changed.update((client, hour) for client, hour, _ in unkept if client in self._hours)

    def restore(self, own: Iterable[tuple[str, int, int]]) -> None:
        """Take counts of this replica from before a restart."""
        for client, hour, rows in own:
            if client in self._hours or len(self._hours) < self.most_clients:
                account = self._hours.setdefault(client, {})
                account[hour] = max(rows, account.get(hour, 0))

    def told(self, others: dict[str, int]) -> None:
        """Take what other replicas counted in the last 25 hours, by client."""
        self._others = others

    def _entered(self, client: str, hour: int) -> tuple[str, dict[int, int]]:
        if len(self._hours) >= self.most_clients and self._pruned < hour:
            self._pruned = hour  # once an hour: nothing can have aged since
            for name in [n for n, account in self._hours.items() if all(each < hour - HOURS for each in account)]:
                del self._hours[name]
        if len(self._hours) >= self.most_clients:
            client = _STRANGERS
        return client, self._hours.setdefault(client, {})

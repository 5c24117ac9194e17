"""What was really done, from the index of the audit log: which actions each subject used on which model."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from redan.service.audit.tables import records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redan.core.settings_service import Audit
    from redan.service.identity.scopes import Grants


def used_actions(
    connection: Connection, audit: Audit, since_us: int, subjects: Sequence[str] | None = None
) -> dict[str, Grants] | None:
    """Return (action, model) pairs that each subject used since a time, allowed and done.

    Args:
        connection: to read from.
        audit: what the log leaves out.
        since_us: from when.
        subjects: whose; everybody's where None.

    Returns:
        None when nothing can be said: the index is empty or younger than that, or names no clients.
    """
    if "client" in audit.redact:
        return None
    first = connection.execute(select(func.min(records.c.t_us))).scalar_one_or_none()
    if first is None or first > since_us:
        return None
    here = (records.c.t_us >= since_us) & records.c.ok.is_(True)
    if subjects is not None:
        here &= records.c.who.in_(subjects)
    rows = connection.execute(select(records.c.who, records.c.act, records.c.model).where(here).distinct())
    used: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for who, act, model in rows:
        used[who].add((act, model.partition("@")[0]))
    return {who: frozenset(pairs) for who, pairs in used.items()}

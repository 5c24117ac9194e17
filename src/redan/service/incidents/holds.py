"""Who is held back now: wanted in the database, made so by every replica; and how many without a person's word."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, func, select

from redan.core.errors import UsageError
from redan.evidence.store.database import insert_new
from redan.service.incidents import tables

if TYPE_CHECKING:
    from redan.core.settings_service import Incidents

RATE_SUSPENDED = 0.0
Hold = tuple[float, int]
"""Rows a second that are left, and until when in microseconds since 1970."""


class Collateral(UsageError):
    """More would be stopped without a person's word than may be."""


def allowed(settings: Incidents, known: int) -> int:
    """Return how many clients may be held back at once without a person's word.

    One always may: else a small service could never defend itself. Never more than ``most_clients`` nor more than
    ``most_share`` of all that are known, so that whoever makes many clients look guilty shuts out a share of them.

    Args:
        settings: [incidents].
        known: clients that the service knows.
    """
    return max(1, min(settings.most_clients, int(settings.most_share * known)))


def place(
    connection: Connection,
    *,
    incident: int,
    step: str,
    clients: Sequence[str],
    rate_per_s: float,
    until_us: int,
    most: int | None,
) -> list[str]:
    """Hold clients back for a step, in their order, as many as may be.

    Args:
        connection: under `timeline.lock`.
        incident: number.
        step: ``PLAYBOOK/STEP``.
        clients: who; those that the step holds already stay as they are.
        rate_per_s: what is left to each.
        until_us: until when.
        most: how many clients may be held back automatically in all, or None when a person ordered it.

    Returns:
        Who is not held, since a person must say so.
    """
    automatic, left_out = most is not None, list[str]()
    if most is not None:
        held = set(connection.execute(select(tables.holds.c.client).where(tables.holds.c.automatic == 1)).scalars())
        new = [client for client in clients if client not in held]
        left_out = new[max(0, most - len(held)) :]
    rows = [
        {
            "incident": incident,
            "step": step,
            "client": client,
            "rate_per_s": rate_per_s,
            "until_us": until_us,
            "automatic": int(automatic),
        }
        for client in clients
        if client not in left_out
    ]
    insert_new(connection, tables.holds, rows)
    return left_out


def lift(connection: Connection, incident: int, step: str) -> None:
    """Let those go whom a step held; other steps go on holding them."""
    here = (tables.holds.c.incident == incident) & (tables.holds.c.step == step)
    connection.execute(delete(tables.holds).where(here))


def expired(connection: Connection, now_us: int) -> None:
    """Forget holds whose time is over."""
    connection.execute(delete(tables.holds).where(tables.holds.c.until_us < now_us))


def wanted(connection: Connection) -> dict[str, Hold]:
    """Return who shall be held back: the least rate and the latest end of all that hold a client."""
    holds = tables.holds.c
    rows = select(holds.client, func.min(holds.rate_per_s), func.max(holds.until_us)).group_by(holds.client)
    return {client: (float(rate), int(until)) for client, rate, until in connection.execute(rows)}


def differences(before: dict[str, Hold], after: dict[str, Hold]) -> list[tuple[str, float | None, float]]:
    """Return what to tell the limiter: client, rate or None to let it go, until when in seconds."""
    changed: list[tuple[str, float | None, float]] = [
        (client, rate, until / 1e6) for client, (rate, until) in after.items() if before.get(client) != (rate, until)
    ]
    return changed + [(client, None, time.time()) for client in before if client not in after]

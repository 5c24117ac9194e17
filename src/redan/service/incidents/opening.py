"""A gateway's desk, put together from its parts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from redan.service.incidents import evidence
from redan.service.incidents.desk import Desk
from redan.service.incidents.hands import Hands, Revoke, ServiceHands, Tell
from redan.service.incidents.playbook import opened
from redan.service.monitoring.notice import Notice

if TYPE_CHECKING:
    from redan.core.settings import Settings
    from redan.evidence.store.database import Database
    from redan.service.incidents.incident import Incident
    from redan.service.parts import Parts


def open_desk(parts: Parts, *, revoke: Revoke | None = None, tell: Tell | None = None) -> Desk:
    """Make the desk of a gateway and have it listen to findings; `Desk.start` it, and keep it in ``parts.more``.

    Args:
        parts: the service.
        revoke: takes every credential of a client away; those of the directory where None.
        tell: sends a sentence to people; without it, or without a channel in [alerts], the step ``notify`` fails.

    Raises:
        ConfigError: a playbook is wrong.
        Unreadable: a playbook cannot be read.
    """
    alerts = parts.settings.alerts
    heard = bool(alerts.webhook or alerts.email or alerts.syslog)
    hands: Hands = ServiceHands(
        parts,
        revoke=revoke or partial(revoke_all, parts.database),
        tell=tell if heard else None,
        clients=partial(known_clients, parts.database),
    )
    desk = Desk(
        parts.settings.incidents,
        parts.database,
        opened(parts.settings, parts.root),
        hands,
        collect=collector(parts.settings, parts.root, partial(_models, parts)),
        commit=parts.auditor.commit,
        replica=parts.replica,
    )
    parts.findings.listen(desk.notice)
    parts.more["incidents"] = desk
    return desk


def collector(
    settings: Settings, root: Path, models: Callable[[], list[dict[str, Any]]]
) -> Callable[[Incident], Mapping[str, Any]]:
    """Return what makes bundles of evidence."""
    return lambda incident: evidence.collect(settings, root, incident, models())


def _models(parts: Parts) -> list[dict[str, Any]]:
    """Say what is served: label, role, digest, and the decision that admitted it."""
    return [
        {
            "model": served.label,
            "role": role,
            "sha256": served.digest,
            "decision": None if served.decision is None else json.loads(served.decision.to_json()),
        }
        for served, role in parts.models.all()
    ]


def known_clients(database: Database) -> int:
    """Return how many people and programs the directory knows."""
    from redan.service.identity import tables

    with database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(tables.subjects)).scalar_one())


def revoke_all(database: Database, who: str) -> int:
    """Revoke every key of somebody and make every token and session void; return how many keys were good until now.

    Raises:
        UnknownName: the directory knows nobody of that name.
    """
    from redan.service.identity import directory, keys

    with database.writing() as connection:
        directory.sign_out(connection, who)
        good = [key for key in keys.listed(connection, who) if key.live(directory.now_us())]
        for key in good:
            keys.revoke(connection, key.id)
    return len(good)


def teller(send: Callable[[Notice], None], replica: str) -> Tell:
    """Return what sends a sentence about an incident through the alerts.

    Args:
        send: of the alerts; returns at once, each channel keeps trying by itself.
        replica: name of this one.
    """

    async def tell(incident: Incident, text: str) -> str:
        """Hand a sentence to the alerts."""
        send(
            Notice(
                state="open",
                fingerprint=f"incident-{incident.number}",
                rule=incident.rule,
                threat=incident.threat,
                subject=incident.subject,
                title=f"Incident {incident.number}: {incident.title}",
                detail=text,
                severity=incident.severity,
                at_s=time.time(),
                times=1,
                replica=replica,
            )
        )
        return "the alert channels"

    return tell

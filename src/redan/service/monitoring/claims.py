"""One replica sends an alert, not all of them: whoever writes it into the shared database first.

One that claimed and did not send, because it died or its network did, is relieved by another after `RELIEF_S`. While
the database does not answer everybody sends: an alert that comes twice is better than none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from sqlalchemy import ColumnElement, and_, delete, select, update

from redan.core.settings import age_s
from redan.evidence.store.database import insert_new
from redan.service.monitoring.tables import claims

if TYPE_CHECKING:
    from redan.core.settings_service import Alerts
    from redan.evidence.store.database import Database
    from redan.service.monitoring.notice import Notice

RELIEF_S = 60.0
"""How long a replica may take to send what it claimed."""
KEPT_S = 7 * 86_400
_SLACK = 0.9
"""Replicas found what lasts at different moments; one that comes a little earlier with the next repeat is right."""
Answer = Literal["mine", "sent", "taken"]


class Claims:
    """The claims of one replica; every method blocks and raises EvidenceError when the database does not answer.

    Args:
        database: the service's, which replicas share.
        replica: name of this one.
        window_s: for how long an alert that was sent is not sent again by anybody.
        clock: seconds since the epoch: replicas have no other time in common.
    """

    def __init__(
        self, database: Database, replica: str, window_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self._replica, self._window_us, self._clock = database, replica, window_s * 1e6, clock

    def take(self, channel: str, notice: Notice) -> Answer:
        """Claim an alert: it is ours to send, was sent already, or another replica is about to."""
        now_us, here = int(self._clock() * 1e6), _place(channel, notice)
        row = {"replica": self._replica, "at_us": now_us, "tried_us": now_us, "sent": 0}
        key = {"channel": channel, "fingerprint": notice.fingerprint, "state": notice.state}
        with self._database.writing() as connection:
            # what is resolved may open again, and the other way round
            other = (claims.c.channel == channel) & (claims.c.fingerprint == notice.fingerprint)
            connection.execute(delete(claims).where(other & (claims.c.state != notice.state)))
            connection.execute(delete(claims).where(claims.c.at_us < now_us - int(KEPT_S * 1e6)))
            if insert_new(connection, claims, [{**key, "severity": int(notice.severity), **row}]):
                return "mine"
            found = connection.execute(select(claims).where(here).with_for_update()).one()
            # a clock that was set back must not silence anybody
            if abs(now_us - found.at_us) <= self._window_us:
                if found.sent:
                    return "sent"
                if found.replica != self._replica and abs(now_us - found.tried_us) <= RELIEF_S * 1e6:
                    return "taken"
            connection.execute(update(claims).where(here).values(row))
            return "mine"

    def done(self, channel: str, notice: Notice) -> None:
        """Say that an alert of ours was sent."""
        self._set(channel, notice, sent=1)

    def release(self, channel: str, notice: Notice) -> None:
        """Say that an alert of ours could not be sent, so that another may try."""
        self._set(channel, notice, tried_us=0)

    def _set(self, channel: str, notice: Notice, **values: int) -> None:
        with self._database.writing() as connection:
            own = _place(channel, notice) & (claims.c.replica == self._replica)
            connection.execute(update(claims).where(own).values(values))


def open_claims(settings: Alerts, database: Database, replica: str) -> Claims:
    """Return the claims of a replica; what lasts is sent again by one of them every ``repeat``."""
    return Claims(database, replica, (age_s(settings.repeat) or 0) * _SLACK)


def _place(channel: str, notice: Notice) -> ColumnElement[bool]:
    return and_(
        claims.c.channel == channel,
        claims.c.fingerprint == notice.fingerprint,
        claims.c.state == notice.state,
        claims.c.severity == int(notice.severity),
    )

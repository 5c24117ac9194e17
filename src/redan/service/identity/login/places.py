"""Networks that a person came in from before: there, guesses that others make elsewhere stop nobody.

A network is stored under a pseudonym of person and network together, so that the table tells no addresses.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select, update

from redan.evidence.store.database import insert_new
from redan.service.identity.lockout import network
from redan.service.identity.login.tables import places

if TYPE_CHECKING:
    from redan.service.identity.login.sealing import Sealer

MOST_OF_ONE = 20


def known(connection: Connection, sealer: Sealer, person: str, addr: str) -> bool:
    """Return whether a person came in from the network of an address before."""
    asked = select(places.c.place).where(places.c.place == _place(sealer, person, addr))
    return connection.execute(asked).one_or_none() is not None


def came(connection: Connection, sealer: Sealer, person: str, addr: str) -> None:
    """Remember where a person came in; of many networks those that were used last."""
    place, now_s = _place(sealer, person, addr), time.time()
    insert_new(connection, places, [{"place": place, "person": person, "used_s": now_s}])
    connection.execute(update(places).where(places.c.place == place).values(used_s=now_s))
    mine = select(places.c.place).where(places.c.person == person).order_by(places.c.used_s.desc()).limit(MOST_OF_ONE)
    kept = connection.execute(mine).scalars().all()
    connection.execute(delete(places).where(places.c.person == person, places.c.place.not_in(kept)))


def _place(sealer: Sealer, person: str, addr: str) -> str:
    return sealer.pseudonym(f"{person} at {network(addr)}")

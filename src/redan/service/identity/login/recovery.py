"""Recovery codes: ten, each good once, for whoever lost the second factor.

A code has 80 random bits, so its SHA-256 cannot be guessed back and needs no slow hash.
"""

from __future__ import annotations

import re
import secrets
import time
from base64 import b32encode
from hashlib import sha256

from sqlalchemy import Connection, delete, func, insert, select, update

from redan.service.identity.login.tables import recovery_codes

CODES = 10
_BYTES = 10
_CODE = re.compile(r"[A-Z2-7]{16}", flags=re.ASCII)


def new_codes(connection: Connection, person: str) -> list[str]:
    """Give somebody new codes, in place of any before; they are shown once and stored as digests."""
    connection.execute(delete(recovery_codes).where(recovery_codes.c.person == person))
    codes = [b32encode(secrets.token_bytes(_BYTES)).decode() for _ in range(CODES)]
    connection.execute(insert(recovery_codes), [{"sha256": _digest(person, code), "person": person} for code in codes])
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)).lower() for code in codes]


def take_code(connection: Connection, person: str, code: str) -> bool:
    """Return whether a code is somebody's and was not used; it is used up by this, on every replica."""
    code = re.sub(r"[\s-]", "", code[:64]).upper()
    if not _CODE.fullmatch(code):
        return False
    mine = recovery_codes.c
    used = (
        update(recovery_codes)
        .where(mine.sha256 == _digest(person, code), mine.person == person, mine.used_s.is_(None))
        .values(used_s=time.time())
    )
    return connection.execute(used).rowcount == 1


def codes_left(connection: Connection, person: str) -> int:
    """Return how many codes somebody has left."""
    mine = recovery_codes.c
    return connection.execute(select(func.count()).where(mine.person == person, mine.used_s.is_(None))).scalar_one()


def forget_codes(connection: Connection, person: str) -> None:
    """Take somebody's codes away."""
    connection.execute(delete(recovery_codes).where(recovery_codes.c.person == person))


def _digest(person: str, code: str) -> str:
    return sha256(f"{person}\n{code}".encode()).hexdigest()

"""Seals what must be read again: second factors at rest, and tickets that a browser carries for us.

One random data key lies in the database, wrapped by the key that ``identity.factor_key`` names, so that replicas share
it, a stolen database alone opens nothing, and a key in Vault or the environment works as a file does. AES-256-GCM,
whose associated data name the purpose: what was sealed for one use opens for no other (NIST SP 800-38D).
"""

from __future__ import annotations

import hmac
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, delete, select

from redan.core.errors import EvidenceError, SignatureRefused, Unreadable
from redan.evidence.encryption.sources import key_from, make_key
from redan.evidence.store.database import insert_new
from redan.service.identity.login.tables import data_keys, spent

if TYPE_CHECKING:
    from redan.evidence.store.database import Database

_NAME = "factors"
_NONCE_BYTES = 12
_PSEUDONYM_BYTES = 8
LONGEST_TICKET = 4096
_SHARED = "[identity] factor_key must be the same at every replica: copy it from the first one, or from its backup"


@dataclass(frozen=True, slots=True, eq=False)
class Sealer:
    """Seals, opens and gives pseudonyms under the service's data key."""

    _cipher: AESGCM = field(repr=False)
    _naming_key: bytes = field(repr=False)

    def seal(self, data: bytes, purpose: str) -> str:
        """Return data encrypted and authenticated, as text."""
        nonce = os.urandom(_NONCE_BYTES)
        return _text(nonce + self._cipher.encrypt(nonce, data, purpose.encode()))

    def open(self, sealed: str, purpose: str) -> bytes:
        """Return what was sealed for this purpose.

        Raises:
            SignatureRefused: changed, sealed for another purpose, by another key, or spelt otherwise than it was given
                out: what is good once is known by its text.
        """
        try:
            data = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            if _text(data) != sealed:
                raise ValueError("another spelling")
            return self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError):
            raise SignatureRefused("something sealed was changed, or is of another key or purpose") from None

    def pseudonym(self, text: str) -> str:
        """Return what stands for a text in records: always the same here, and nobody without the key can try texts."""
        return hmac.digest(self._naming_key, text.encode(), sha256)[:_PSEUDONYM_BYTES].hex()

    def ticket(self, content: dict[str, Any], purpose: str, *, ttl_s: float) -> str:
        """Return facts that a browser may carry but neither read nor change, good for some seconds."""
        return self.seal(msgspec.json.encode({"until_s": time.time() + ttl_s, "facts": content}), purpose)

    def facts(self, ticket: str, purpose: str) -> tuple[dict[str, Any], float]:
        """Return a ticket's facts and when it ends.

        Raises:
            SignatureRefused: it is none of ours, was made for another purpose, or is too old.
        """
        if len(ticket) > LONGEST_TICKET:
            raise SignatureRefused("a ticket is longer than any that was given out")
        found = msgspec.json.decode(self.open(ticket, purpose))
        if found["until_s"] < time.time():
            raise SignatureRefused("a ticket is too old")
        return found["facts"], found["until_s"]


def open_sealer(source: str, database: Database, *, root: Path) -> Sealer:
    """Open the service's data key, and make it where there is none yet. Blocks.

    Args:
        source: where the key that wraps it lies, as ``[store] keys``.
        database: the service's.
        root: folder that a relative path starts from.

    Raises:
        ConfigError: the source is none.
        Unreadable: no key is there, or others can read it.
        EvidenceError: the data key was wrapped by another key.
    """
    with database.reading() as connection:
        known = connection.execute(select(data_keys.c.name).where(data_keys.c.name == _NAME)).one_or_none()
    if known is None:
        # a key that is lost is told; a new one in its place would open nothing
        if source.startswith("file:"):
            (root / source.removeprefix("file:")).parent.mkdir(parents=True, exist_ok=True)
        make_key(source, root=root)
    try:
        wrapping = key_from(source, root=root)
    except Unreadable as err:
        if known is None or err.hint:
            raise
        raise Unreadable(f"{err.message}; it seals the second factors in the database", hint=_SHARED) from err
    with database.writing() as connection:
        fresh = wrapping.wrap(AESGCM.generate_key(256), _NAME)
        # two replicas may start at once: one row stays, and both read it
        insert_new(connection, data_keys, [{"name": _NAME, "key_id": wrapping.key_id, "wrapped": fresh}])
        row = connection.execute(select(data_keys).where(data_keys.c.name == _NAME)).one()
    if not wrapping.knows(row.key_id):
        said = (
            f"the second factors in the database are sealed under key {row.key_id}, and {source} is {wrapping.key_id}"
        )
        raise EvidenceError(said, hint=_SHARED)
    return sealer_of(wrapping.unwrap(row.wrapped, _NAME))


def sealer_of(key: bytes) -> Sealer:
    """Return what seals under a data key of 256 bits."""
    return Sealer(AESGCM(key), hmac.digest(key, b"redan pseudonyms", sha256))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def spend(connection: Connection, token: str, until_s: float) -> bool:
    """Use something that is good once; return whether this was the first time.

    What is remembered is bounded by what succeeded in its life: only after everything else about a token was found
    right is it spent, and what ended is forgotten.
    """
    connection.execute(delete(spent).where(spent.c.until_s < time.time()))
    return insert_new(connection, spent, [{"sha256": sha256(token.encode()).hexdigest(), "until_s": until_s}]) == 1

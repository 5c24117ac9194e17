"""Keys that sign tokens: made, registered in the database where every replica finds their public halves, exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, or_, select, update

from redan.core.errors import ConfigError, EvidenceError, Unreadable
from redan.evidence.keys import Signer, generate, load_signer, save
from redan.evidence.store.database import insert_new
from redan.service.identity.changes import TOKEN_KEYS, change
from redan.service.identity.directory import now_us
from redan.service.identity.tables import token_keys
from redan.service.identity.tokens import LONGEST_S, SKEW_S, SigningKey, encoded, heads_of

if TYPE_CHECKING:
    from redan.evidence.store.database import Database
    from redan.service.identity.tokens import Heads


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """What signs tokens here, and what is accepted.

    Attributes:
        signing: the private key of this replica.
        public: keys that are good, by their identifiers.
        heads: `redan.service.identity.tokens.heads_of` them.
    """

    signing: SigningKey
    public: Mapping[str, Ed25519PublicKey]
    heads: Heads


def open_ring(path: Path, database: Database) -> Ring:
    """Read the signing key, which is made at the very first start, and the public keys of all replicas.

    Raises:
        ConfigError: it is no Ed25519 key.
        Unreadable: it cannot be read, or is missing while tokens were signed before.
        EvidenceError: the database does not answer, or the key was revoked.
    """
    with database.reading() as connection:
        first = connection.execute(select(token_keys.c.kid).limit(1)).first() is None
    if not path.exists():
        if not first:
            raise Unreadable(
                f"the key that signs tokens is missing: {str(path)!r}",
                hint="bring it back, or redan identity token rotate",
            )
        make_key(path)
    signer = load_signer(path)
    with database.writing() as connection:
        register(connection, signer)
    ring = read_ring(path, database)
    if ring.signing.kid not in ring.public:
        raise EvidenceError(f"the key {str(path)!r} was revoked", hint="redan identity token rotate")
    return ring


def read_ring(path: Path, database: Database) -> Ring:
    """Read the signing key, and the public keys that are good now.

    Raises:
        ConfigError: it is no Ed25519 key.
        Unreadable: it cannot be read.
        EvidenceError: the database does not answer.
    """
    signing = signing_key(load_signer(path))
    with database.reading() as connection:
        public = accepted(connection)
    return Ring(signing=signing, public=public, heads=heads_of(public))


def make_key(path: Path) -> None:
    """Write a new key that only its owner may read.

    Raises:
        UsageError: it exists, or cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    save(generate("ed25519"), path)


def signing_key(signer: Signer) -> SigningKey:
    """Return a key pair as tokens use it.

    Raises:
        ConfigError: it is no Ed25519 key.
    """
    if not isinstance(signer.private, Ed25519PrivateKey):
        raise ConfigError("[identity] token_key is no Ed25519 key", hint="redan key new token.key --kind ed25519")
    return SigningKey(kid=signer.key_id[:16], private=signer.private)


def register(connection: Connection, signer: Signer) -> None:
    """Let every replica accept what a key signs."""
    signing = signing_key(signer)
    public = raw(signing.private.public_key()).hex()
    row = {"kid": signing.kid, "public": public, "since_us": now_us(), "until_us": None}
    if insert_new(connection, token_keys, [row]):
        change(connection, TOKEN_KEYS)


def accepted(connection: Connection) -> dict[str, Ed25519PublicKey]:
    """Return the public keys that are good now, by their identifiers.

    Raises:
        EvidenceError: a row is no key.
    """
    table = token_keys
    query = select(table.c.kid, table.c.public).where(or_(table.c.until_us.is_(None), table.c.until_us > now_us()))
    try:
        return {
            kid: Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)) for kid, public in connection.execute(query)
        }
    except ValueError as err:
        raise EvidenceError("the database holds a public key for tokens that is none") from err


def rotate(path: Path, database: Database) -> str:
    """Sign with a new key from now on; what the old one signed is good until it ends by itself.

    Returns:
        The new key's identifier.

    Raises:
        UsageError: the new key cannot be written.
        EvidenceError: the database does not answer.
    """
    former = signing_key(load_signer(path)).kid if path.exists() else None
    new = path.with_name(path.name + ".new")
    for left in (new, new.with_name(new.name + ".pub")):
        left.unlink(missing_ok=True)
    make_key(new)
    made = load_signer(new)
    kid = signing_key(made).kid
    with database.writing() as connection:
        change(connection, TOKEN_KEYS)
        register(connection, made)
        ends_us = now_us() + (LONGEST_S + SKEW_S) * 1_000_000
        # with the file lost nobody knows which key it was: every other one ends
        old = token_keys.c.until_us.is_(None) & (
            token_keys.c.kid != kid if former is None else token_keys.c.kid == former
        )
        connection.execute(update(token_keys).where(old).values(until_us=ends_us))
    # registered before it signs: a replica that reads the new file finds it accepted everywhere
    new.replace(path)
    new.with_name(new.name + ".pub").replace(path.with_name(path.name + ".pub"))
    return kid


def revoke(connection: Connection, kid: str) -> bool:
    """Accept nothing any more that a key signed, at once; return whether there was such a key."""
    change(connection, TOKEN_KEYS)
    done = update(token_keys).where(token_keys.c.kid == kid).values(until_us=0).returning(token_keys.c.kid)
    return connection.execute(done).first() is not None


def raw(public: Ed25519PublicKey) -> bytes:
    """Return the 32 bytes of a public key."""
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def jwks(public: Mapping[str, Ed25519PublicKey]) -> dict[str, list[dict[str, str]]]:
    """Return public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": encoded(raw(key)).decode()}
            for kid, key in sorted(public.items())
        ]
    }

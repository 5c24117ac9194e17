"""Short-lived tokens: JSON Web Tokens signed with Ed25519 (RFC 7519, RFC 8037), read through a closed header check.

The header is one of a handful of byte strings, one for each kind of token and key that is good now: whatever names
another algorithm, key or type (RFC 8725, sections 3.1 and 3.11) is in no table and is never parsed. The claims are
accepted only in the one form that `mint` writes: base64 without padding or spare bits, members in order, each once,
none unknown.
"""

from __future__ import annotations

import time
from base64 import b64encode
from binascii import Error, a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Literal

import msgspec
from cryptography.exceptions import InvalidSignature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Kind = Literal["at+jwt", "confirm+jwt"]
"""What a token is for: access (RFC 9068), or to confirm one dangerous act."""
KINDS: tuple[Kind, ...] = ("at+jwt", "confirm+jwt")
LONGEST_S = 86_400
"""No token lives longer, so that what is void need not be remembered longer."""
SKEW_S = 30
"""How far the clocks of replicas may be apart."""
MOST_BYTES = 8192
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_FROM_STANDARD = bytes.maketrans(b"+/", b"-_")


class Claims(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a token says.

    Attributes:
        iss: which gateway signed it.
        sub: `Principal.id`.
        aud: for which gateway it is; the same.
        iat: when it was issued, seconds since the epoch.
        exp: when it ends.
        jti: its identifier.
        scope: what it is narrowed to (`redan.service.identity.scopes`); None: whatever its subject may do.
        key: identifier of the API key that it was exchanged for, with which it ends.
        mfa: when a second factor was shown, seconds since the epoch; 0: never.
        act: the one action that a confirmation confirms.
        res: the one request that a confirmation is for (`redan.service.identity.authority.bound`).
    """

    iss: str
    sub: str
    aud: str
    iat: int
    exp: int
    jti: str
    scope: str | None = None
    key: str = ""
    mfa: int = 0
    act: str = ""
    res: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """The private key that signs.

    Attributes:
        kid: its identifier.
        private: the key; never printed.
    """

    kid: str
    private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"


Heads = Mapping[bytes, "tuple[Kind, Ed25519PublicKey]"]
"""Every header that is accepted, encoded, with what it means."""


class Invalid(Exception):
    """A token that is not accepted; the word says why, for tests and counters, and is never shown to clients.

    Args:
        why: stable word.
        authentic: whether we did sign it, so that it is no guess.
    """

    def __init__(self, why: str, *, authentic: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.authentic = authentic


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Claims).decode


def encoded(data: bytes) -> bytes:
    """Return base64url without padding (RFC 7515, section 2)."""
    return b64encode(data).rstrip(b"=").translate(_FROM_STANDARD)


def decoded(text: bytes) -> bytes:
    """Read base64url; only the one way to write a value is accepted.

    Raises:
        Invalid: it is none.
    """
    if b"=" in text or b"+" in text or b"/" in text:
        raise Invalid("encoding")
    try:
        data = a2b_base64(text.translate(_TO_STANDARD) + b"=" * (-len(text) % 4), strict_mode=True)
    except Error:
        raise Invalid("encoding") from None
    if encoded(data) != text:
        raise Invalid("encoding")
    return data


def head(kind: Kind, kid: str) -> bytes:
    """Return the one header of a kind of token under a key, encoded."""
    return encoded(_encode({"alg": "EdDSA", "kid": kid, "typ": kind}))


def heads_of(public: Mapping[str, Ed25519PublicKey]) -> Heads:
    """Return every header that is accepted with some keys, by their identifiers."""
    return {head(kind, kid): (kind, key) for kid, key in public.items() for kind in KINDS}


def mint(claims: Claims, kind: Kind, key: SigningKey) -> str:
    """Sign claims."""
    signed = head(kind, key.kid) + b"." + encoded(_encode(claims))
    return (signed + b"." + encoded(key.private.sign(signed))).decode()


def issued(
    key: SigningKey,
    issuer: str,
    subject: str,
    ttl_s: int,
    *,
    kind: Kind = "at+jwt",
    scope: str | None = None,
    parent: str = "",
    act: str = "",
    res: str = "",
) -> tuple[str, Claims]:
    """Sign a new token that is good from now on.

    Args:
        key: signs it.
        issuer: name of this gateway.
        subject: for whom.
        ttl_s: seconds until it ends.
        kind: what for.
        scope: narrows it; None: whatever the subject may do.
        parent: identifier of the API key with which it ends.
        act: action that it confirms.
        res: resource that it confirms that for.

    Returns:
        The token and what it says.
    """
    now_s = int(time.time())
    claims = Claims(
        iss=issuer,
        sub=subject,
        aud=issuer,
        iat=now_s,
        exp=now_s + ttl_s,
        jti=token_urlsafe(12),
        scope=scope,
        key=parent,
        act=act,
        res=res,
    )
    return mint(claims, kind, key), claims


def verified(token: bytes, kind: Kind, heads: Heads, *, issuer: str, now_s: float) -> Claims:
    """Return the claims of a token that is good by itself: what was revoked since is for the caller to ask.

    Args:
        token: as it came.
        kind: what it must be for.
        heads: `heads_of` the keys that are good.
        issuer: whose it must be, and for whom.
        now_s: seconds since the epoch.

    Raises:
        Invalid: it is not.
    """
    parts = token.split(b".", 3)
    if len(token) > MOST_BYTES or len(parts) != 3:
        raise Invalid("form")
    found = heads.get(parts[0])
    if found is None:
        raise Invalid("header")
    if found[0] != kind:
        raise Invalid("kind")
    payload, signature = decoded(parts[1]), decoded(parts[2])
    try:
        found[1].verify(signature, token[: -len(parts[2]) - 1])
    except InvalidSignature:
        raise Invalid("signature") from None
    try:
        claims = _decode(payload)
    except msgspec.DecodeError:
        raise Invalid("claims") from None
    if _encode(claims) != payload:
        raise Invalid("claims")
    _require(claims, issuer, now_s)
    return claims


def _require(claims: Claims, issuer: str, now_s: float) -> None:
    if claims.iss != issuer or claims.aud != issuer:
        raise Invalid("audience", authentic=True)
    if claims.iat > now_s + SKEW_S:
        raise Invalid("early", authentic=True)
    if claims.exp <= now_s or not 0 < claims.exp - claims.iat <= LONGEST_S:
        raise Invalid("expired", authentic=True)

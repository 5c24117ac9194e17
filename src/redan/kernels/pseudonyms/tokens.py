"""Tokens: what a value becomes where nothing of its form is to stay.

Without the key a token says nothing about the value but its length in bytes (and for `one_way` not even that), not even
to somebody who can list all values; equal values have equal tokens, so that tables still join. Source: RFC 5297
(AES-SIV, deterministic and authenticated), RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
"""

from __future__ import annotations

import base64
import binascii
import hmac

from redan.core.errors import Unreadable

ONE_WAY_BITS = 160
"""Bits of the digest that a one-way token keeps; two of a billion values share one with a chance below 1e-30."""


def one_way(key: bytes, value: str, *, prefix: str = "") -> str:
    """Return the token of a value under a column's key, 32 characters after the prefix; nothing leads back."""
    digest = hmac.digest(key, value.encode("utf-8", "surrogatepass"), "sha256")[: ONE_WAY_BITS // 8]
    return prefix + _text(digest)


def token(key: bytes, value: str, *, prefix: str = "") -> str:
    """Return a token that `value_of` turns back with the same key of 32, 48 or 64 bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    # AES-SIV refuses an empty plaintext; one leading byte makes every value one
    return prefix + _text(AESSIV(key).encrypt(b"\x00" + value.encode("utf-8", "surrogatepass"), None))


def value_of(key: bytes, text: str, *, prefix: str = "") -> str:
    """Return the value of a token.

    Raises:
        Unreadable: no token, or one that was made with another key or changed; the text is not shown.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    body = text.removeprefix(prefix).upper()
    try:
        sealed = base64.b32decode(body + "=" * (-len(body) % 8))
        return AESSIV(key).decrypt(sealed, None)[1:].decode("utf-8", "surrogatepass")
    except (InvalidTag, binascii.Error, ValueError) as err:
        raise Unreadable("a value is no token of this key and column", hint="give the key it was made with") from err


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()

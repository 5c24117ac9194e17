"""Keys of single columns from one main key, so that equal values of two columns have different pseudonyms.

Source: RFC 5869 (HKDF with SHA-256).
"""

from __future__ import annotations

import hmac

COLUMN_KEY_BYTES = 32
"""Bytes of a column's key, enough for AES-256 and HMAC-SHA-256."""


def column_key(main: bytes, column: str, purpose: str) -> bytes:
    """Return the key of one column for one purpose.

    Args:
        main: main key, at least 32 random bytes.
        column: name of the column; columns that shall link with each other take one name.
        purpose: what it is used for, such as ``ff1`` or ``token``.
    """
    # the extract step of HKDF without salt is an HMAC under zeros; a random main key would not need it, the RFC does
    drawn = hmac.digest(bytes(32), main, "sha256")
    return hmac.digest(drawn, f"redan/pseudonyms/1\0{purpose}\0{column}".encode() + b"\x01", "sha256")

"""What a format lets one check without asking its provider: checksums, alphabets, decoded structure, randomness."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from collections import Counter
from itertools import pairwise
from typing import Any

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FILLER = re.compile(r"(.)\1{5,}|x{5,}|X{5,}|0123456|1234567|abcdefg|ABCDEFG|EXAMPLE|example|YOUR|your[-_]")
_SAMPLE_SUBJECT = "1234567890"


def base62_crc32(token: str) -> bool:
    """Tell whether the last six characters are the CRC-32 of those between the prefix and them, in base 62.

    Source: GitHub's description of its token formats (2021); npm uses the same.
    """
    body = token.rpartition("_")[2]
    number, digits = zlib.crc32(body[:-6].encode()), ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits.rjust(6, "0") == body[-6:]


def decoded64(text: str) -> bytes | None:
    """Return the bytes behind base64 of either alphabet with or without padding, or None."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None


def macaroon(token: str) -> bool:
    """Tell whether a PyPI token decodes to a macaroon of pypi.org or test.pypi.org."""
    data = decoded64(token.partition("-")[2])
    return data is not None and b"pypi.org" in data[:32]


def web_token(token: str) -> bool:
    """Tell whether the header of a JSON Web Token names an algorithm, and its subject is not the one of examples."""
    header, _, rest = token.partition(".")
    table = _json(header)
    claims = _json(rest.partition(".")[0])
    return "alg" in table and claims.get("sub") != _SAMPLE_SUBJECT


def neptune(token: str) -> bool:
    """Tell whether a token decodes to JSON that names the address of an API."""
    return any("api" in str(key) for key in _json(token))


def _json(text: str) -> dict[Any, Any]:
    data = decoded64(text)
    try:
        found = json.loads(data) if data else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def entropy(text: str) -> float:
    """Return the Shannon entropy of the characters, bits each."""
    n = len(text)
    return -sum(count / n * math.log2(count / n) for count in Counter(text).values()) if n else 0.0


def random_like(body: str) -> bool:
    """Tell whether a token's body is no filler: runs, counting, ``EXAMPLE``, or few different characters."""
    if _FILLER.search(body):
        return False
    return len(set(body)) >= min(8, len(body) // 2)


def scrambled(text: str) -> bool:
    """Tell whether letters and digits, or capitals and small letters, change places as no word has them."""
    if any(sign.isdigit() for sign in text):
        return not text.isdigit()
    changes = sum(one.isupper() != other.isupper() for one, other in pairwise(text))
    return changes * 4 >= len(text)

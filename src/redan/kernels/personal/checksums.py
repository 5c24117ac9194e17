"""Check digits of identifiers, on strings of digits and letters without separators.

Sources: ISO/IEC 7812-1 annex B (Luhn), ISO 7064 (mod 97, mod 11-10), Verhoeff (1969), BIP 13, 173 and 350 (addresses
of Bitcoin), and the issuers' own rules where a function names one.
"""

from __future__ import annotations

from collections.abc import Sequence

_SQUARE = ("0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
           "5987604321", "6598710432", "7659821043", "8765932104", "9876543210")  # fmt: skip
_TURNS = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_TURNS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_ENDS = (1, 0x2BC830A3)


def digits(text: str) -> str:
    """Return the ASCII digits of a text."""
    return "".join(sign for sign in text if "0" <= sign <= "9")


def plain(text: str) -> str:
    """Return the ASCII letters, in upper case, and digits of a text."""
    return "".join(sign for sign in text.upper() if sign.isascii() and sign.isalnum())


def weighted(text: str, weights: Sequence[int]) -> int:
    """Return the sum of digits times weights; digits beyond the weights are left out."""
    return sum(int(sign) * weight for sign, weight in zip(text, weights, strict=False))


def luhn(text: str) -> bool:
    """Tell whether the last digit is the Luhn digit of the others."""
    total = 0
    for place, sign in enumerate(reversed(text)):
        number = int(sign) * (1 + place % 2)
        total += number - 9 * (number > 9)
    return total % 10 == 0


def verhoeff(text: str) -> bool:
    """Tell whether the last digit is the Verhoeff digit of the others."""
    state = 0
    for place, sign in enumerate(reversed(text)):
        state = int(_SQUARE[state][int(_TURNS[place % 8][int(sign)])])
    return state == 0


def mod97(text: str) -> bool:
    """Tell whether letters as 10 to 35 and digits make a number that leaves 1 over 97 (ISO 7064 MOD 97-10)."""
    return int("".join(str(int(sign, 36)) for sign in text)) % 97 == 1


def mod11_10(text: str) -> bool:
    """Tell whether the last digit is right by ISO 7064 MOD 11,10 (German tax and VAT numbers)."""
    rest = 10
    for sign in text[:-1]:
        rest = ((int(sign) + rest) % 10 or 10) * 2 % 11
    return (11 - rest) % 10 == int(text[-1])


def icao(text: str) -> bool:
    """Tell whether the last digit is right by weights 7, 3, 1 (ICAO 9303 part 3; German identity documents)."""
    total = sum(int(sign, 36) * (7, 3, 1)[place % 3] for place, sign in enumerate(text[:-1]))
    return text[-1].isdigit() and total % 10 == int(text[-1])


def base58(text: str) -> bool:
    """Tell whether the last four of 25 bytes are the double SHA-256 of the others (Base58Check)."""
    from hashlib import sha256

    if any(sign not in _BASE58 for sign in text):
        return False
    number = 0
    for sign in text:
        number = number * 58 + _BASE58.index(sign)
    if number >> 200:
        return False
    raw = number.to_bytes(25, "big")
    return sha256(sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def bech32(text: str) -> bool:
    """Tell whether the checksum of a segwit address is right (Bech32 and Bech32m)."""
    head, _, body = text.lower().rpartition("1")
    if len(body) < 6 or any(sign not in _BECH32 for sign in body) or text not in (text.lower(), text.upper()):
        return False
    values = [ord(sign) >> 5 for sign in head] + [0] + [ord(sign) & 31 for sign in head]
    state = 1
    for value in values + [_BECH32.index(sign) for sign in body]:
        top, state = state >> 25, (state & 0x1FFFFFF) << 5 ^ value
        for place, turn in enumerate(_BECH32_TURNS):
            state ^= turn if top >> place & 1 else 0
    return state in _BECH32_ENDS


def a_date(year: int, month: int, day: int) -> bool:
    """Tell whether a day exists; years of two digits are tried in both centuries."""
    from datetime import date

    for century in (0,) if year > 99 else (1900, 2000):
        try:
            date(century + year, month, day)
        except ValueError:
            continue
        return True
    return False

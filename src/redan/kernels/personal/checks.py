"""Checksums and ranges of identifiers.

Sources: ISO 13616 (IBAN), ISO/IEC 7812 (cards), SSA and HMRC on their numbers, ICAO 9303 part 3 (passports).
"""

from __future__ import annotations

import ipaddress

_IBAN_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI NL", 19: "SI", 20: "AT BA EE LT LU", 21: "CH HR LI LV",
    22: "BG DE GB GE IE RS", 23: "AE IL", 24: "AD CZ ES RO SA SE SK", 25: "PT", 26: "IS TR",
    27: "FR GR IT MC SM", 28: "AL CY HU PL", 29: "UA", 31: "MT",
}  # fmt: skip
_TEST_CARDS = frozenset({"4111111111111111", "4242424242424242", "5555555555554444", "378282246310005"})
_SAMPLE_SSN = frozenset({"078-05-1120", "123-45-6789", "219-09-9999", "111-11-1111"})
_NO_NINO = frozenset({"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"})


def iban(text: str) -> bool:
    """Tell whether length and check digits (modulo 97) are right."""
    flat = text.replace(" ", "").upper()
    if flat[:2] not in _IBAN_LENGTHS.get(len(flat), ""):
        return False
    return int("".join(str(int(sign, 36)) for sign in flat[4:] + flat[:4])) % 97 == 1


def card(text: str) -> bool:
    """Tell whether issuer range, length and the Luhn digit are right, and it is no number of documentation."""
    flat = "".join(sign for sign in text if sign.isdigit())
    if flat in _TEST_CARDS or len(set(flat)) < 4 or not _issued(flat):
        return False
    doubled = [int(sign) * (1 + place % 2) for place, sign in enumerate(reversed(flat))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


def _issued(flat: str) -> bool:
    two, four = int(flat[:2]), int(flat[:4])
    if len(flat) == 15:
        return two in (34, 37)
    return len(flat) == 16 and (
        flat[0] == "4" or 51 <= two <= 55 or 2221 <= four <= 2720 or four == 6011 or two in (35, 65)
    )


def us_ssn(text: str) -> bool:
    """Tell whether the number lies in ranges that are issued."""
    area, group, serial = text.split("-")
    issued = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
    return issued and text not in _SAMPLE_SSN


def uk_nino(text: str) -> bool:
    """Tell whether the prefix is one that is issued."""
    return text[:2] not in _NO_NINO


def mrz(line: str) -> bool:
    """Tell whether the check digits of the second line of a passport are right."""
    fields = ((line[0:9], line[9]), (line[13:19], line[19]), (line[21:27], line[27]))
    return all(digit == str(_weighted(text)) for text, digit in fields)


def _weighted(text: str) -> int:
    values = (0 if sign == "<" else int(sign, 36) for sign in text)
    return sum(value * (7, 3, 1)[place % 3] for place, value in enumerate(values)) % 10


def public_ip(text: str) -> bool:
    """Tell whether it is an address of the open internet."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_global and not text.endswith((".0", ".255"))

"""Cards, accounts and wallets.

Sources: ISO/IEC 7812 and the issuers' ranges, the SWIFT registry of IBAN structures (ISO 13616), Bitcoin's address
formats.
"""

from __future__ import annotations

import re
from functools import cache

from redan.kernels.personal.checksums import base58, bech32, digits, luhn, mod97, plain
from redan.kernels.personal.formats.format import Format

_STRUCTURES = (
    "AD8n12c AE19n AL8n16c AT16n AZ4a20c BA16n BE12n BG4a6n8c BH4a14c BI23n BR23n1a1c BY4c4n16c CH5n12c CR18n CY8n16c"
    " CZ20n DE18n DJ23n DK14n DO4c20n EE16n EG25n ES20n FI14n FK2a12n FO14n FR10n11c2n GB4a14n GE2a16n GI4a15c GL14n"
    " GR7n16c GT4c20c HR17n HU24n IE4a14n IL19n IQ4a15n IS22n IT1a10n12c JO4a4n18c KW4a22c KZ3n13c LB4n20c LC4a24c"
    " LI5n12c LT16n LU3n13c LV4a13c LY21n MC10n11c2n MD2c18c ME18n MK3n10c2n MN16n MR23n MT4a5n18c MU4a19n3a NI4a20n"
    " NL4a10n NO11n OM3n16c PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n RU14n15c SA2n18c SC4a20n3a SD14n SE20n"
    " SI15n SK20n SM1a10n12c SO19n ST21n SV4a20n TL19n TN20n TR6n16c UA6n19c VA18n VG4a16n XK16n YE4a4n18c"
)
_SIGNS = {"n": r"\d", "a": "[A-Z]", "c": "[A-Z0-9]"}


@cache
def _countries() -> dict[str, tuple[int, re.Pattern[str]]]:
    """Return country → length and expression of its account numbers."""
    found = {}
    for entry in _STRUCTURES.split():
        parts = re.findall(r"(\d+)([nac])", entry[2:])
        form = r"\d\d" + "".join(f"{_SIGNS[sign]}{{{length}}}" for length, sign in parts)
        found[entry[:2]] = (4 + sum(int(length) for length, _ in parts), re.compile(form))
    return found


def iban(text: str) -> int:
    """Return how many characters of a text are an account number whose structure and check digits are right."""
    if text not in (text.upper(), text.lower()) and any(sign.islower() for sign in text[:8]):
        return 0
    length, form = _countries().get(text[:2].upper(), (0, None))
    if form is None:
        return 0
    seen = 0
    for place, sign in enumerate(text):
        seen += sign.isalnum()
        if seen == length:
            flat = plain(text[: place + 1])
            is_whole = place + 1 == len(text) or not text[place + 1].isalnum()
            return place + 1 if is_whole and form.fullmatch(flat[2:]) and mod97(flat[4:] + flat[:4]) else 0
    return 0


def _lengths(flat: str) -> range | tuple[int, ...]:
    """Return which lengths the issuer of a card number uses."""
    two, four = int(flat[:2]), int(flat[:4])
    if flat[0] == "4":
        return (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return (16,)
    if two in (34, 37):
        return (15,)
    if 300 <= int(flat[:3]) <= 305 or two in (36, 38, 39):
        return (14, 16)
    if 3528 <= four <= 3589:
        return (16, 19)
    if flat[0] == "6" or two in (50, 56, 57, 58):
        return range(12, 20)
    return (15,) if flat[0] == "1" or four == 2131 else ()


def card(text: str) -> bool:
    """Tell whether issuer range, length and the Luhn digit are right."""
    flat = digits(text)
    return len(set(flat)) > 1 and len(flat) in _lengths(flat) and luhn(flat)


def wallet(text: str) -> bool:
    """Tell whether the checksum of a Bitcoin address is right."""
    return bech32(text) if text[:3].lower() == "bc1" else base58(text)


FORMATS = (
    Format(
        kind="card", title="payment card", heads=r"9{12,19}|9{4}[ -]9", check=card, is_checksum=True,
        form=(
            r"\d{12,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5}"
        ),
        words="card visa mastercard amex credit",
    ),
    Format(
        kind="iban", title="bank account (IBAN)", heads="AA99[A9]{0,30}", fit=iban, is_checksum=True,
        form=r"[A-Z]{2}\d\d[A-Z0-9]{11,30}|[A-Z]{2}\d\d(?:[ -]?[A-Z0-9]{1,4}){3,8}", words="iban account bank",
    ),
    Format(
        kind="crypto", title="cryptocurrency address", heads="[A9]{26,62}", check=wallet, is_checksum=True,
        form=r"bc1[a-z0-9]{11,59}|[13][a-z0-9]{25,34}", words="wallet bitcoin btc",
    ),
)  # fmt: skip

"""Identifiers of the United Kingdom.

Sources: NHS data dictionary (modulus 11), HMRC NIM39110 (national insurance), DVLA (licences and marks since 1932),
Royal Mail (postcodes), HM Passport Office.
"""

from __future__ import annotations

import re

from redan.kernels.personal.checksums import digits, weighted
from redan.kernels.personal.formats.format import Format

_NO_NINO = frozenset({"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"})
_SURNAME = re.compile(r"[A-Z]+9*")


def nhs(text: str) -> bool:
    """Tell whether the weighted sum of ten digits is a multiple of 11."""
    flat = digits(text)
    return int(flat) > 0 and weighted(flat, range(10, 0, -1)) % 11 == 0


def nino(text: str) -> bool:
    """Tell whether the prefix is one that is issued."""
    return text[:2].upper() not in _NO_NINO


def licence(text: str) -> bool:
    """Tell whether the surname is letters filled up with nines, and the day of birth can be one."""
    return bool(_SURNAME.fullmatch(text[:5].upper()))


def mark(text: str) -> bool:
    """Tell whether the age of a mark since 2001 has been issued."""
    flat = re.sub(r"\W", "", text)
    if len(flat) != 7 or not (flat[:2].isalpha() and flat[2:4].isdigit()):
        return True
    return 2 <= int(flat[2:4]) <= 29 or 51 <= int(flat[2:4]) <= 79


_INWARD = r" ?\d[ABD-HJLNP-UW-Z]{2}"

FORMATS = (
    Format(
        kind="uk-nhs", title="UK health service number (NHS)", heads=r"9{10}|9{3}[- ]9",
        form=r"\d{3}[- ]?\d{3}[- ]?\d{4}",
        check=nhs, words="nhs health",
    ),
    Format(
        kind="uk-nino", title="UK national insurance number", heads=r"AA9{6}A?|AA99 9|99 9|9{6}A?", lead=3, check=nino,
        form=r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", formed=r"(?-i:[A-Z]{2}).+",
        words="insurance nino ni",
    ),
    Format(
        kind="uk-passport", title="UK passport number", heads="AA9{7}", form=r"[A-Z]{2}\d{7}",
        words="passport passports travel hmpo",
    ),
    Format(
        kind="uk-postcode", title="UK postcode", heads="A{1,2}9{1,2}A?|A{1,2}9{1,2}A?9AA|A{3}9AA|9AA", lead=4,
        form=(
            rf"GIR ?0AA|[A-PR-UWYZ]\d[A-HJKPSTUW]?{_INWARD}|[A-PR-UWYZ]\d\d{_INWARD}"
            rf"|[A-PR-UWYZ][A-HK-Y]\d[ABEHMNPRV-Y]?{_INWARD}|[A-PR-UWYZ][A-HK-Y]\d\d{_INWARD}"
        ),
        words="postcode postal address zip", is_person=False,
    ),
    Format(
        kind="uk-driving-licence", title="UK driving licence number", heads="A[A9]{15}", check=licence,
        form=r"[A-Z9]{5}\d(?:0[1-9]|1[0-2]|5[1-9]|6[0-2])(?:0[1-9]|[12]\d|3[01])\d[A-Z9]{2}[A-Z0-9][A-Z]{2}",
        formed=r".+", words="licence dvla driving",
    ),
    Format(
        kind="uk-plate", title="UK vehicle registration", heads="AA99(?:AAA)?|A9{1,3}(?:AAA)?|A{3}9{1,3}A|9{1,3}A",
        lead=4,
        form=(
            r"[A-HJ-PR-Y]{2}(?:0[1-9]|[1-7]\d)[- ]?[A-HJ-PR-Z]{3}|[A-HJ-NPR-TV-Y]\d{1,3}[- ]?[A-HJ-PR-Y][A-HJ-PR-Z]{2}"
            r"|[A-HJ-PR-Z]{3}[- ]?\d{1,3}[- ]?[A-HJ-NPR-TV-Y]"
        ),
        check=mark, words="vehicle registration plate reg vrn car", is_person=False,
    ),
)  # fmt: skip

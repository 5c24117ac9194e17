"""One piece of personal data: which kind, and where."""

from __future__ import annotations

from dataclasses import field

from redan.core.record import dataclass

TITLES = {
    "email": "e-mail address",
    "phone": "phone number",
    "iban": "bank account (IBAN)",
    "card": "payment card",
    "us-ssn": "US social security number",
    "uk-nino": "UK national insurance number",
    "ip": "IP address of a person",
    "mrz": "passport line",
    "birth": "date of birth",
    "position": "GPS position",
    "record": "column about a person",
}
"""Kind → what it is, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """One value.

    Attributes:
        kind: key of `TITLES`.
        start: offset of its first character.
        end: offset after its last one.
        value: the characters.
        is_checked: a checksum was verified.
    """

    kind: str
    start: int
    end: int
    value: str = field(repr=False)
    is_checked: bool = False


def masked(value: str) -> str:
    """Return the first character and the shape of the rest: ``j…@…`` for an address."""
    flat = " ".join(value.split())
    return f"{flat[:1]}…@…" if "@" in flat else f"{flat[:1]}… ({len(flat)} characters)"

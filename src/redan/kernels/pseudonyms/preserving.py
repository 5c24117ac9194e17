"""Encrypt the letters or digits of a text and leave its punctuation: ``536-22-8726`` becomes another such number."""

from __future__ import annotations

from redan.core.errors import ShapeMismatch, UnknownName
from redan.kernels.pseudonyms.ff1 import FF1, LEAST_DOMAIN

ALPHABETS = {
    "digits": "0123456789",
    "lower": "0123456789abcdefghijklmnopqrstuvwxyz",
    "upper": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "alphanumeric": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
}
"""Name → characters, in the order of their numerals."""


class Preserving:
    """FF1 over the characters of one alphabet; others stay where they are."""

    def __init__(self, key: bytes, alphabet: str) -> None:
        """Prepare the cipher; Raises `UnknownName` for an alphabet and what `FF1` raises."""
        if alphabet not in ALPHABETS:
            raise UnknownName.among("alphabet", alphabet, [*ALPHABETS])
        self._signs = ALPHABETS[alphabet]
        self._place = {sign: place for place, sign in enumerate(self._signs)}
        self._cipher = FF1(key, len(self._signs))

    def encrypt(self, text: str, tweak: bytes = b"") -> str:
        """Return a text of the same form.

        Raises:
            ShapeMismatch: too few characters of the alphabet for a domain of a million; it does not show the text.
        """
        return self._through(text, tweak, decrypt=False)

    def decrypt(self, text: str, tweak: bytes = b"") -> str:
        """Return what was encrypted with the same key and tweak; Raises as `encrypt`."""
        return self._through(text, tweak, decrypt=True)

    def _through(self, text: str, tweak: bytes, *, decrypt: bool) -> str:
        places = [place for place, sign in enumerate(text) if sign in self._place]
        if len(self._signs) ** len(places) < LEAST_DOMAIN:
            raise ShapeMismatch(
                f"a value with {len(places)} characters of this alphabet has fewer than {LEAST_DOMAIN:,} forms",
                hint="use tokens for short values, which need no such domain",
            )
        numerals = [self._place[text[place]] for place in places]
        changed = (self._cipher.decrypt if decrypt else self._cipher.encrypt)(numerals, tweak)
        signs = [*text]
        for place, numeral in zip(places, changed, strict=True):
            signs[place] = self._signs[numeral]
        return "".join(signs)

"""Letters that look alike, keys that lie side by side, signs that nobody sees; and the way back to plain text.

Sources: Unicode Technical Standard 39, "Unicode security mechanisms", section 4 (skeletons); Boucher, Shumailov,
Anderson & Papernot 2022, "Bad characters: imperceptible NLP attacks". The pairs below are our own choice of letters
that common fonts draw alike.
"""

from __future__ import annotations

import unicodedata

LOOKS: dict[str, str] = {
    "a": "а", "c": "с", "d": "ԁ", "e": "е", "h": "һ", "i": "і", "j": "ј", "l": "ӏ", "o": "о", "p": "р",
    "q": "ԛ", "s": "ѕ", "u": "υ", "v": "ν", "w": "ԝ", "x": "х", "y": "у",
    "A": "А", "B": "В", "C": "С", "E": "Е", "H": "Н", "I": "І", "J": "Ј", "K": "К", "M": "М", "N": "Ν",
    "O": "О", "P": "Р", "S": "Ѕ", "T": "Т", "X": "Х", "Y": "Υ", "Z": "Ζ",
}  # fmt: skip
"""Latin letter → a Cyrillic or Greek one that looks like it."""
MORE_LOOKS: dict[str, str] = {
    "ɑ": "a", "ο": "o", "ι": "i", "κ": "k", "ρ": "p", "τ": "t", "ϲ": "c", "ѵ": "v", "ɡ": "g", "ո": "n", "ꓲ": "I",
    "Α": "A", "Β": "B", "Ε": "E", "Η": "H", "Ι": "I", "Κ": "K", "Μ": "M", "Ο": "O", "Ρ": "P", "Τ": "T", "Χ": "X",
    "У": "Y", "Ԍ": "G", "Ꮃ": "W", "Ꮩ": "V", "ı": "i", "ǃ": "!", "‘": "'", "’": "'", "ʼ": "'",
}  # fmt: skip
"""Further letters → the Latin one; a defender knows more of them than one attacker uses."""
HIDDEN = (
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\u034f\u061c"
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""Signs without width, and signs that turn the direction of writing."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_PLAIN = str.maketrans({**{look: plain for plain, look in LOOKS.items()}, **MORE_LOOKS, **dict.fromkeys(HIDDEN, "")})


def _beside() -> dict[str, str]:
    found: dict[str, str] = {}
    for number, row in enumerate(_ROWS):
        for at, key in enumerate(row):
            near = row[max(0, at - 1) : at] + row[at + 1 : at + 2]
            for other in (number - 1, number + 1):
                if 0 <= other < len(_ROWS):
                    near += _ROWS[other][max(0, at - (other > number)) : at + 1 + (other < number)]
            found[key] = near
    return found


BESIDE = _beside()
"""Letter → letters on neighbouring keys of an English keyboard."""


def plain(text: str) -> str:
    """Return a text in compatibility form (NFKC) with hidden signs gone and look-alikes as Latin letters.

    Words of another script stay as they are: a word is rewritten only where all of its letters become Latin.
    """
    normal = unicodedata.normalize("NFKC", text)
    if normal.isascii():
        return normal
    return "".join(_plain_word(part) for part in _parts(normal))


def _plain_word(word: str) -> str:
    rewritten = word.translate(_PLAIN)
    if rewritten.isascii() or any(sign in "abcdefghijklmnopqrstuvwxyz" for sign in word.lower()):
        return rewritten
    return "".join(sign for sign in word if sign not in HIDDEN)


def _parts(text: str) -> list[str]:
    parts, word = [], ""
    for sign in text:
        if sign.isspace():
            parts += [word, sign]
            word = ""
        else:
            word += sign
    return [*parts, word]

"""Passwords that are guessed first: words that people build them of, and the habits they build them by.

Lists of leaked passwords agree on a few patterns: a common word with digits and signs at its ends, letters written as
digits, keys beside each other, one thing repeated. So the words are listed and the habits are undone before looking;
the list is ours, short, and no substitute for a second factor.
"""

from __future__ import annotations

import re
from itertools import pairwise

_TEXT = """
password passwort passwd motdepasse contrasena contraseña senha parola haslo wachtwoord geheim secret
admin administrator root user guest test demo default changeme letmein welcome willkommen login access master
superuser system server gateway redan machine learning model company office internet computer
qwerty qwertz azerty asdf asdfgh asdfghjkl zxcvbn zxcvbnm qwertyuiop qazwsx qazwsxedc abc abcd abcdef abcdefg
iloveyou love sunshine princess dragon monkey football baseball soccer superman batman shadow michael jennifer
jordan hunter ranger buster killer charlie thomas daniel jessica ashley nicole hello hallo freedom whatever trustno
starwars pokemon matrix ninja mustang harley cookie flower summer sommer winter spring autumn herbst
january february march april june july august september october november december
monday tuesday wednesday thursday friday saturday sunday berlin london paris madrid moscow newyork
liverpool chelsea arsenal barcelona correcthorsebatterystaple
"""
_WORDS = frozenset(_TEXT.split())
_LEET = str.maketrans("013457@$!", "oieastasi")
_ROWS = ("1234567890", "0987654321", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop")


def is_common(password: str, *own: str) -> bool:
    """Return whether a guesser tries this among the first.

    Args:
        password: as it was typed.
        own: words that belong to the person or place, such as the login name.
    """
    plain = password.casefold()
    words = _WORDS | {word.casefold() for word in own if len(word) >= 3}
    shapes = {plain, re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain)}
    shapes |= {shape.translate(_LEET) for shape in shapes}
    shapes |= {re.sub(r"[\W\d_]+", "", shape) for shape in shapes}
    rests = [plain.replace(word.casefold(), "") for word in own if len(word) >= 3 and word.casefold() in plain]
    if any(not re.search(r"[^\W\d_]", rest) for rest in rests):
        return True
    return any(not shape or _repeats(shape, words) for shape in shapes) or len(set(plain)) <= 4 or _row(plain)


def _repeats(shape: str, words: frozenset[str]) -> bool:
    """Return whether it is made of listed words and nothing else, up to four of them."""
    reached = {0}
    for _ in range(4):
        reached = {
            at + len(word) for at in reached for word in words if word and shape.startswith(word, at)
        }  # bounded: a password has at most 256 characters
        if len(shape) in reached:
            return True
    return False


def _row(plain: str) -> bool:
    """Return whether it walks along keys or the alphabet, at once or again and again."""
    steps = sum(any(pair in row for row in _ROWS) for pair in map("".join, pairwise(plain)))
    return steps >= 0.8 * (len(plain) - 1)

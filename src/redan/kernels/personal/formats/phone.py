"""Phone numbers, international and national, without a library of numbering plans.

Sources: ITU-T E.164 (country codes, at most 15 digits), NANPA (area and exchange codes), the national plans of the
countries named below. A number is possible by its plan, not assigned by it.
"""

from __future__ import annotations

import re

from redan.kernels.personal.checksums import digits
from redan.kernels.personal.formats.format import Format

LONGEST = 15
"""Digits of a number with its country code (E.164)."""

_CODE_NAMES = (
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 "
    "82 84 86 90 91 92 93 94 95 98 "
)
_CODES = frozenset(_CODE_NAMES.split())
_LENGTHS = {
    "1": (10, 10), "7": (10, 10), "20": (8, 10), "27": (9, 9), "30": (10, 10), "31": (9, 9), "32": (8, 9), "33": (9, 9),
    "34": (9, 9), "36": (8, 9), "39": (6, 11), "41": (9, 9), "43": (5, 13), "44": (9, 10), "45": (8, 8), "46": (7, 10),
    "47": (8, 8), "48": (9, 9), "49": (6, 11), "52": (10, 10), "55": (10, 11), "61": (9, 9), "81": (9, 10),
    "86": (9, 11), "90": (10, 10), "91": (10, 10),
}  # fmt: skip
_AMERICAN = re.compile(r"1?[2-9](?:0\d|1[02-9]|[2-8]\d)[2-9](?!11)\d{6}")
_ISRAEL = re.compile(r"0(?:[23489]\d{7}|5\d{8}|7[2-9]\d{7})")
_INDIA = re.compile(r"0?[6-9]\d{9}")
_BRAZIL = re.compile(r"0?[1-9]{2}(?:9\d{8}|[2-5]\d{7})")
_EUROPE = re.compile(r"0[1-9]\d{7,9}")
_GROUPS = re.compile(r"\d+")
_ENDS = re.compile(r"\d\)?(?![A-Za-z0-9_])")
_EXTENSION = re.compile(r" ?(?:x|ext\.?) ?\d{1,6}\Z", re.IGNORECASE)
_DATES = re.compile(r"(?:19|20)\d\d[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](?:19|20)\d\d")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


def _abroad(flat: str) -> bool:
    """Tell whether a number with its country code is possible."""
    for length in (1, 2, 3):
        code, rest = flat[:length], flat[length:]
        if code in _CODES or length == 3:
            if flat[0] == "0" or len(flat) > LONGEST:
                return False
            if rest.startswith("0") and code != "39":
                rest = rest[1:]
            least, most = _LENGTHS.get(code, (6, 12))
            return least <= len(rest) <= most and (code != "1" or bool(_AMERICAN.fullmatch(rest)))
    return False


def _national(text: str, flat: str) -> bool:
    """Tell whether a number without country code is possible in the plans of America, Europe, Israel, India, Brazil."""
    sizes = [len(group) for group in _GROUPS.findall(text)]
    if _AMERICAN.fullmatch(flat):
        return len(sizes) == 1 or sizes[-2:] == [3, 4] or sizes in ([3, 7], [1, 3, 7])
    if _INDIA.fullmatch(flat):
        return len(sizes) == 1 or sizes in ([5, 5], [4, 6], [4, 3, 3], [3, 3, 4], [3, 4, 3])
    if _ISRAEL.fullmatch(flat) or _EUROPE.fullmatch(flat):
        return len(sizes) <= 6
    return bool(_BRAZIL.fullmatch(flat)) and (len(sizes) == 1 or sizes[-1] == 4)


def possible(text: str) -> bool:
    """Tell whether a text with a phone's punctuation can be a number."""
    flat = digits(text)
    if not 7 <= len(flat) <= LONGEST + 2 or len(set(flat)) < 2 or _DATES.fullmatch(text) or _ADDRESS.fullmatch(text):
        return False
    if text.lstrip("(").startswith("+"):
        return _abroad(flat)
    return _abroad(flat[2:]) if flat.startswith("00") else _national(text, flat)


def phone(text: str) -> int:
    """Return how many characters of a text are the longest possible number that it starts with."""
    if (more := _EXTENSION.search(text)) and possible(text[: more.start()]):
        return len(text)
    ends = [match.end() for match in _ENDS.finditer(text)]
    for end in reversed(ends):
        value = text[:end]
        if value.count("(") == value.count(")") and possible(value):
            return end
    return 0


def called(text: str) -> int:
    """Return how many characters are a number in groups, for places where a word says that it is a phone's."""
    if found := phone(text):
        return found
    size = len(digits(text))
    in_groups = len(_GROUPS.findall(text)) > 1 and text.count("(") == text.count(")")
    return len(text) if 6 <= size <= LONGEST and in_groups and not (_DATES.match(text) or _ADDRESS.match(text)) else 0


_FORM = r"(?=(?:\D{0,3}\d){6})\(?\+?\(?\d{1,5}\)?(?:[ .\-/\u00a0]{0,2}\(?\d{1,8}\)?){0,7}(?: ?(?:x|ext\.?) ?\d{1,6})?"
_HEADS = r"9{6,15}|9{1,7}[ .\-/)\u00a0][9( \-)]|9{7,12}A9{1,6}"
_FORMED = (
    r"\(?\+.+|\(\d{3}\) ?\d{3}-\d{4}|[2-9]\d\d([-. ])\d{3}\1\d{4}|1-\d{3}-\d{3}-\d{4}|0\d{1,4}[ /-]\d.+"
    r"|\d{5} \d{5}"
)
_WORDS = (
    "phone phones telephone tel mobile cell cellphone call calling called fax ring telefon handy whatsapp sms office"
    " answering dial reach"
)
FORMATS = (
    Format(
        kind="phone", title="phone number", heads=_HEADS, form=_FORM, fit=phone, lead=3, joins="+(", formed=_FORMED,
        words=f"{_WORDS} number contact text",
    ),
    Format(
        kind="phone", title="phone number", heads=_HEADS, form=_FORM, fit=called, lead=3, joins="+(", words=_WORDS,
    ),
)  # fmt: skip

"""Licence texts: told apart into SPDX expressions and other words. Source: SPDX specification 2.3, annex D."""

from __future__ import annotations

import re

_WORDS = re.compile(r"\(|\)|[^\s()]+")
_IDENTIFIER = re.compile(r"(?:LicenseRef-|DocumentRef-[\w.-]+:LicenseRef-)[\w.-]+|[A-Za-z0-9][\w.-]*-\d[\w.-]*\+?")
_UNNUMBERED = frozenset(
    {
        "MIT", "ISC", "Zlib", "Unlicense", "WTFPL", "HPND", "NCSA", "X11", "PostgreSQL", "Beerware", "Libpng", "curl",
        "JSON", "Ruby", "Vim", "Xnet", "ICU", "Intel", "FTL", "BSL-1.0", "0BSD", "MIT-CMU", "CNRI-Python", "MulanPSL",
        "Info-ZIP", "libtiff", "bzip2", "Python",
    }
)  # fmt: skip
LONGEST = 500
"""Characters of an expression; a longer text is a licence itself, not its name."""


def is_expression(text: str) -> bool:
    """Whether a text has the form of an SPDX expression over identifiers that look like SPDX's.

    An identifier without a number, such as ``MIT``, has to be one that is known; words such as ``BSD`` or
    ``Proprietary`` name no licence exactly.
    """
    if len(text) > LONGEST:
        return False
    depth = 0
    wants_name = True
    for part in _WORDS.findall(text):
        if part == "(" and wants_name:
            depth += 1
        elif part == ")" and not wants_name and depth:
            depth -= 1
        elif part in ("AND", "OR", "WITH") and not wants_name:
            wants_name = True
        elif wants_name and _names_licence(part):
            wants_name = False
        else:
            return False
    return not wants_name and depth == 0


def _names_licence(word: str) -> bool:
    return word in _UNNUMBERED or _IDENTIFIER.fullmatch(word) is not None or word.endswith("-exception")

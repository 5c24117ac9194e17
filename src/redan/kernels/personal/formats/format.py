"""One format of an identifier."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from redan.core.record import dataclass

END = r"(?![A-Za-z0-9_])"
"""What follows a value: no further letter or digit of ASCII; other scripts may be joined to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one kind of identifier is told.

    A value is found at a token, the longest run of ASCII letters, digits and underscores that holds a digit.

    Attributes:
        kind: name, such as ``us-ssn``.
        title: what it is, in words.
        heads: expression over the shape of the token, letters as ``A`` and digits as ``9``, and of up to two signs
            after it where the value goes on.
        form: expression of the whole value, letters of either case; it starts at the token, or `lead` before it.
        check: whether a value can be one: ranges and check digits.
        proof: check digits that not every value has; one that passes is sure.
        fit: how many characters of what the form matched are the value, 0 for none; instead of `check` where the
            form may reach too far.
        words: words of which one beside the value makes it likely, in lower case.
        formed: expression of values that are likely without such a word.
        is_checksum: the check leaves fewer than one in fifty random values, so that no word is needed.
        is_person: it tells of one person, not of a firm, a place or a page.
        joins: signs of which one stands right before the token where the value starts earlier.
        before: letters, in upper case, of which one stands before the join of a value whose token begins with a digit;
            any letter if empty.
        lead: characters before the token that may belong to the value.
    """

    kind: str
    title: str
    heads: str
    form: str
    check: Callable[[str], bool] | None = None
    proof: Callable[[str], bool] | None = None
    fit: Callable[[str], int] | None = None
    words: str = ""
    formed: str = ""
    is_checksum: bool = False
    is_person: bool = True
    joins: str = " -."
    before: str = ""
    lead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A format with its expressions compiled.

    Attributes:
        of: the format.
        pattern: its form and what may follow it.
        likely: values that need no word beside them.
        words: its words.
        joins: signs of which one stands right before the token where the value starts earlier.
    """

    of: Format
    pattern: re.Pattern[str]
    likely: re.Pattern[str] | None
    words: frozenset[str]
    joins: frozenset[str]


@cache
def ready(each: Format) -> Ready:
    """Compile a format, once in a process."""
    # a token starts where no letter or digit stands before it, so that only forms that start earlier must look back
    start = r"(?<![A-Za-z0-9_])" if each.lead else ""
    return Ready(
        of=each,
        pattern=re.compile(f"{start}(?:{each.form}){END}", re.IGNORECASE),
        likely=re.compile(each.formed, re.IGNORECASE) if each.formed else None,
        words=frozenset(each.words.split()),
        joins=frozenset(each.joins),
    )

"""Addresses on the net: mail, pages, machines.

Sources: RFC 5321 and 5322 (addr-spec), RFC 3986, RFC 4291 (IPv6), IEEE 802 (MAC), the root zone's country codes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Literal

from redan.core.record import dataclass

_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]{1,64}\Z")
_DOMAIN = re.compile(r"(?:[\w-]{1,63}\.){1,8}(?:xn--[\w-]{2,59}|[^\W\d_]{2,24})(?![\w-])")
_PAGE = re.compile(r"https?://[^\s<>\"'\\^`{|}]{3,2000}", re.IGNORECASE)
_HOST = re.compile(r"https?://(?:[^/@\s]{0,200}@)?(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])", re.IGNORECASE)
_DOT = re.compile(r"\.([a-z]{2,18})(?![\w@-]|\.\w)", re.IGNORECASE)
_BEFORE_DOT = re.compile(r"(?<![\w@./-])[a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9-]{1,63}){0,5}\Z", re.IGNORECASE)
_TAIL = re.compile(r"/[^\s<>\"')]{0,500}")
_GENERIC_NAMES = "com org net edu gov mil int io info biz app dev online site shop ai cloud blog news"
_COUNTRY_NAMES = (
    "ac ad ae af ag al am ao ar as at au az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cd cf cg "
    "ch ci ck cl cm cn co cr cu cv cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf "
    "gg gh gi gl gm gn gp gq gr gt gu gy hk hn hr ht hu id ie il im in iq ir is it je jm jo jp ke kg kh ki kn "
    "kp kr kw ky kz la lb lc li lk lr lt lu lv ly ma mc me mg ml mn mo mp mr mt mu mv mw mx my mz na nc ne nf "
    "ng ni nl no np nr nu nz om pa pe pf pg ph pk pm pn pr pt pw qa re ro ru rw sa sb sc sd se sg si sk sl sm "
    "sn sr st su sv sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn "
    "vu wf ws ye yt za zm zw "
)
_GENERIC, _COUNTRIES = frozenset(_GENERIC_NAMES.split()), frozenset(_COUNTRY_NAMES.split())
_FOUR = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?(?!\w)", re.ASCII)
_SIX = re.compile(
    r"(?<![\w:.])(?=[0-9a-f:]*:[0-9a-f]*:)[0-9a-f:]{2,39}(?:\d{0,3}(?:\.\d{1,3}){3})?(?:%\w{1,15})?(?:/\d{1,3})?(?![\w:]|\.\d)",
    re.IGNORECASE | re.ASCII,
)
_MAC = re.compile(
    r"([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?!\w|[:-]\w)|\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])", re.IGNORECASE | re.ASCII
)
_MAC_START = re.compile(r"(?<![\w:.-])(?:[0-9a-f]{2}|[0-9a-f]{4})\Z", re.IGNORECASE | re.ASCII)

Strength = Literal["weak", "likely", "sure"]
Place = tuple[int, int, Strength]
"""Start, end and how sure it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """A kind that is found by a sign it holds, not by a token with digits.

    Attributes:
        kind: name.
        title: what it is, in words.
        places: where it stands in a text.
        is_person: it tells of one person.
    """

    kind: str
    title: str
    places: Callable[[str], Iterator[Place]]
    is_person: bool = True


def mails(text: str) -> Iterator[Place]:
    """Yield where mail addresses stand."""
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text, max(0, at - 64), at)
        domain = _DOMAIN.match(text, at + 1)
        if local and domain:
            start = local.start() + len(local.group()) - len(local.group().lstrip(".'`/=-"))
            if start < at and text[at - 1] != ".":
                yield start, domain.end(), "likely"
        at = text.find("@", at + 1)


def pages(text: str) -> Iterator[Place]:
    """Yield where addresses of pages stand, with a scheme or as a name under a known domain."""
    if "://" in text:
        for match in _PAGE.finditer(text):
            if _HOST.match(match.group()):
                yield match.start(), match.start() + len(match.group().rstrip(".,;:!?)]")), "likely"
    for match in _DOT.finditer(text) if "." in text else ():
        domain = match.group(1).lower()
        if domain not in _GENERIC and domain not in _COUNTRIES:
            continue
        name = _BEFORE_DOT.search(text, max(0, match.start() - 200), match.start())
        if name:
            tail = _TAIL.match(text, match.end())
            end = tail.start() + len(tail.group().rstrip(".,;:!?")) if tail else match.end()
            is_likely = domain in _GENERIC or name.group()[:4].lower() == "www."
            yield name.start(), end, "likely" if is_likely else "weak"


def machines(text: str) -> Iterator[Place]:
    """Yield where addresses of the internet protocol stand, with a prefix length or without."""
    chosen = (_FOUR_AT,) if text.count(".") > 2 else ()
    for pattern in (*chosen, _SIX) if text.count(":") > 1 else chosen:
        for match in pattern.finditer(text):
            value = match.group()
            try:
                address = ipaddress.ip_interface(value)
            except ValueError:
                continue
            goes_on = text[match.end() : match.end() + 1] == "." and text[match.end() + 1 : match.end() + 2].isdigit()
            is_told = not goes_on and (pattern is _FOUR_AT or (len(value) > 5 and any(map(str.isdigit, value))))
            yield match.start(), match.end(), "likely" if is_told and int(address) > 1 else "weak"


_FOUR_AT = re.compile(rf"(?<![\w.])(?:{_FOUR.pattern})", re.ASCII)


def cards(text: str) -> Iterator[Place]:
    """Yield where addresses of network cards stand; broadcast and null are none."""
    if text.count(":") < 5 and text.count("-") < 5 and text.count(".") < 2:
        return
    for match in _MAC.finditer(text):
        size = 4 if match.group()[0] == "." else 2
        head = _MAC_START.search(text, max(0, match.start() - size), match.start())
        if head and len(head.group()) == size and len({*(head.group() + match.group()).upper()} - {*":-."}) > 1:
            yield head.start(), match.end(), "likely"


FINDERS = (
    Finder(kind="email", title="e-mail address", places=mails),
    Finder(kind="url", title="address of a page", places=pages, is_person=False),
    Finder(kind="ip", title="IP address", places=machines),
    Finder(kind="mac", title="address of a network card", places=cards),
)

"""Find personal data in a text: a false alarm costs more here than one value missed among many."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

from redan.core.record import dataclass
from redan.kernels.personal import checks
from redan.kernels.personal.record import Personal
from redan.kernels.secrets.engine import opaque
from redan.kernels.text.tables import Cell, cells

MOST_FOUND = 100_000
"""Values of one text that are told apart."""

_BEFORE = 60
_FILES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".log", ".xml", ".sql")
_NOT_DATA = re.compile(
    r"(?i)^(?:readme|licen[sc]e|copying|notice|authors|contributors|requirements|constraints|package)"
)
_NO_MAIL = re.compile(
    r"(?i)@(?:[\w.-]*\.)?(?:example|test|domain|email|mail|company|yourdomain|sentry|localhost)\.\w+$|noreply|no-reply"
    r"|^git@|\.(?:example|test|invalid|local|localhost|png|jpe?g|gif|svg|py|js|css|html?|json|ya?ml|txt|md)$|^(?:user|name|you"
    r"|your|someone|foo|test|example|email|admin|info|support|contact)\w*@"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    pattern: re.Pattern[str]
    check: Callable[[str], bool] | None = None
    beside: re.Pattern[str] | None = None
    is_checksum: bool = False


_KINDS = {
    "email": _Kind(
        pattern=re.compile(r"(?<![\w.+%/:@-])\w[\w.+%-]{0,63}+@(?:[\w-]{1,63}+\.){1,6}[A-Za-z]{2,18}(?![\w@-])"),
        check=lambda text: not _NO_MAIL.search(text),
    ),
    "phone": _Kind(
        pattern=re.compile(
            r"(?<![\w.,+-])(?:\+[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,6}|\([2-9]\d\d\) ?[2-9]\d\d-\d{4}"
            r"|[2-9]\d\d-[2-9]\d\d-\d{4})(?![\w.,-]*\d)"
        ),
        check=lambda text: 8 <= sum(map(str.isdigit, text)) <= 15 and "555-01" not in text,
    ),
    "iban": _Kind(
        pattern=re.compile(
            r"(?<![\w-])[A-Z]{2}\d{2}(?:[A-Z0-9]{11,27}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)(?![\w-])"
        ),
        check=checks.iban,
        is_checksum=True,
    ),
    "card": _Kind(
        pattern=re.compile(r"(?<![\w.,-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3[47]\d\d([ -])\d{6}\2\d{5})(?![\w.,-]*\d)"),
        check=checks.card,
        is_checksum=True,
    ),
    "us-ssn": _Kind(pattern=re.compile(r"(?<![\w.-])\d{3}-\d{2}-\d{4}(?![\w-])"), check=checks.us_ssn),
    "uk-nino": _Kind(
        pattern=re.compile(r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D](?!\w)"),
        check=checks.uk_nino,
        beside=re.compile(r"(?i)insurance|nino\b|\bni\b"),
    ),
    "ip": _Kind(
        pattern=re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)"),
        check=checks.public_ip,
        beside=re.compile(r"(?i)\bip\b|_ip\b|\bip_|client|remote|visitor|user"),
    ),
    "mrz": _Kind(
        pattern=re.compile(r"(?<![A-Z0-9<])[A-Z0-9<]{9}\d[A-Z<]{3}\d{7}[MFX<]\d{7}[A-Z0-9<]{14}[\d<]\d(?![A-Z0-9<])"),
        check=checks.mrz,
        is_checksum=True,
    ),
    "birth": _Kind(
        pattern=re.compile(
            r"(?<![\w-])(?:(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d)(?![\w-])"
        ),
        beside=re.compile(r"(?i)\bdob\b|birth|\bborn\b"),
    ),
    "position": _Kind(
        pattern=re.compile(r"(?<![\w.-])-?\d{1,2}\.\d{4,15}, ?-?\d{1,3}\.\d{4,15}(?![\w.])"),
        beside=re.compile(r"(?i)\blat|\blon|gps|coord|position|location"),
    ),
}
_WIDE = {
    "card": _Kind(
        pattern=re.compile(r"(?<![\w.,-])\d{15,16}(?![\w.,-])"),
        check=checks.card,
        beside=re.compile(r"(?i)card|\bpan\b|credit|visa|amex"),
        is_checksum=True,
    ),
    "phone": _Kind(
        pattern=re.compile(r"(?<![\w.,+-])0\d{1,4}[ /-]?\d{3,4}[ -]?\d{2,6}(?![\w.,-]*\d)"),
        beside=re.compile(r"(?i)phone|\btel\b|mobile|\bcell\b|\bfax\b"),
    ),
}
_NAMED = re.compile(
    r"(?i)^(?:(?:first|last|full|given|family|sur|patient|customer|employee|person|user)[_ ]?name|name|patient)$"
)
_ABOUT = re.compile(
    r"(?i)^(?:e?-?mail(?:[_ ]?address)?|(?:tele)?phone(?:[_ ]?(?:number|no))?|mobile|ssn"
    r"|(?:home[_ ]?|street[_ ]?|post(?:al)?[_ ]?)?address|street|dob"
    r"|date[_ ]?of[_ ]?birth|birth[_ ]?(?:date|day)|passport(?:[_ ]?n\w*)?|diagnosis|patient(?:[_ ]?id)?|salary|iban)$"
)
_HEADS = re.compile(r"(?i)name|mail|phone|mobile|ssn|address|street|dob|birth|passport|diagnosis|patient|salary|iban")
_PERSON = re.compile(r"[^\W\d_][\w'’.,-]*(?: [^\W\d_][\w'’.,-]*){0,4}")


def told_of(name: str) -> bool:
    """Tell by a file's name whether it is data, in which people may be told of; code and prose about it are not."""
    return name.lower().endswith(_FILES) and not _NOT_DATA.match(name)


def find(text: str, *, media_type: str = "text/plain", name: str = "") -> list[Personal]:
    """Return the personal data of an output or data file in order of their places.

    Args:
        text: what to look through.
        media_type: what it is; pictures, sound and code are passed over.
        name: the key that the text stands under, where it is one value of a document.
    """
    if opaque(media_type) or media_type in ("application/javascript", "image/svg+xml"):
        return []
    found: list[Personal] = []
    places = [each.start() for each in _HEADS.finditer(text)]
    tabled = list(cells(text, media_type, places)) if places else []
    _gather(found, _formatted(text, name, tabled))
    _gather(found, _records(tabled))
    return found


def _gather(found: list[Personal], more: Iterator[Personal]) -> None:
    starts = [each.start for each in found]
    for each in more:
        if len(found) >= MOST_FOUND:
            return
        place = bisect_right(starts, each.start)
        free = (not place or found[place - 1].end <= each.start) and (place == len(starts) or starts[place] >= each.end)
        if free:
            found.insert(place, each)
            starts.insert(place, each.start)


def _formatted(text: str, name: str, tabled: list[Cell]) -> Iterator[Personal]:
    digits = any(sign in text for sign in "0123456789")
    heads = {cell.start: cell.head for cell in tabled}
    for kind, how in (*_KINDS.items(), *_WIDE.items()):
        if ("@" not in text) if kind == "email" else not digits:
            continue
        for match in how.pattern.finditer(text):
            value, start = match.group(), match.start()
            beside = f"{name} {heads.get(start, '')} {text[max(0, start - _BEFORE) : start]}"
            if (how.check is None or how.check(value)) and (how.beside is None or how.beside.search(beside)):
                yield Personal(kind=kind, start=start, end=match.end(), value=value, is_checked=how.is_checksum)


def _records(tabled: list[Cell]) -> Iterator[Personal]:
    """Yield cells under heads that name people, where the table has a name and something about its bearer."""
    heads = {cell.head.strip() for cell in tabled}
    if not (any(map(_NAMED.match, heads)) and any(map(_ABOUT.match, heads))):
        return
    for cell in tabled:
        head = cell.head.strip()
        is_name = (
            bool(_NAMED.match(head))
            and bool(_PERSON.fullmatch(cell.text))
            and cell.text.lower() not in ("nan", "none", "name")
        )
        if (
            len(cell.text) > 1
            and not cell.text.startswith("[redacted:")
            and (is_name or (_ABOUT.match(head) and not _ABOUT.match(cell.text)))
        ):
            yield Personal(kind="record", start=cell.start, end=cell.end, value=cell.text)

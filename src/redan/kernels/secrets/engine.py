"""Find the secrets in a text: formats first, then shapes beside names, addresses, and random values beside names.

The text is first asked, as bytes, where something could be: runs of characters that no prose has, and telling
stems. Only there the patterns are tried, so that plain text costs little.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

from redan.kernels.secrets import keys, names, near
from redan.kernels.secrets.checks import decoded64, random_like
from redan.kernels.secrets.formats import tokens
from redan.kernels.secrets.record import Secret
from redan.kernels.text.tables import cells
from redan.kernels.text.views import View, unescaped

MOST_SECRETS = 1000
"""Secrets of one text that are told; more say nothing new."""

_RUN = 16
_SHORTEST = 6
_BEFORE = 100
_JOINED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+/.~:=@%"
_RUNS = bytes(97 if code in _JOINED else 32 for code in range(256))
_MARKUP = frozenset({"text/html", "text/markdown", "image/svg+xml", "application/xml"})


def find(text: str, *, media_type: str = "text/plain", name: str = "") -> list[Secret]:
    """Return the secrets of a text in order of their places.

    Args:
        text: what to look through.
        media_type: what it is; pictures, sound and the like are passed over, markup is looked through.
        name: the key that the text stands under, where it is one value of a document.
    """
    if len(text) < _SHORTEST or opaque(media_type):
        return []
    found: list[Secret] = []
    if name and (named := _beside(text, name, 0)):
        found.append(named)
    _gather(found, _look(text, media_type))
    view = unescaped(text, markup=media_type in _MARKUP)
    if view is not None:
        _gather(found, (_back(secret, view) for secret in _look(view.text, media_type)))
    return sorted(found, key=lambda secret: secret.start)


def opaque(media_type: str) -> bool:
    """Tell whether a representation holds no text: pictures, sound, documents in binary."""
    kind, _, what = media_type.partition("/")
    return (kind in ("image", "audio", "video", "font") and what != "svg+xml") or media_type == "application/pdf"


def _gather(found: list[Secret], more: Iterable[Secret]) -> None:
    """Add what overlaps nothing that is known: the first reading of a place is the best one."""
    found.sort(key=lambda secret: secret.start)
    starts = [secret.start for secret in found]
    for secret in more:
        if len(found) >= MOST_SECRETS:
            return
        place = bisect_right(starts, secret.start)
        before = found[place - 1].end if place else -1
        after = starts[place] if place < len(starts) else secret.end
        if secret.start >= before and secret.end <= after:
            found.insert(place, secret)
            starts.insert(place, secret.start)


def _back(secret: Secret, view: View) -> Secret:
    start, end = view.back(secret.start, secret.end)
    return Secret(
        kind=secret.kind, title=secret.title, start=start, end=end, value=secret.value, confidence=secret.confidence
    )


def _look(text: str, media_type: str) -> Iterator[Secret]:
    flat = text.encode("latin-1", "replace")
    windows = list(_windows(flat))
    yield from keys.private_keys(text)
    yield from _formatted(text, windows)
    yield from keys.addresses(text)
    lower = flat.lower()
    places = sorted({at for stem in names.STEMS for at in _every(lower, stem)})
    yield from _shaped(text, windows)
    yield from _named(text, places)
    if places:
        yield from _tabled(text, media_type, places)
    yield from _encoded(text, windows)


def _every(data: bytes, stem: bytes) -> Iterator[int]:
    at = data.find(stem)
    while at >= 0:
        yield at
        at = data.find(stem, at + len(stem))


def _windows(flat: bytes) -> Iterator[tuple[int, int]]:
    """Yield where at least sixteen characters stand together that tokens are made of."""
    runs = flat.translate(_RUNS)
    wanted = b"a" * _RUN
    at = runs.find(wanted)
    while at >= 0:
        end = runs.find(b" ", at)
        end = len(runs) if end < 0 else end
        yield at, end
        at = runs.find(wanted, end)


def _formatted(text: str, windows: list[tuple[int, int]]) -> Iterator[Secret]:
    for start, end in windows:
        for known, token, checked in tokens(text, start, end):
            yield Secret(
                kind=known.kind,
                title=known.title,
                start=token.start(),
                end=token.end(),
                value=token.group(),
                confidence="confirmed" if checked else "possible" if known.check else "likely",
            )


def _shaped(text: str, windows: list[tuple[int, int]]) -> Iterator[Secret]:
    for start, end in windows:
        for run in near.RUN.finditer(text, start, end):
            before = text[max(0, run.start() - _BEFORE) : run.start()].lower()
            yield from _of_shape(run.group(), before, run.start())


def _of_shape(value: str, before: str, start: int) -> Iterator[Secret]:
    shape = near.shape_of(value, before)
    if shape is not None and random_like(value):
        yield Secret(kind=shape.kind, title=shape.title, start=start, end=start + len(value), value=value)


def _named(text: str, places: list[int]) -> Iterator[Secret]:
    done = 0
    for at in places:
        if at < done:
            continue
        start = at
        while start > 0 and at - start < 40 and (text[start - 1].isalnum() or text[start - 1] in "_-."):
            start -= 1
        start += text[start] in " \"'("
        found = names.ASSIGNED.match(text, start)
        if found:
            # a rejected value without quotes holds no further name that could be assigned to
            done = found.end("bare") if len(found["bare"] or "") > _RUN else 0
            if secret := _assigned(found):
                done = secret.end
                yield secret
        for pattern in (names.BEARER, names.NETRC):
            other = pattern.match(text, at if pattern is names.BEARER else max(0, text.rfind("login", at - 120, at)))
            if other and names.is_secret(other["value"], "token" if pattern is names.BEARER else "password"):
                yield _generic(other["value"], other.start("value"), "likely")


def _assigned(found: re.Match[str]) -> Secret | None:
    name, sign = found["name"], found["sign"].strip()
    if found["quoted"] is not None:
        return _beside(found["quoted"], name, found.start("quoted"))
    if found["after"] in ("(", "[") or sign in (",", "->", "is") or (not sign and not name.startswith("--")):
        return None
    return _beside(found["bare"], name, found.start("bare"))


def _beside(value: str, name: str, start: int) -> Secret | None:
    """Return the value as a secret if the name beside it makes it one."""
    promised = names.strength(name)
    if not names.is_secret(value, promised):
        return None
    return _generic(value, start, "possible" if promised == "key" else "likely")


def _generic(value: str, start: int, sure: str) -> Secret:
    return Secret(
        kind="credential",
        title="password or token beside a telling name",
        start=start,
        end=start + len(value),
        value=value,
        confidence=sure,  # type: ignore[arg-type]  # one of the three words
    )


def _tabled(text: str, media_type: str, places: list[int]) -> Iterator[Secret]:
    for cell in cells(text, media_type, places):
        if 6 <= len(cell.text) <= 300:
            named = _beside(cell.text, cell.head, cell.start) or _beside(cell.text, cell.left, cell.start)
            if named:
                yield named
            else:
                yield from _of_shape(cell.text, f"{cell.head} {cell.left}".lower(), cell.start)


def _encoded(text: str, windows: list[tuple[int, int]]) -> Iterator[Secret]:
    """Look one level into base64 that hides a token, a private key or `user:password`."""
    for start, end in windows:
        for run in keys.BASE64.finditer(text, start, end):
            inner = decoded64(run.group())
            if inner is None or not inner.isascii():
                continue
            plain = inner.decode("ascii")
            kind = next((known.kind for known, _, _ in tokens(plain)), "")
            if not kind and next(keys.private_keys(plain), None):
                kind = "private-key"
            if kind:
                yield Secret(kind=kind, title="secret in base64", start=run.start(), end=run.end(), value=run.group())

"""A clean copy of a notebook: secrets and personal data replaced, everything else as it was."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from redan.core.errors import Unreadable
from redan.core.record import dataclass
from redan.kernels import personal, secrets
from redan.kernels.notebooks.reading import Part, Step, parse
from redan.kernels.secrets.engine import opaque

MOST_ROUNDS = 4
"""Looks at the copy; what one replacement lays bare is found by the next."""

_SHORTEST_REPEATED = 8
_INDENT = re.compile(r"[\[{]\r?\n([ \t]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """A clean copy.

    Attributes:
        text: the notebook as JSON.
        replaced: kind → how many places.
        dropped: outputs that were left out as a whole.
    """

    text: str
    replaced: dict[str, int]
    dropped: int


def redacted(text: str, *, drop_outputs: bool = False) -> Clean:
    """Return a copy of a notebook without its secrets, and without personal data in its outputs.

    A secret that is found in one place is replaced wherever it stands. Pictures are kept as they are.

    Args:
        text: the notebook's JSON.
        drop_outputs: leave out every output in which something is found, instead of replacing it there.

    Raises:
        Unreadable: no notebook, or it still holds secrets after several rounds.
    """
    document = parse(text).document
    replaced: Counter[str] = Counter()
    dropped = 0
    values: dict[str, str] = {}
    for _ in range(MOST_ROUNDS):
        parts = [part for part in parse(json.dumps(document)).parts() if not opaque(part.media_type)]
        spans = {part.path: _spans(part, values) for part in parts}
        found = [part for part in parts if spans[part.path] or _repeated(part.text, values)]
        if not found:
            return Clean(text=_written(document, text), replaced=dict(replaced), dropped=dropped)
        if drop_outputs and (outputs := {_output_of(part.path) for part in found if part.kind == "output"}):
            dropped += _drop(document, outputs)
        else:
            for part in found:
                _write(document, part.path, _replace(part.text, spans[part.path], values, replaced))
    raise Unreadable("still holds secrets after several rounds of redaction", hint="clear the outputs and try again")


Span = tuple[int, int, str]


def _spans(part: Part, values: dict[str, str]) -> list[Span]:
    """Return where something stands in a part; add its secrets to the values to look for everywhere."""
    found = secrets.find(part.text, media_type=part.media_type, name=part.name)
    values.update({each.value: each.kind for each in found if len(each.value) >= _SHORTEST_REPEATED})
    spans = [(each.start, each.end, each.kind) for each in found]
    if part.kind == "output":
        data = personal.find(part.text, media_type=part.media_type, name=part.name)
        spans += [(each.start, each.end, each.kind) for each in data]
    return sorted(spans)


def _repeated(text: str, values: dict[str, str]) -> bool:
    return any(value in text for value in values)


def _replace(text: str, spans: list[Span], values: dict[str, str], replaced: Counter[str]) -> str:
    out: list[str] = []
    done = 0
    for start, end, kind in spans:
        if start >= done:
            out += (text[done:start], f"[redacted: {kind}]")
            replaced[kind] += 1
            done = end
    text = "".join((*out, text[done:]))
    for value, kind in values.items():
        if value in text:
            replaced[kind] += text.count(value)
            text = text.replace(value, f"[redacted: {kind}]")
    return text


def _output_of(path: tuple[Step, ...]) -> tuple[Step, ...]:
    return path[: path.index("outputs") + 2]


def _drop(document: dict[str, Any], outputs: set[tuple[Step, ...]]) -> int:
    for path in sorted(outputs, key=lambda path: [(str(step), step if isinstance(step, int) else 0) for step in path]):
        _at(document, path[:-1])[path[-1]] = None
    for path in {path[:-1] for path in outputs}:
        kept = [each for each in _at(document, path) if each is not None]
        _at(document, path)[:] = kept
    return len(outputs)


def _at(document: dict[str, Any], path: tuple[Step, ...]) -> Any:
    value: Any = document
    for step in path:
        value = value[step]
    return value


def _write(document: dict[str, Any], path: tuple[Step, ...], text: str) -> None:
    holder = _at(document, path[:-1])
    holder[path[-1]] = text.splitlines(keepends=True) if isinstance(holder[path[-1]], list) else text


def _written(document: dict[str, Any], original: str) -> str:
    """Return the JSON with the indentation and the end that the original has."""
    indent = _INDENT.search(original[:1000])
    end = "\n" if original.endswith("\n") else ""
    return json.dumps(document, indent=indent.group(1) if indent else None, ensure_ascii=original.isascii()) + end

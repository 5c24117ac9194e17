"""YAML texts: tags that make objects and keys that name callables, found by a scanner that builds nothing.

Only what decides where a value begins is understood: comments, quotes, block scalars, flow brackets, tags, anchors.
Source: YAML 1.2.2, chapters 5 to 8; PyYAML `constructor.py`; HyperPyYAML's documentation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = re.compile(r"(?:[ \t\r\n\ufeff]+|(?:(?<=[\s])|\A)#[^\n]*)+")
_DOUBLE = re.compile(r'"(?:\\[\s\S]|[^"\\])*"')
_SINGLE = re.compile(r"'(?:''|[^'])*'")
_BLOCK = re.compile(r"[|>][-+\d]{0,2}[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
_TAG = re.compile(r"!<[^>\n]*>|![^\s,\[\]{}]*")
_ANCHOR = re.compile(r"[&*][^\s,\[\]{}]+")
_INDICATOR = re.compile(r"[-?:](?=\s|\Z)|---(?=\s|\Z)|\.\.\.(?=\s|\Z)")
_FLOW_INDICATOR = re.compile(r"[\[\]{},]|[?:](?=[\s,\[\]{}]|\Z)|:(?=[\"'])")
_PLAIN = re.compile(r"(?:[^\s:#]|:(?=[^\s])|(?<=[^\s])#|[ \t]+(?=[^\s#]))+")
_FLOW_PLAIN = re.compile(r"(?:[^\s:#,\[\]{}]|:(?=[^\s,\[\]{}])|(?<=[^\s])#|[ \t]+(?=[^\s#,\[\]{}]))+")
_DIRECTIVE = re.compile(r"^%TAG[ \t]+(![\w-]*!?)[ \t]+(\S+)", re.MULTILINE)
_PREFIX = re.compile(r"[ ]*(?:[-?][ \t]+)*")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")

_CORE = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(
    ["str", "int", "float", "bool", "null", "seq", "map", "set", "omap", "pairs", "binary", "timestamp", "merge",
     "value", "yaml", "", *(f"python/{name}" for name in ("none", "bool", "str", "unicode", "bytes", "int", "long",
     "float", "complex", "list", "tuple", "dict"))]
)  # fmt: skip


class Token(NamedTuple):
    """One scalar, tag or indicator: its kind (`scalar`, `tag`, `mark`), its text, and where it begins."""

    kind: str
    text: str
    at: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a YAML text in order; a quote without an end is read as plain text."""
    pos = 0
    depth = 0
    while pos < len(text):
        space = _SPACE.match(text, pos)
        if space is not None and space.end() > pos:
            pos = space.end()
            continue
        kind, end, value = _token(text, pos, in_flow=depth > 0)
        if value in ("[", "{") and kind == "mark":
            depth += 1
        elif value in ("]", "}") and kind == "mark":
            depth = max(0, depth - 1)
        yield Token(kind, value, pos)
        pos = end


def _token(text: str, pos: int, *, in_flow: bool) -> tuple[str, int, str]:
    first = text[pos]
    if first in "\"'":
        quoted = (_DOUBLE if first == '"' else _SINGLE).match(text, pos)
        if quoted is not None:
            return "scalar", quoted.end(), _unquoted(quoted[0])
    if first in "|>" and not in_flow and (block := _BLOCK.match(text, pos)) is not None:
        end = _block_end(text, pos, block.end())
        return "scalar", end, text[block.end() : end].strip()
    if first == "!" and (tag := _TAG.match(text, pos)) is not None:
        return "tag", tag.end(), tag[0]
    if first in "&*" and (anchor := _ANCHOR.match(text, pos)) is not None:
        return "anchor", anchor.end(), anchor[0]
    mark = (_FLOW_INDICATOR.match(text, pos) if in_flow else None) or _INDICATOR.match(text, pos)
    if mark is None and first in "[{":
        return "mark", pos + 1, first
    if mark is not None:
        return "mark", mark.end(), mark[0]
    plain = (_FLOW_PLAIN if in_flow else _PLAIN).match(text, pos)
    end = plain.end() if plain is not None else pos + 1
    return "scalar", end, text[pos:end].strip()


def _block_end(text: str, pos: int, start: int) -> int:
    """Where a block scalar ends: at the first line that is indented no further than what it belongs to."""
    line_at = text.rfind("\n", 0, pos) + 1
    prefix = _PREFIX.match(text, line_at)
    indent = (prefix.end() if prefix is not None else line_at) - line_at
    if line_at + indent >= pos:
        # the scalar is an item of a list and stands behind its dash
        indent = text.rfind("-", line_at, pos) - line_at if "-" in text[line_at:pos] else -1
    at = start
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end + 1
        line = text[at:end]
        if line.strip() and len(line) - len(line.lstrip(" ")) <= indent:
            return at
        at = end
    return len(text)


def _unquoted(text: str) -> str:
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    body = text[1:-1]
    if "\\" not in body:
        return body
    body = re.sub(r"\\\r?\n[ \t]*", "", body)
    return re.sub(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", _unescaped, body)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else str(match[3])


def handles(text: str) -> dict[str, str]:
    """What the handles of tags stand for in a text."""
    return {"!!": _CORE, **{match[1]: match[2] for match in _DIRECTIVE.finditer(text)}}


def full_tag(tag: str, known: dict[str, str]) -> str:
    """A tag with its handle replaced by what `known`, which `handles` gave, says it means."""
    tag = _PERCENT.sub(lambda match: chr(int(match[1], 16)), tag)
    if tag.startswith("!<"):
        return tag[2:-1]
    end = tag.find("!", 1) + 1
    handle = tag[:end] if end else "!"
    return known[handle] + tag[len(handle) :] if handle in known else tag


def makes_object(tag: str) -> bool:
    """Whether a full tag asks a loader for an object of a class that the tag names."""
    if tag.startswith(_CORE):
        return tag[len(_CORE) :] not in _PLAIN_TAGS
    return tag.startswith(("!ruby/", "!php/", "!java", "!python/", "tag:ruby"))


def keyed(found: list[Token], keys: frozenset[str]) -> Iterator[tuple[str, str, int]]:
    """Yield key, value and offset of every scalar that one of `keys` is given."""
    for i, token in enumerate(found):
        if token.kind != "scalar" or token.text not in keys:
            continue
        rest = iter(found[i + 1 : i + 8])
        if (colon := next(rest, None)) is None or colon[:2] != ("mark", ":"):
            continue
        value = next((t for t in rest if t.kind not in ("tag", "anchor")), None)
        if value is not None and value.kind == "scalar":
            yield token.text, value.text, value.at

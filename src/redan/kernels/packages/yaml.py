"""The YAML that environment files and model cards use: mappings, lists and scalars by indentation. No tags, no anchors.

Source: YAML 1.2.2, chapters 7 and 8, of which this is a small part.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

DEEPEST = 12
"""Levels of indentation that are followed."""
MOST_LINES = 20_000
"""Lines that are read."""
LONGEST_LINE = 10_000
"""Characters of one line."""

_KEY = re.compile(r"(\"[^\"]*\"|'[^']*'|[^\s#\"'\[\]{},&*!|>%@`-][^#\"'\[\]{},]*?|-[^\s#:][^#:]*?)\s*:(?:\s+(.*))?$")
_BLOCK = re.compile(r"[|>][+-]?\d?")


class UnreadableYamlError(ValueError):
    """YAML of a kind that is not read, or no YAML."""


class _Line(NamedTuple):
    indent: int
    text: str


def parse(text: str) -> Any:
    """Parse a document into dictionaries, lists and strings; every scalar stays the text it is, null is empty.

    Raises:
        UnreadableYamlError: tags, anchors, several documents, or what is no YAML.
    """
    lines = _lines(text)
    if not lines:
        return {}
    value, at = _node(lines, 0, lines[0].indent, 0)
    if at != len(lines):
        raise UnreadableYamlError(f"indentation does not fit: {lines[at].text[:60]!r}")
    return value


def _lines(text: str) -> list[_Line]:
    found: list[_Line] = []
    raw_lines = text.splitlines()
    if len(raw_lines) > MOST_LINES:
        raise UnreadableYamlError(f"more than {MOST_LINES} lines")
    for number, raw in enumerate(raw_lines):
        if raw.strip() in ("---", "...") and not raw.startswith(" "):
            if number and any(line.text for line in found) and raw.strip() == "---":
                raise UnreadableYamlError("several documents")
            continue
        if len(raw) > LONGEST_LINE:
            raise UnreadableYamlError(f"line {number + 1} is longer than {LONGEST_LINE} characters")
        indent = len(raw) - len(raw.lstrip(" "))
        if "\t" in raw[: indent + 1]:
            raise UnreadableYamlError("a tab indents a line")
        content = _uncommented(raw.strip())
        if content:
            found.append(_Line(indent, content))
    return found


def _uncommented(text: str) -> str:
    if "#" not in text:
        return text
    quote = ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and (at == 0 or text[at - 1] in " [{,:"):
            quote = char
        elif char == "#" and (at == 0 or text[at - 1] == " "):
            return text[:at].rstrip()
    return text


def _node(lines: list[_Line], at: int, indent: int, depth: int) -> tuple[Any, int]:
    if depth > DEEPEST:
        raise UnreadableYamlError("nested too deep")
    is_list = lines[at].text == "-" or lines[at].text.startswith("- ")
    return _sequence(lines, at, indent, depth) if is_list else _mapping(lines, at, indent, depth)


def _sequence(lines: list[_Line], at: int, indent: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while at < len(lines) and lines[at].indent == indent and (lines[at].text + " ").startswith("- "):
        rest = lines[at].text[1:].lstrip()
        if not rest:
            value, at = _below(lines, at + 1, indent + 1, depth)
        elif _KEY.match(rest) and not rest.startswith(("[", "{")):
            inner = indent + len(lines[at].text) - len(rest)
            lines[at] = _Line(inner, rest)
            value, at = _node(lines, at, inner, depth + 1)
        else:
            value, at = _scalar(rest), at + 1
        items.append(value)
    return items, at


def _mapping(lines: list[_Line], at: int, indent: int, depth: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while at < len(lines) and lines[at].indent == indent:
        match = _KEY.match(lines[at].text)
        if match is None:
            raise UnreadableYamlError(f"no key: {lines[at].text[:60]!r}")
        key, rest = str(_scalar(match[1])), (match[2] or "").strip()
        if not rest:
            # a list may stand at the indentation of its key
            listed = at + 1 < len(lines) and lines[at + 1].indent == indent and lines[at + 1].text.startswith("-")
            found[key], at = _below(lines, at + 1, indent if listed else indent + 1, depth)
        elif _BLOCK.fullmatch(rest):
            found[key], at = _block(lines, at + 1, indent)
        else:
            value, at = _continued(lines, at, indent, rest)
            found[key] = _scalar(value)
    return found, at


def _below(lines: list[_Line], at: int, least: int, depth: int) -> tuple[Any, int]:
    if at >= len(lines) or lines[at].indent < least:
        return "", at
    return _node(lines, at, lines[at].indent, depth + 1)


def _block(lines: list[_Line], at: int, indent: int) -> tuple[str, int]:
    parts = []
    while at < len(lines) and lines[at].indent > indent:
        parts.append(lines[at].text)
        at += 1
    return "\n".join(parts), at


def _continued(lines: list[_Line], at: int, indent: int, first: str) -> tuple[str, int]:
    """Join a scalar or a flow list that goes on in deeper lines."""
    parts = [first]
    at += 1
    while at < len(lines) and lines[at].indent > indent:
        parts.append(lines[at].text)
        at += 1
    return " ".join(parts), at


def _scalar(text: str) -> Any:
    if text.startswith(("!", "&", "*", "{")) and text != "{}":
        raise UnreadableYamlError(f"not read: {text[:60]!r}")
    if text.startswith("["):
        if not text.endswith("]"):
            raise UnreadableYamlError("a list without its end")
        return [_plain(part) for part in _items(text[1:-1])]
    return {} if text == "{}" else _plain(text)


def _items(text: str) -> list[str]:
    if "[" in text or "{" in text:
        raise UnreadableYamlError("lists within lists on one line")
    parts = re.findall(r"\"[^\"]*\"|'[^']*'|[^,\s][^,]*", text)
    return [part.strip() for part in parts]


def _plain(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1].replace('\\"', '"')
    return "" if text in ("null", "~") else text

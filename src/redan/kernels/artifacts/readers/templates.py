"""Chat templates: Jinja expressions that a tokenizer renders, told harmless or not without rendering them.

Only a sandbox keeps a template from the interpreter's internals, and not every consumer has one (CVE-2024-34359). A
template that formats messages never needs a name with a leading underscore, the `attr` filter or another template.
Source: Jinja's template designer documentation.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.kernels.artifacts.source import Source

LONGEST_KEY = 40
"""Tokens of one look-up that are looked at."""

LARGEST_TEMPLATE = 1 << 20
"""Characters of a template that are read."""

LONGEST_NUMBER = 7
"""Digits of a number that a template may count to."""

MOST_ROUNDS = 10**9
"""Turns of all loops over ranges, one within the other."""

_DEPTH = {"[": 1, "(": 1, "{": 1, "]": -1, ")": -1, "}": -1}
_OPENING = re.compile(r"\{[{%#]")
_CLOSING = {"{{": "}}", "{%": "%}", "{#": "#}"}
_TOKEN = re.compile(
    r"""\s+|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\W\d]\w*|\d[\d_.]*|==|!=|<=|>=|\*\*|//|.""", re.DOTALL
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|N\{([^}]*)\})")
_INTERNAL = re.compile(
    r"__(?:class|mro|bases?|subclasses|globals|builtins?|init|import|getitem|getattribute|dict|call|code|self|func|module"
    r"|reduce\w*|loader|doc|name|new|del|set\w*|get\w*)__|func_globals|gi_(?:frame|code)|cr_frame|f_globals|f_builtins"
    r"|_TemplateReference|\bos\.(?:system|popen)|\bsubprocess\b|import\s+os\b"
)
_TAGS = frozenset({"import", "include", "from", "extends"})
_OBJECTS = frozenset(
    [
        "self",
        "cycler",
        "joiner",
        "lipsum",
        "request",
        "config",
        "url_for",
        "get_flashed_messages",
        "g",
        "session",
        "application",
        "app",
        "handler",
        "settings",
        "getattr",
        "setattr",
        "eval",
        "exec",
        "compile",
        "open",
        "globals",
        "locals",
        "vars",
        "type",
        "object",
        "os",
        "sys",
        "subprocess",
        "importlib",
        "builtins",
        "popen",
        "system",
    ]
)
_OPERATORS = frozenset(["in", "and", "or", "not", "if", "else", "is", "set", "for", "elif"])
_ATTRIBUTES = frozenset(
    [
        "popen",
        "system",
        "environ",
        "mro",
        "func_globals",
        "gi_frame",
        "gi_code",
        "cr_frame",
        "f_globals",
        "f_builtins",
        "f_back",
    ]
)

_WORDS = frozenset(["system", "type", "object", "handler"])
"""Objects whose names honest templates give to variables."""
_APPLYING = frozenset(["map", "select", "reject", "selectattr", "rejectattr"])
"""Filters that take another filter's name."""
_MULTIPLYING = frozenset(["*", "range", "center", "ljust", "rjust", "zfill", "batch", "lipsum", "indent", "slice"])


def check_template(source: Source, text: str, what: str) -> None:
    """Report what a template reaches for.

    Args:
        source: Where it stands.
        text: The template.
        what: Its name, for the message.
    """
    if len(text) > LARGEST_TEMPLATE:
        source.unknown("limit", f"{what} is longer than {LARGEST_TEMPLATE} characters")
        text = text[:LARGEST_TEMPLATE]
    n_blocks = 0
    n_rounds = 1
    own: set[str] = set()
    for at, opening, expression in _blocks(text):
        n_blocks += 1
        tokens = [token for token in _TOKEN.findall(expression.strip("-+ \t\n")) if not token.isspace()]
        n_rounds *= _n_rounds(tokens)
        own.update(_assigned(tokens))
        found = _danger(tokens, own, is_tag=opening == "{%")
        if found is None and n_rounds > MOST_ROUNDS:
            found = "counts beyond reason"
        if found is not None:
            source.unsafe("template-injection", f"{what} {found}, which no message formatting needs", at)
            return
    source.ledger.nodes(n_blocks, source.where)


def _blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the offset, the opening and the inside of every expression and tag."""
    pos = 0
    while (match := _OPENING.search(text, pos)) is not None:
        opening = match[0]
        end = text.find(_CLOSING[opening], match.end())
        if end < 0:
            end = len(text)
        if opening != "{#":
            yield match.start(), opening, text[match.end() : end]
        pos = end + 2


def _assigned(tokens: list[str]) -> set[str]:
    """Ordinary words that a tag makes variables of the template's own."""
    return {tokens[1]} & _WORDS if len(tokens) > 1 and tokens[0] in ("set", "for") else set()


def _danger(tokens: list[str], own: set[str], *, is_tag: bool) -> str | None:
    if is_tag and tokens and tokens[0] in _TAGS:
        return f"uses the tag {tokens[0]!r}"
    texts = ""
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else ""
        if token[0] in "\"'":
            text = _unescape(token[1:-1])
            if before == "[" and text in _ATTRIBUTES:
                return f"reaches for {text!r}"
            if text == "attr" and before == "(" and i > 1 and tokens[i - 2] in _APPLYING:
                return "uses the filter 'attr'"
            texts += text
            continue
        if not (token[0].isalpha() or token[0] == "_"):
            continue
        found = None if token in own else _danger_of_name(token, before, tokens[i + 1] if i + 1 < len(tokens) else "")
        if found is not None:
            return found
    if _INTERNAL.search(texts) or _INTERNAL.search(texts[::-1]):
        return "spells the name of an interpreter's internal in text"
    if any(tokens[i] == "[" and _is_computed_key(tokens, i) for i in range(1, len(tokens))):
        return "computes the name that it looks up"
    return "counts beyond reason" if _is_endless(tokens) else None


def _is_computed_key(tokens: list[str], start: int) -> bool:
    """Whether the bracket at `start` is a look-up whose key is put together from pieces of text."""
    before = tokens[start - 1]
    if before in _OPERATORS or not (before[0].isalnum() or before[0] in "_)]}\"'"):
        return False
    depth = 0
    inside: list[str] = []
    for token in tokens[start : start + LONGEST_KEY]:
        depth += _DEPTH.get(token, 0)
        if depth == 0:
            break
        inside.append(token)
    has_text = any(token[0] in "\"'" for token in inside)
    has_method = any(a[0] in "\"'" and b in (".", "[") for a, b in pairwise(inside))
    return "~" in inside or has_method or (has_text and any(token in ("+", "*", "|", "%") for token in inside))


def _is_endless(tokens: list[str]) -> bool:
    is_long = any(token.isdigit() and len(token) > LONGEST_NUMBER for token in tokens)
    return "**" in tokens or (is_long and not _MULTIPLYING.isdisjoint(tokens))


def _n_rounds(tokens: list[str]) -> int:
    """How often a loop over a range turns; one for every other tag."""
    if "range" not in tokens:
        return 1
    return max([int(token) for token in tokens if token.isdigit() and len(token) <= LONGEST_NUMBER], default=1) or 1


def _danger_of_name(name: str, before: str, after: str) -> str | None:
    if name.startswith("_"):
        return f"reaches for {name!r}"
    if before == "|" and name == "attr":
        return "uses the filter 'attr'"
    if before == "." and name in _ATTRIBUTES:
        return f"reaches for {name!r}"
    if before not in (".", "|", "is") and name in _OBJECTS and after in (".", "[", "(", "|"):
        return f"uses the object {name!r}"
    return None


def _unescape(text: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code is not None:
            value = int(code, 16)
            return chr(value) if value < 0x110000 else ""
        return chr(int(match[4], 8)) if match[4] is not None else "_"

    return _ESCAPE.sub(character, text) if "\\" in text else text


def read_template(source: Source) -> str:
    """Read a file that is one template."""
    text = bytes(source.data[: 4 * LARGEST_TEMPLATE]).decode("utf-8", "replace")
    check_template(source, text, "the chat template")
    return "jinja"

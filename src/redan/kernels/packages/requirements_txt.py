"""requirements.txt and constraints.txt. Source: pip documentation, "Requirements File Format"."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from redan.kernels.packages.collecting import Collected
from redan.kernels.packages.limits import LONGEST_LINE, MOST_PACKAGES
from redan.kernels.packages.model import Include, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.kernels.packages.model import Manifest

_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")
_HASH = re.compile(r"\s--hash[= ]\s*(\w+:[0-9A-Fa-f]+)")
_INSTALL_OPTION = re.compile(r"\s--(?:config-settings?|global-option|install-option)(?:[= ]\s*)(?:\"[^\"]*\"|\S+)")
_SHORT = {"-i": "index-url", "-f": "find-links", "-r": "requirement", "-c": "constraint", "-e": "editable"}
_WITH_VALUE = frozenset(
    {
        "index-url", "extra-index-url", "find-links", "requirement", "constraint", "editable", "trusted-host",
        "no-binary", "only-binary", "use-feature", "pypi-url",
    }
)  # fmt: skip


def read_requirements(text: str, path: str, *, constraints: bool = False) -> Manifest:
    """Read a requirements file.

    Args:
        text: its content.
        path: its path as reports show it.
        constraints: whether its lines only bound versions.
    """
    found = Collected(path, "constraints" if constraints else "requirements")
    role: Role = "constraint" if constraints else "declared"
    for line, logical in logical_lines(text):
        if len(logical) > LONGEST_LINE or len(found.packages) >= MOST_PACKAGES:
            found.problem(line, "the line is too long, or the file has too many")
            found.complete = False
            break
        read_line(found, logical, line, role)
    return found.manifest()


def read_line(found: Collected, logical: str, line: int, role: Role = "declared", group: str = "") -> None:
    """Read one line: a requirement, or options."""
    if not logical.startswith("-"):
        hashes = frozenset(m[1].lower() for m in _HASH.finditer(logical))
        plain = _INSTALL_OPTION.sub("", _HASH.sub("", logical))
        found.requirement(plain, role=role, line=line, group=group, hashes=hashes)
        return
    for part in re.split(r"\s(?=--[a-z])", logical):
        name, value = _split(part.strip())
        if name in ("requirement", "constraint"):
            found.includes.append(Include(path=value, line=line, constraints=name == "constraint"))
        elif name == "editable":
            editable(found, value, line, group)
        else:
            found.option(name, value, line)


def editable(found: Collected, text: str, line: int, group: str = "") -> None:
    """Read what an ``-e`` names: a folder that is installed in place, or a repository."""
    before = len(found.packages)
    found.requirement(text if "/" in text or text.startswith(".") else f"./{text}", line=line, group=group)
    for at in range(before, len(found.packages)):
        package = found.packages[at]
        if package.source.kind == "path":
            found.packages[at] = replace(package, source=replace(package.source, kind="editable", url=_place(text)))


def _place(text: str) -> str:
    return text.partition(";")[0].partition("[")[0].strip()


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, continuations joined, comments and empty lines left out."""
    parts: list[str] = []
    first = 0
    # a form feed or a Unicode separator ends no line for pip's reader, which opens the file as text
    for number, raw in enumerate([*re.split(r"\r\n|\r|\n", text), ""], 1):
        first = first if parts else number
        goes_on = raw.endswith("\\") and not raw.lstrip().startswith("#")
        parts.append(raw[:-1] if goes_on else raw)
        if goes_on:
            continue
        logical = _COMMENT.sub("", " ".join(parts)).strip()
        parts = []
        if logical:
            yield first, logical


def _split(text: str) -> tuple[str, str]:
    """Return an option's long name and its value."""
    if not text.startswith("--") and text[:2] in _SHORT:
        return _SHORT[text[:2]], _plain(text[2:].lstrip("= "))
    word, _, rest = text.partition(" ")
    name, equals, value = word.removeprefix("--").partition("=")
    return name, _plain(value if equals else rest if name in _WITH_VALUE else "")


def _plain(value: str) -> str:
    return value.strip().strip("\"'")

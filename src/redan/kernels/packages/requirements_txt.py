"""requirements.txt and constraints.txt. Source: pip documentation, "Requirements File Format"."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from redan.kernels.packages.limits import LONGEST_LINE, MOST_PACKAGES
from redan.kernels.packages.model import Include, Manifest, Option, Package, Problem, Role
from redan.kernels.packages.names import without_credentials
from redan.kernels.packages.requirement import NotRequirementError, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_ADDRESSES = frozenset({"index-url", "extra-index-url", "find-links", "pypi-url"})


class _Reading:
    """What one file has given so far."""

    def __init__(self, path: str, role: Role) -> None:
        self.path = path
        self.role = role
        self.packages: list[Package] = []
        self.options: list[Option] = []
        self.includes: list[Include] = []
        self.problems: list[Problem] = []

    def requirement(self, text: str, line: int, *, editable: bool = False) -> None:
        hashes = tuple(sorted({m[1].lower() for m in _HASH.finditer(text)}))
        plain = _INSTALL_OPTION.sub("", _HASH.sub("", text)).strip()
        try:
            found = parse(plain, role=self.role, path=self.path, line=line)
        except NotRequirementError as error:
            self.problems.append(Problem(line=line, why=str(error)))
            return
        source = replace(found.source, kind="editable") if editable and found.source.kind == "path" else found.source
        self.packages.append(replace(found, hashes=tuple(sorted({*hashes, *found.hashes})), source=source))

    def option(self, text: str, line: int) -> None:
        name, value = _split(text)
        if name in ("requirement", "constraint"):
            self.includes.append(Include(path=value, line=line, constraints=name == "constraint"))
        elif name == "editable":
            self.requirement(value, line, editable=True)
        elif name in _ADDRESSES:
            clean, had = without_credentials(value)
            self.options.append(Option(name=name, value=clean, line=line, credentials=had))
        else:
            self.options.append(Option(name=name, value=value, line=line))


def read_requirements(text: str, path: str, *, constraints: bool = False) -> Manifest:
    """Read a requirements file.

    Args:
        text: its content.
        path: its path as reports show it.
        constraints: whether its lines only bound versions.
    """
    reading = _Reading(path, "constraint" if constraints else "declared")
    complete = True
    for line, logical in logical_lines(text):
        if len(logical) > LONGEST_LINE or len(reading.packages) >= MOST_PACKAGES:
            reading.problems.append(Problem(line=line, why="the line is too long, or the file has too many"))
            complete = False
            break
        if logical.startswith("-"):
            for part in _options(logical):
                reading.option(part, line)
        else:
            reading.requirement(logical, line)
    return Manifest(
        path=path,
        kind="constraints" if constraints else "requirements",
        packages=tuple(reading.packages),
        options=tuple(reading.options),
        includes=tuple(reading.includes),
        problems=tuple(reading.problems),
        complete=complete,
    )


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, continuations joined, comments and empty lines left out."""
    parts: list[str] = []
    first = 0
    # a form feed or a Unicode separator ends no line for pip's reader, which opens the file as text
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        first = first if parts else number
        goes_on = raw.endswith("\\") and not raw.lstrip().startswith("#")
        parts.append(raw[:-1] if goes_on else raw)
        if goes_on:
            continue
        logical = _COMMENT.sub("", " ".join(parts)).strip()
        parts = []
        if logical:
            yield first, logical
    if parts and (logical := _COMMENT.sub("", " ".join(parts)).strip()):
        yield first, logical


def _options(logical: str) -> Iterator[str]:
    """Split a line that sets several options at once."""
    yield from (part.strip() for part in re.split(r"\s(?=--[a-z])", logical) if part.strip())


def _split(text: str) -> tuple[str, str]:
    """Return an option's long name and its value."""
    for short, long in _SHORT.items():
        if text.startswith(short) and not text.startswith("--"):
            return long, _plain(text[2:].lstrip("= "))
    word, _, rest = text.partition(" ")
    name, equals, value = word.removeprefix("--").partition("=")
    given = value if equals else rest if name in _WITH_VALUE else ""
    return name, _plain(given)


def _plain(value: str) -> str:
    return value.strip().strip("\"'")

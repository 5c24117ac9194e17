"""TOML of package managers: parsed within bounds, and looked into without trusting any kind of value."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from redan.kernels.packages.limits import MOST_DOTS

_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")


_MOST_STEPS = 200_000
"""Lines that are looked at again, all searches of one file together; a hostile file could ask for millions."""


_LONGEST_SEARCHED = 5_000
"""Characters of a line that is searched."""


class UnreadableError(ValueError):
    """A file that is not what its name says, or more than is read."""


def parse(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        UnreadableError: it is no TOML, or nested beyond what is read.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > MOST_DOTS and _STRING.sub("", line).count(".") > MOST_DOTS:
            raise UnreadableError(f"line {number} has a key of more than {MOST_DOTS} parts")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise UnreadableError("values are nested too deep") from error
    except ValueError as error:
        raise UnreadableError(f"no TOML: {error}") from error


def table(value: Any, *keys: str) -> dict[str, Any]:
    """Return the table at a path of keys, or an empty one where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def rows(value: Any) -> list[dict[str, Any]]:
    """Return the tables of a list, leaving out what is none."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def strings(value: Any) -> list[str]:
    """Return the strings of a list, leaving out what is none."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def word(value: Any) -> str:
    """Return a string, or an empty one for anything else."""
    return value if isinstance(value, str) else ""


class Lines:
    """Finds the line on which something is said, since parsed values have forgotten it.

    Args:
        text: the file.
    """

    def __init__(self, text: str) -> None:
        # in a file without line breaks the number of a line says nothing, and searching it again and again has no end
        self._lines = [line if len(line) <= _LONGEST_SEARCHED else "" for line in text.splitlines()]
        self._next = 0
        self._left = 8 * len(self._lines) + _MOST_STEPS

    def of(self, *words: str) -> int:
        """Return the first line, from 1, that holds every word; 0 when there is none, or when too much was searched.

        The search goes on where the last one ended and wraps round, so that a file in order is read once.
        """
        n_lines = len(self._lines)
        for step in range(min(n_lines, self._left)):
            self._left -= 1
            at = (self._next + step) % n_lines
            if all(w in self._lines[at] for w in words):
                self._next = at
                return at + 1
        return 0

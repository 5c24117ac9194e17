"""The texts of any file: one for a plain text, many with addresses for a notebook, none for a binary."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from redan.core.record import dataclass
from redan.kernels.notebooks.reading import Part, parse
from redan.kernels.text import MOST_BYTES, read_text

_MEDIA = {
    ".py": "text/x-python",
    ".ipynb": "notebook",
    ".md": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".jsonl": "application/json",
    ".yaml": "text/x-yaml",
    ".yml": "text/x-yaml",
    ".toml": "text/x-toml",
    ".sh": "text/x-shellscript",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What a file says.

    Attributes:
        format: slug: ``notebook``, or the ending without its dot, or ``text``.
        parts: its texts.
    """

    format: str
    parts: tuple[Part, ...]


def texts(path: Path, most_bytes: int = MOST_BYTES) -> Texts | None:
    """Read a file, or return None when it is binary.

    Raises:
        Unreadable: it cannot be read, is too large, or is a broken notebook.
    """
    found = read_text(path, most_bytes)
    if found is None:
        return None
    media = _MEDIA.get(path.suffix.lower(), "text/plain")
    if media == "notebook":
        return Texts(format="notebook", parts=tuple(parse(found.text).parts()))
    whole = Part(address="", kind="source", media_type=media, text=found.text, path=())
    return Texts(format=path.suffix.lower().lstrip(".") or "text", parts=(whole,))


def starts_of_lines(text: str) -> list[int]:
    """Return the offset of every line."""
    starts, at = [0], text.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = text.find("\n", at + 1)
    return starts


def address_of(part: Part, starts: list[int], offset: int) -> str:
    """Say where in a file a character of a part stands: ``line 12``, ``cell 3, output 1, line 2``."""
    line = bisect_right(starts, offset)
    if len(starts) == 1 and part.address:
        return part.address
    return f"{part.address}, line {line}" if part.address else f"line {line}"

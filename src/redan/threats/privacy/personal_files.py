"""Files with data of people as columns of cells: tables, JSON lines, texts by line, and the metadata of pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redan.core.errors import MissingDependency, Unreadable

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
TEXTS = (".txt", ".log", ".md", ".json", ".xml", ".html", ".sql")
PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")

MOST_TEXT_BYTES = 256 << 20
MOST_LINE_CHARACTERS = 1 << 16
MOST_TAG_CHARACTERS = 4096
"""Bytes of a text, characters of a line that are looked at together, and characters of a picture's tag."""

_TAGS = {0x010E: "description", 0x013B: "artist", 0x8298: "copyright", 0x9C9D: "author", 0x8825: "gps"}
_OWNER = {0xA430: "camera owner", 0xA431: "camera serial number", 0x9286: "comment"}
_EXIF, _GPS = 0x8769, 0x8825


def columns_of(path: Path) -> dict[str, list[Any]] | None:
    """Return the columns of a file: those of a table, ``text`` for the lines of a text, or nothing for other files.

    Raises:
        Unreadable: damaged or beyond a limit.
        MissingDependency: the library that reads this format is not installed.
    """
    ending = path.suffix.lower()
    if ending in TABLES:
        from redan.evidence.datasets.rows import read_rows

        return read_rows(path).columns
    if ending in TEXTS:
        return {"text": list(_lines(path))}
    return None


def _lines(path: Path) -> Iterator[str]:
    try:
        if path.stat().st_size > MOST_TEXT_BYTES:
            raise Unreadable(f"{path.name!r} has more than {MOST_TEXT_BYTES} bytes", hint="give it in parts")
        with path.open(encoding="utf-8", errors="replace") as stream:
            while line := stream.readline(MOST_LINE_CHARACTERS):
                yield line
    except OSError as err:
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror}") from err


def metadata_of(path: Path) -> dict[str, str]:
    """Return the tags of a picture that tell of people or places; no pixel is decoded.

    Raises:
        Unreadable: no picture that Pillow opens.
        MissingDependency: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as err:
        raise MissingDependency.of("PIL", "data", "reading the metadata of pictures") from err
    try:
        with Image.open(path) as picture:
            exif = picture.getexif()
            found = {name: _shown(exif.get(tag)) for tag, name in _TAGS.items() if tag != _GPS}
            found |= {name: _shown(exif.get_ifd(_EXIF).get(tag)) for tag, name in _OWNER.items()}
            place = exif.get_ifd(_GPS)
            if 2 in place and 4 in place:
                found["gps"] = f"{_shown(place[2])} {_shown(place[4])}"
            words = {str(key).lower(): value for key, value in picture.info.items() if isinstance(value, str)}
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as err:
        raise Unreadable(f"{path.name!r} is no readable picture") from err
    found |= {key: _shown(value) for key, value in words.items() if key in ("author", "comment", "description")}
    return {name: text for name, text in found.items() if text}


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace").replace("\0", "")
    return "" if value is None else str(value).strip()[:MOST_TAG_CHARACTERS]

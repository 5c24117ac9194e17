"""Texts with a label each: a column of a table, or a field of JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch, UnknownName, Unreadable
from redan.subjects.data.source import Rows, Source
from redan.subjects.digests import of_file, uri

TEXT_NAMES = (
    "text", "sentence", "review", "message", "content", "body", "comment", "document", "tweet", "title", "description",
)  # fmt: skip
"""Names of the column that holds the texts, the first that is there."""
LABEL_NAMES = ("label", "labels", "class", "target", "category", "sentiment", "y")
"""Names of the column that holds the classes, where nobody named one."""
MOST_CHARACTERS = 131_072
"""Signs of the longest text; the same as of the longest cell of a CSV file."""
MOST_BYTES = 1 << 30
"""Of a file of JSON lines."""


def as_texts(texts: list[str]) -> NDArray[Any]:
    """Return texts as an array of objects: in one of fixed width the longest text sets the size of all."""
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array


def check_texts(x: NDArray[Any], name: str) -> NDArray[Any]:
    """Insist on texts of bearable length.

    Raises:
        ShapeMismatch: one is longer.
    """
    lengths = [len(text) for text in x.tolist()]
    if max(lengths, default=0) > MOST_CHARACTERS:
        row = int(np.argmax(lengths))
        raise ShapeMismatch(
            f"text {row} of {name!r} has {lengths[row]} characters; expected at most {MOST_CHARACTERS}",
            hint="cut long documents into parts as the model is asked about them",
        )
    return x if x.dtype == object else as_texts(x.tolist())


def text_column(columns: list[str], label: str) -> tuple[int, int] | None:
    """Return the places of the text and the label among columns, None where their names do not tell."""
    lower = [column.lower() for column in columns]
    place = columns.index(label) if label in columns else None
    if not label:
        named = [lower.index(name) for name in LABEL_NAMES if name in lower]
        place = named[0] if named else len(columns) - 1
    if place is None or len(columns) < 2:
        return None
    if len(columns) == 2:
        return 1 - place, place
    texts = [lower.index(name) for name in TEXT_NAMES if name in lower and lower.index(name) != place]
    return (texts[0], place) if texts else None


def text_source(name: str, sha256: str, texts: list[str], labels: NDArray[Any]) -> Source:
    """Return texts with raw labels as a source."""
    x = as_texts(texts)
    return Source(
        name=name,
        n=len(x),
        read=lambda start, stop: Rows(x=x[start:stop], labels=labels[start:stop]),
        label_values=labels,
        sha256=sha256,
    )


def from_jsonl(path: Path, label: str) -> Source:
    """Read JSON lines: an object each, with a text and a label.

    Raises:
        Unreadable: too large, no UTF-8, or a line that is no JSON object.
        ShapeMismatch: a line without text or label.
        UnknownName: no such label field.
    """
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable(f"{uri(path)!r} is larger than {MOST_BYTES >> 20} MiB", hint="give a part of it")
    sha256, _ = of_file(path)
    lines = [(number, row) for number, row in enumerate(_lines(path)) if row]
    if not lines:
        raise Unreadable(f"{uri(path)!r} has no lines")
    columns = [str(key) for key in lines[0][1]]
    if label and label not in columns:
        raise UnknownName.among(f"field in {path.name}", label, columns)
    places = text_column(columns, label)
    if places is None:
        raise ShapeMismatch(
            f"the fields of {path.name!r} are {', '.join(columns[:8])}; expected a text and a label",
            hint=f"call the text {TEXT_NAMES[0]!r}, and name the label with --label",
        )
    text, answer = (columns[place] for place in places)
    for number, row in lines:
        if not isinstance(row.get(text), str) or not isinstance(row.get(answer), (str, int)):
            raise ShapeMismatch(f"line {number + 1} of {path.name!r} has no text in {text!r} or no class in {answer!r}")
    labels = [row[answer] for _, row in lines]
    whole = all(isinstance(value, int) for value in labels)
    raw = np.array(labels if whole else list(map(str, labels)), dtype=None if whole else np.str_)
    return text_source(path.name, sha256, [row[text] for _, row in lines], raw)


def _lines(path: Path) -> list[dict[str, Any]]:
    found = []
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream):
                row = json.loads(line) if line.strip() else {}
                if not isinstance(row, dict):
                    raise Unreadable(f"line {number + 1} of {uri(path)!r} is no JSON object")
                found.append(row)
    except (UnicodeDecodeError, ValueError, RecursionError) as err:
        raise Unreadable(f"{uri(path)!r} is no UTF-8 text of JSON lines: {err}") from err
    return found

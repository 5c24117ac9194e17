"""Read a notebook file without running anything.

Every string of the document is in exactly one part, also those that the format does not know, so that nothing is
passed over. Source: nbformat, the notebook file format, versions 3 and 4.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from redan.core.errors import Unreadable
from redan.core.record import dataclass
from redan.kernels.text import read_text

MOST_BYTES = 32 << 20
"""Size of a notebook that is read."""
MOST_VALUES = 2_000_000
MOST_STRINGS = 200_000
MOST_CELLS = 20_000
"""Values, strings among them, and cells of one notebook; each takes memory whatever its length in the file."""

Kind = Literal["source", "output", "attachment", "metadata"]
Step = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One text of a notebook.

    Attributes:
        address: where a person finds it: ``cell 3``, ``cell 3, output 1``, ``cell 2, attachment logo.svg``,
            ``metadata, kernelspec, name``; cells and outputs are counted from 1.
        kind: what it is to the reader.
        media_type: of an output or attachment; ``text/x-python`` or its like for source, ``text/x-traceback`` for
            errors, ``text/plain`` for strings inside JSON.
        text: the characters; lines of a list are joined.
        path: keys and indices that lead to it in the document, where it is a string or a list of strings.
        name: the nearest key, for strings inside JSON.
    """

    address: str
    kind: Kind
    media_type: str
    text: str
    path: tuple[Step, ...]
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell.

    Attributes:
        number: its place from 1, over all worksheets.
        kind: ``code``, ``markdown``, ``raw``, ``heading`` … as the file says.
        source: what stands in it.
        parts: its source, outputs, attachments and metadata, in this order.
        execution_count: when it last ran, None if it never did.
    """

    number: int
    kind: str
    source: Part
    parts: tuple[Part, ...]
    execution_count: int | None = None

    @property
    def outputs(self) -> tuple[Part, ...]:
        """Texts of its outputs; one for each representation."""
        return tuple(part for part in self.parts if part.kind == "output")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notebook:
    """A notebook.

    Attributes:
        version: format, 3 or 4.
        language: of its code cells, lower case; ``python`` when it does not say.
        cells: in order.
        metadata: texts outside the cells.
        document: the JSON as it was read.
    """

    version: int
    language: str
    cells: tuple[Cell, ...]
    metadata: tuple[Part, ...]
    document: dict[str, Any]

    def parts(self) -> Iterator[Part]:
        """Yield every text: cells in order, then the metadata of the notebook."""
        for cell in self.cells:
            yield from cell.parts
        yield from self.metadata


def read_notebook(path: Path, most_bytes: int = MOST_BYTES) -> Notebook:
    """Read a notebook file.

    Raises:
        Unreadable: not readable, too large, no JSON, or no notebook.
    """
    found = read_text(path, most_bytes)
    if found is None:
        raise Unreadable("no text, so no notebook")
    return parse(found.text)


def parse(text: str) -> Notebook:
    """Read a notebook from its JSON text.

    Raises:
        Unreadable: no JSON, too many values, or no notebook.
    """
    if sum(map(text.count, ",[{")) > MOST_VALUES:
        raise Unreadable(f"more than the {MOST_VALUES:,} values that are read of a notebook")
    if text.count('"') - text.count('\\"') > 2 * MOST_STRINGS:
        raise Unreadable(f"more than the {MOST_STRINGS:,} strings that are read of a notebook")
    try:
        document = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as err:
        raise Unreadable(f"no JSON, so no notebook: {err}") from err
    if not isinstance(document, dict):
        raise Unreadable("the JSON is no object, so no notebook")
    found = list(_cells(document))
    if len(found) > MOST_CELLS:
        raise Unreadable(f"more than the {MOST_CELLS:,} cells that are read of a notebook")
    if not found and "nbformat" not in document:
        raise Unreadable("the JSON has neither cells nor nbformat, so it is no notebook")
    language = _language(document)
    cells = tuple(_cell(number, cell, path, language) for number, (cell, path) in enumerate(found, 1))
    taken = frozenset(path for _, path in found)
    metadata = tuple(_leaves(document, (), "", "metadata", taken))
    version = 3 if "worksheets" in document else 4
    return Notebook(version=version, language=language, cells=cells, metadata=metadata, document=document)


def _cells(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[Step, ...]]]:
    yield from _listed(document.get("cells"), ("cells",))
    sheets = document.get("worksheets")
    for number, sheet in enumerate(sheets if isinstance(sheets, list) else ()):
        if isinstance(sheet, dict):
            yield from _listed(sheet.get("cells"), ("worksheets", number, "cells"))


def _listed(found: Any, path: tuple[Step, ...]) -> Iterator[tuple[dict[str, Any], tuple[Step, ...]]]:
    for number, each in enumerate(found if isinstance(found, list) else ()):
        if isinstance(each, dict):
            yield each, (*path, number)


def _language(document: dict[str, Any]) -> str:
    metadata = _mapping(document.get("metadata"))
    for table, key in (("language_info", "name"), ("kernelspec", "language")):
        word = _mapping(metadata.get(table)).get(key)
        if isinstance(word, str) and word:
            return word.lower()
    return "python"


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _cell(number: int, cell: dict[str, Any], path: tuple[Step, ...], language: str) -> Cell:
    kind = cell.get("cell_type")
    kind = kind if isinstance(kind, str) else "code"
    address = f"cell {number}"
    key = "source" if "source" in cell or "input" not in cell else "input"
    media = f"text/x-{language}" if kind == "code" else "text/markdown" if kind in ("markdown", "heading") else ""
    text = joined(cell.get(key))
    source = Part(address=address, kind="source", media_type=media or "text/plain", text=text or "", path=(*path, key))
    parts = [] if text is None else [source]
    taken = {(*path, key)} if text is not None else set()
    for place, (output, where) in enumerate(_listed(cell.get("outputs"), (*path, "outputs")), 1):
        parts += _output(output, where, f"{address}, output {place}")
        taken.add(where)
    parts += _attachments(cell, path, address)
    taken.add((*path, "attachments"))
    parts += _leaves(cell, path, f"{address}, metadata", "metadata", frozenset(taken))
    count = cell.get("execution_count", cell.get("prompt_number"))
    return Cell(
        number=number,
        kind=kind,
        source=source,
        parts=tuple(parts),
        execution_count=count if isinstance(count, int) else None,
    )


_OLD_KEYS = {
    "text": "text/plain",
    "html": "text/html",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpeg": "image/jpeg",
    "latex": "text/latex",
    "json": "application/json",
    "javascript": "application/javascript",
    "pdf": "application/pdf",
}


def _output(output: dict[str, Any], path: tuple[Step, ...], address: str) -> Iterator[Part]:
    data = output.get("data")
    if isinstance(data, dict):
        for media, value in data.items():
            yield from _representation(value, media, (*path, "data", media), address)
    taken = {(*path, "data")} if isinstance(data, dict) else set()
    for key, media in _OLD_KEYS.items():
        if key in output:
            yield from _representation(output[key], media, (*path, key), address)
            taken.add((*path, key))
    lines = output.get("traceback")
    if isinstance(lines, list):
        for number, line in enumerate(lines):
            yield from _representation(line, "text/x-traceback", (*path, "traceback", number), address)
        taken.add((*path, "traceback"))
    yield from _leaves(output, path, address, "output", frozenset(taken))


def _representation(value: Any, media: str, path: tuple[Step, ...], address: str) -> Iterator[Part]:
    text = joined(value)
    if text is None:
        yield from _leaves(value, path, address, "output", frozenset())
    else:
        yield Part(address=address, kind="output", media_type=media, text=text, path=path)


def _attachments(cell: dict[str, Any], path: tuple[Step, ...], address: str) -> Iterator[Part]:
    found = cell.get("attachments")
    if not isinstance(found, dict):
        yield from _leaves(found, (*path, "attachments"), f"{address}, attachments", "metadata", frozenset())
        return
    for name, bundle in found.items():
        if not isinstance(bundle, dict):
            yield from _leaves(
                bundle, (*path, "attachments", name), f"{address}, attachment {name}", "attachment", frozenset()
            )
        for media, value in _mapping(bundle).items():
            where, text = (*path, "attachments", name, media), joined(value)
            place = f"{address}, attachment {name}"
            if text is None:
                yield from _leaves(value, where, place, "attachment", frozenset())
            else:
                yield Part(address=place, kind="attachment", media_type=media, text=text, path=where)


def _leaves(
    value: Any, path: tuple[Step, ...], address: str, kind: Kind, taken: frozenset[tuple[Step, ...]]
) -> Iterator[Part]:
    """Yield every string below a value, except what is taken by other parts."""
    if path in taken:
        return
    if isinstance(value, str):
        yield Part(
            address=_below(address, path, kind),
            kind=kind,
            media_type="text/plain",
            text=value,
            path=path,
            name=next((step for step in reversed(path) if isinstance(step, str)), ""),
        )
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, (*path, key), address, kind, taken)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _leaves(each, (*path, number), address, kind, taken)


def _below(address: str, path: tuple[Step, ...], kind: Kind) -> str:
    if kind != "metadata":
        return address
    keys = [str(step) for step in path if isinstance(step, str)]
    inside = keys[keys.index("metadata") + 1 :] if "metadata" in keys else keys[1:] if address else keys
    return ", ".join([address or "metadata", *inside])


def joined(value: Any) -> str | None:
    """Return a string, or the lines of a list of strings, as one text; None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return "".join(value)
    return "" if value == [] else None

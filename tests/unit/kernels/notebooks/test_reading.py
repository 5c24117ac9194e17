"""Notebooks: every string of the file is in exactly one part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redan.core.errors import Unreadable
from redan.kernels.notebooks import parse, read_notebook
from redan.kernels.notebooks.reading import MOST_CELLS, MOST_STRINGS, MOST_VALUES

FOUR: dict[str, Any] = {
    "nbformat": 4,
    "metadata": {"kernelspec": {"name": "python3", "language": "Python"}, "authors": [{"name": "A"}]},
    "cells": [
        {"cell_type": "markdown", "source": ["# T\n", "x"], "attachments": {"a.svg": {"image/svg+xml": "<svg/>"}}},
        {
            "cell_type": "code",
            "execution_count": 7,
            "source": "print(1)",
            "metadata": {"tags": ["t"]},
            "outputs": [
                {"output_type": "stream", "name": "stdout", "text": ["1\n", "2\n"]},
                {"output_type": "execute_result", "data": {"text/html": "<b>", "application/json": {"k": ["v"]}}},
                {"output_type": "error", "ename": "E", "evalue": "why", "traceback": ["line 1", "line 2"]},
            ],
        },
    ],
}
THREE = {
    "nbformat": 3,
    "worksheets": [
        {
            "cells": [
                {
                    "cell_type": "code",
                    "input": ["a = 1"],
                    "prompt_number": 2,
                    "outputs": [{"output_type": "pyout", "html": "<i>", "text": "t"}],
                }
            ]
        }
    ],
}


def test_format_four_is_read_with_addresses_that_people_find() -> None:
    found = parse(json.dumps(FOUR))
    seen = [(part.address, part.media_type, part.text) for part in found.parts()]
    assert found.language == "python"
    assert [row for row in seen if row[2] not in ("stream", "execute_result", "error")][:9] == [
        ("cell 1", "text/markdown", "# T\nx"),
        ("cell 1, attachment a.svg", "image/svg+xml", "<svg/>"),
        ("cell 1, metadata, cell_type", "text/plain", "markdown"),
        ("cell 2", "text/x-python", "print(1)"),
        ("cell 2, output 1", "text/plain", "1\n2\n"),
        ("cell 2, output 1", "text/plain", "stdout"),
        ("cell 2, output 2", "text/html", "<b>"),
        ("cell 2, output 2", "text/plain", "v"),
        ("cell 2, output 3", "text/x-traceback", "line 1"),
    ]
    assert ("metadata, authors, name", "text/plain", "A") in seen
    assert ("cell 2, metadata, tags", "text/plain", "t") in seen
    assert found.cells[1].execution_count == 7


def test_format_three_is_read() -> None:
    found = parse(json.dumps(THREE))
    assert found.version == 3
    assert [(part.address, part.text) for part in found.parts()][:3] == [
        ("cell 1", "a = 1"),
        ("cell 1, output 1", "t"),
        ("cell 1, output 1", "<i>"),
    ]
    assert found.cells[0].execution_count == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["source", "outputs", "data", "text", "metadata", "cells", "attachments", "traceback", "k"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


def strings(value: Any) -> list[str]:
    """Every string value of a document."""
    if isinstance(value, str):
        return [value]
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in below for text in strings(each)]


@given(cells=st.lists(JSON, max_size=3), rest=JSON)
def test_no_string_of_any_document_is_passed_over(cells: list[Any], rest: Any) -> None:
    document = {"nbformat": 4, "cells": cells, "rest": rest}
    for cell in cells:
        if isinstance(cell, dict):
            cell["outputs"] = cell.get("outputs") or [{"output_type": "odd", "data": {"text/html": rest}}]
    found = parse(json.dumps(document))
    places = [part.path for part in found.parts()]
    assert len(places) == len(set(places))
    told = sorted("".join(part.text for part in found.parts()))
    assert told == sorted("".join(strings(document)))


def test_broken_files_are_refused_in_words(tmp_path: Path) -> None:
    for data, words in [
        (b'{"cells": [', "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no object"),
        (b"{}", "neither cells nor nbformat"),
        (b"\x80\x04\x95\0\0\0", "no text"),
        (b'{"cells": [' + b"0," * MOST_VALUES + b"0]}", "values"),
        (b'{"cells": [' + b'"",' * MOST_STRINGS + b'""]}', "strings"),
        (b'{"cells": [' + b"{}," * MOST_CELLS + b"{}]}", "cells that are read"),
    ]:
        path = tmp_path / "a.ipynb"
        path.write_bytes(data)
        with pytest.raises(Unreadable, match=words):
            read_notebook(path)

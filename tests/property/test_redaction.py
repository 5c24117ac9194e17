"""The clean copy of any notebook has no findings, and what had none stays as it was."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from redan.kernels import personal, secrets
from redan.kernels.notebooks import parse
from redan.kernels.notebooks.redaction import redacted

PIECES = (
    "token = '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'\n",
    'password = "Tr0ub4dor&3x"\n',
    "Tr0ub4dor&3x seen again\n",
    'x = "ghp_zQWBuTSOoRi4A9sp" + "HcVY5ncnsDkxkJ0mLq17"\n',
    "\\u0067hp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17 ",
    "| name | email |\n|---|---|\n| Jane Roe | jane@clinic.de |\n",
    "<table><tr><th>name</th><th>dob</th><th>password</th></tr>"
    "<tr><td>Jo Li</td><td>1990-01-02</td><td>Zx9!kkq2Lm</td></tr></table>",
    "postgresql://bob:q8Zt1LmV0xP4@db/x ",
    "iban DE89 3704 0044 0532 0130 00 ",
    "print('hello')\n",
    '"',
    "\\",
    "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n" * 3,
    "-----END PRIVATE KEY-----\n",
    "+49 151 2345 6789 ",
    "héllo 🙂\n",
)
TEXT = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
SOURCE = TEXT | TEXT.map(lambda text: text.splitlines(keepends=True))
OUTPUT = st.builds(lambda text: {"output_type": "stream", "text": text}, SOURCE) | st.builds(
    lambda text, key: {"output_type": "display_data", "data": {"text/html": text, "application/json": {key: text}}},
    TEXT,
    st.sampled_from(["password", "email", "x"]),
)
CELL = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown"]), "source": SOURCE, "outputs": st.lists(OUTPUT, max_size=2)}
)


def findings(text: str) -> list[str]:
    """Everything that is found in a notebook."""
    found = []
    for part in parse(text).parts():
        found += [s.kind for s in secrets.find(part.text, media_type=part.media_type, name=part.name)]
        if part.kind == "output":
            found += [p.kind for p in personal.find(part.text, media_type=part.media_type, name=part.name)]
    return found


def shape(value: Any) -> Any:
    """The document with its strings and lists of strings left out."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list) and not all(isinstance(each, str) for each in value):
        return [shape(each) for each in value]
    return "text" if isinstance(value, str | list) else value


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(CELL, max_size=3), drop=st.booleans())
def test_the_clean_copy_has_no_findings(cells: list[dict[str, Any]], drop: bool) -> None:
    document = {"nbformat": 4, "metadata": {"k": [1, None, True]}, "cells": cells}
    text = json.dumps(document, indent=1)
    clean = redacted(text, drop_outputs=drop)
    assert findings(clean.text) == []
    if not findings(text):
        assert json.loads(clean.text) == document
    if not drop:
        assert shape(json.loads(clean.text)) == shape(document)

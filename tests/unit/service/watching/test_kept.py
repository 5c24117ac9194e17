"""Rows come out of a recorded body as the gateway read them, in every form that it takes; what is odd gives none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.service.guards.standing import served

from redan.service.gateway import native, v2
from redan.service.watching.kept import rows_in

COLUMNS = ("b", "a", "ä")
X = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def tensors(*, binary: bool, by_column: bool = False) -> bytes:
    parts = [(name, X[:, i : i + 1]) for i, name in reversed(list(enumerate(COLUMNS)))] if by_column else [("x", X)]
    inputs = [
        {"name": name, "shape": part.shape, "datatype": "FP32"}
        | ({"parameters": {"binary_data_size": part.nbytes}} if binary else {"data": part.ravel().tolist()})
        for name, part in parts
    ]
    tail = b"".join(part.tobytes() for _, part in parts) if binary else b""
    return json.dumps({"inputs": inputs}, ensure_ascii=False).encode() + tail


BODIES = {
    "native": json.dumps({"x": X.tolist()}).encode(),
    "native, by name": json.dumps({"rows": [dict(zip(COLUMNS, row, strict=True)) for row in X.tolist()]}).encode(),
    "a row a line": b"\n".join(json.dumps(row).encode() for row in X.tolist()),
    "lists of rows a line": json.dumps(X[:2].tolist()).encode() + b"\n" + json.dumps(X[2:].tolist()).encode() + b"\n",
    "v2": tensors(binary=False),
    "v2, binary": tensors(binary=True),
    "v2, by column": tensors(binary=False, by_column=True),
    "v2, by column and binary": tensors(binary=True, by_column=True),
}


@pytest.mark.parametrize("form", BODIES)
def test_every_form_of_a_request_gives_its_rows(form: str) -> None:
    found = rows_in(BODIES[form], len(X), COLUMNS)
    assert found is not None
    assert np.array_equal(found.astype(np.float32), X)


def test_they_are_what_the_gateway_read() -> None:
    model = served(3, columns=COLUMNS)
    for form in ("native", "native, by name"):
        assert np.array_equal(native.rows(BODIES[form], model, 100), X)
    for form in ("v2", "v2, by column"):
        assert np.array_equal(v2.question(BODIES[form], None, model, 100).x, X)
    body = BODIES["v2, by column and binary"]
    assert np.array_equal(v2.question(body, body.rindex(b"}") + 1, model, 100).x, X)


def test_a_body_that_two_addresses_would_read_otherwise_is_believed_in_neither() -> None:
    both = json.loads(BODIES["native"]) | json.loads(tensors(binary=False))
    assert rows_in(json.dumps(both).encode(), len(X), COLUMNS) is None
    assert rows_in(BODIES["native"], len(X) + 2, COLUMNS) is None
    assert rows_in(BODIES["native, by name"], len(X), ()) is None


@given(body=st.one_of(st.binary(max_size=60), st.sampled_from(sorted(BODIES.values())).map(lambda body: body[:-3])))
def test_whatever_was_kept_gives_rows_or_none(body: bytes) -> None:
    found = rows_in(body, 5, COLUMNS)
    assert found is None or found.shape[0] == 5


def test_deep_bodies_end() -> None:
    assert rows_in(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 1, ()) is None

"""Whatever is sent as a body is either rows of the model's shape or a refusal; nothing else can come of it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.plane import model

from redan.service.gateway import native, v2
from redan.service.gateway.paths import address, is_odd
from redan.service.gateway.tensors import DTYPES, from_bytes, from_json, to_bytes
from redan.service.web.errors import Refused, refusal_of

NUMBERS = [name for name in DTYPES if name not in {"BYTES", "BF16"}]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["x", "rows", "shape", "data"]), inner),
    max_leaves=12,
)
TENSOR = st.fixed_dictionaries(
    {
        "name": st.just("x") | JSON,
        "shape": st.lists(st.sampled_from([-1, 0, 1, 2, 30, 1 << 40]), max_size=4) | JSON,
        "datatype": st.sampled_from([*DTYPES, "FP65", ""]) | JSON,
    },
    optional={
        "data": st.lists(st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=3) | JSON,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(-1, 40) | JSON}) | JSON,
    },
)
REQUEST = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=3) | JSON},
    optional={"id": JSON, "outputs": JSON, "parameters": JSON},
)


def rows_or_refusal(decode: Any) -> None:
    try:
        x = decode()
    except Exception as error:  # noqa: BLE001  # what the gateway makes of it is judged
        failure = error
    else:
        failure = None
    if failure is not None:
        assert 400 <= refusal_of(failure).status < 500, failure
        return
    assert x.shape[1:] == (30,)
    assert x.dtype == np.float64
    assert 1 <= len(x) <= 8


@settings(max_examples=150, deadline=None)
@given(JSON | st.binary(max_size=50) | st.fixed_dictionaries({"x": JSON}) | st.fixed_dictionaries({"rows": JSON}))
def test_native_bodies_are_rows_or_a_refusal(body: Any) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    rows_or_refusal(lambda: native.rows(data, model(), 8))


@settings(max_examples=250, deadline=None)
@given(REQUEST, st.binary(max_size=64), st.integers(-1, 400) | st.none())
def test_open_inference_bodies_are_rows_or_a_refusal(document: Any, tail: bytes, cut: int | None) -> None:
    head = json.dumps(document).encode()
    rows_or_refusal(lambda: v2.question(head + tail, len(head), model(), 8).x)
    rows_or_refusal(lambda: v2.question(head + tail, cut, model(), 8).x)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(NUMBERS))
def test_tensors_come_back_as_they_were_written(data: st.DataObject, datatype: str) -> None:
    dtype = DTYPES[datatype]
    array = data.draw(arrays.arrays(dtype, arrays.array_shapes(max_dims=3, max_side=4)))
    back = from_bytes(memoryview(to_bytes(array, datatype)), datatype, array.shape)
    assert back.tobytes() == array.tobytes()
    if np.isfinite(array).all():
        for shown in (array.ravel().tolist(), array.tolist()):
            told = from_json(json.dumps(shown).encode(), datatype, array.shape)  # type: ignore[arg-type]
            assert np.array_equal(told.astype(dtype), array)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.lists(st.integers(-2, 5), max_size=3), st.sampled_from([*DTYPES]))
def test_bytes_of_a_tensor_fit_its_shape_or_are_refused(data: bytes, shape: list[int], datatype: str) -> None:
    try:
        array = from_bytes(memoryview(data), datatype, tuple(shape))
    except Refused:
        return
    assert list(array.shape) == shape


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="/v12models.;%2ef\\infer-predictx", max_size=60).map(str.encode))
def test_an_address_that_means_something_is_never_odd(path: bytes) -> None:
    found = address(path)
    if found is not None:
        assert not is_odd(path)
        assert found.name not in {".", ".."}

# ruff: noqa: E501 - tables of objects
"""Objects of the standard library, NumPy, pandas and SciPy as models carry them: none is unsafe, few are unknown."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import functools
import io
import ipaddress
import itertools
import logging
import math
import operator
import pathlib
import pickle
import random
import re
import statistics
import types
import typing
import urllib.parse
import uuid
import zoneinfo

import numpy as np
import pandas as pd
import pytest
import scipy.interpolate
import scipy.sparse
import scipy.spatial
import scipy.stats

from redan.kernels.artifacts import inspect, inspect_bytes

STANDARD = {
    "pattern": re.compile("a+", re.IGNORECASE), "uuid": uuid.UUID(int=7), "decimal": decimal.Decimal("1.1"),
    "context": decimal.Context(prec=4), "fraction": fractions.Fraction(1, 2), "path": pathlib.Path("a/b"),
    "windows path": pathlib.PureWindowsPath("a"), "deque": collections.deque([1], 3), "counter": collections.Counter("ab"),
    "default": collections.defaultdict(functools.partial(collections.defaultdict, int)), "user": collections.UserDict({1: 2}),
    "chain": collections.ChainMap({1: 2}), "namespace": types.SimpleNamespace(a=1), "getter": operator.itemgetter(1, 2),
    "attribute": operator.attrgetter("a.b"), "random": random.Random(1), "address": ipaddress.ip_network("10.0.0.0/8"),
    "range": range(3), "slice": slice(1, 2), "complex": 1j, "ellipsis": ..., "errors": [ValueError("x"), KeyError("a")],
    "missing": FileNotFoundError(2, "no", "x"), "types": [dict, list, str, type(None)], "function": math.sqrt,
    "builtin": len, "partial": functools.partial(round, ndigits=2), "count": itertools.count(3),
    "logger": logging.getLogger("x"), "formatter": logging.Formatter(), "parsed": urllib.parse.urlparse("http://a/b"),
    "zone": zoneinfo.ZoneInfo("UTC"), "time": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    "delta": datetime.timedelta(1), "bytes": io.BytesIO(b"x"), "text": io.StringIO("x"), "alias": list[int],
    "optional": typing.Optional[int],  # noqa: UP045 - the older spelling is what is pickled
     "distribution": statistics.NormalDist(0, 1), "zip": zip([1], [2], strict=False),
}  # fmt: skip

ARRAYS = {
    "generator": np.random.default_rng(1), "state": np.random.RandomState(1), "philox": np.random.Philox(1),
    "seeds": np.random.SeedSequence(1), "date": np.datetime64("2020"), "dtype": np.dtype([("a", "f4")]),
    "record": np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), "masked": np.ma.array([1, 2], mask=[0, 1]),
    "polynomial": np.polynomial.Chebyshev([1, 2]), "old polynomial": np.poly1d([1, 2]), "objects": np.array([{1: 2}, None]),
    "text": np.array(["a", "bb"]), "half": np.float16(1), "bool": np.bool_(1), "ufunc": np.exp, "mean": np.mean,
    "clip": functools.partial(np.clip, a_min=0, a_max=1), "vectorised": np.vectorize(math.sqrt), "matrix": np.matrix([[1]]),
    **{f"sparse {f}": scipy.sparse.eye(3, format=f) for f in ("csr", "csc", "coo", "lil", "dok", "dia", "bsr")},
    "normal": scipy.stats.norm(0, 1), "kde": scipy.stats.gaussian_kde([1.0, 2, 3]), "tree": scipy.spatial.KDTree(np.eye(3)),
    "compiled tree": scipy.spatial.cKDTree(np.eye(3)), "cubic": scipy.interpolate.CubicSpline([1, 2, 3], [1, 2, 3]),
    "line": scipy.interpolate.interp1d([1, 2], [3, 4]), "spline": scipy.interpolate.UnivariateSpline([1, 2, 3, 4], [1, 2, 3, 4]),
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": pd.Categorical(["u", "v"]), "e": pd.array([1, None], dtype="Int64")}),
    "series": pd.Series([1.0, 2]), "timestamp": pd.Timestamp("2020", tz="UTC"), "period": pd.Period("2020"), "na": pd.NA,
    "levels": pd.MultiIndex.from_tuples([(1, 2)]), "dates": pd.date_range("2020", periods=2), "offset": pd.offsets.BDay(),
    "month": pd.offsets.MonthEnd(2), "interval": pd.interval_range(0, 2), "holes": pd.arrays.SparseArray([0, 1]),
}  # fmt: skip


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("name", [*STANDARD, *(f"{n} " for n in ARRAYS)])
def test_object_in_a_model_is_safe(name, protocol):
    value = ARRAYS[name[:-1]] if name.endswith(" ") else STANDARD[name]
    try:
        data = pickle.dumps({"model": [1.0], "x": value}, protocol)
    except TypeError as error:
        pytest.skip(f"protocol {protocol} cannot write it: {error}")
    reading = inspect_bytes(data, "model.pkl")
    assert (reading.verdict, reading.reasons) == ("safe", ())


@pytest.mark.parametrize(
    "call",
    [b"cbuiltins\ntype\n(Vx\ntR.", b"cbuiltins\ntype\n(Vx\n)}tR.", b"coperator\ngetitem\n(cos\nenviron\nVa\ntR."],
)
def test_what_makes_classes_or_looks_up_is_still_unsafe(call):
    assert inspect_bytes(b"\x80\x02" + call, "model.pkl").verdict == "unsafe"


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize(
    "value",
    [
        str.lower, functools.partial(str.split, sep=","), functools.partial(np.linalg.norm, axis=1), np.add.reduce,
        np.random.default_rng(1).normal, scipy.stats.randint(1, 5), scipy.spatial.distance.cosine, pd.get_dummies,
        scipy.interpolate.interp1d([1, 2, 3], [3, 4, 5], kind="nearest"), pd.DateOffset(months=1), datetime.datetime.now,
        pd.DataFrame.fillna, {1: 2}.get, ipaddress.ip_interface("10.0.0.1/8"), random.Random(1).random, type(...),
    ],
)  # fmt: skip
def test_function_that_a_step_refers_to_is_safe(value, protocol):
    assert inspect_bytes(pickle.dumps({"step": value}, protocol), "model.pkl").reasons == ()


def test_array_of_a_mapped_file_is_safe_and_mapping_one_is_not(tmp_path):
    mapped = np.memmap(tmp_path / "numbers", dtype="f4", mode="w+", shape=(3,))
    assert inspect_bytes(pickle.dumps(mapped), "model.pkl").verdict == "safe"
    for name in ("numpy", "__main__"):
        call = b"\x80\x02cfunctools\npartial\nc" + name.encode() + b"\nmemmap\n\x85R."
        assert (inspect_bytes(call, "model.pkl").verdict == "unsafe") == (name == "numpy")
    assert inspect_bytes(b"\x80\x02cnumpy\nmemmap\nVx\n\x85R.", "model.pkl").verdict == "unsafe"
    assert inspect_bytes(b"\x80\x02cnumpy\nmemmap\nVx\n\x85\x81.", "model.pkl").verdict == "unsafe"
    step = (
        b"\x80\x02csklearn.preprocessing._function_transformer\nFunctionTransformer\n)\x81}Vfunc\ncnumpy\nmemmap\nsb."
    )
    assert inspect_bytes(step, "model.pkl").verdict == "unsafe"


@pytest.mark.parametrize("name", ["format", "__class__", "__subclasses__", "format_map"])
def test_method_of_a_plain_type_that_reaches_further_is_unsafe(name):
    call = b"\x80\x02c__builtin__\ngetattr\nc__builtin__\nstr\nV" + name.encode() + b"\n\x86R."
    assert inspect_bytes(call, "model.pkl").verdict == "unsafe"


def test_method_of_a_plain_type_is_not_called():
    call = b"\x80\x02c__builtin__\ngetattr\nc__builtin__\nstr\nVlower\n\x86RVA\n\x85R."
    assert inspect_bytes(call, "model.pkl").verdict == "unsafe"


def test_raw_tensors_beside_the_graph_that_names_them_are_safe(tmp_path):
    onnx = pytest.importorskip("onnx")
    weight = onnx.numpy_helper.from_array(np.random.default_rng(1).normal(size=(8, 8)), "w")
    ends = [onnx.helper.make_tensor_value_info(n, 11, [8, 8]) for n in "xy"]
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", ends[:1], ends[1:], [weight]))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.onnx.data", size_threshold=0)
    assert {inspect(file).verdict for file in tmp_path.iterdir()} == {"safe"}
    (tmp_path / "other.data").write_bytes((tmp_path / "m.onnx.data").read_bytes())
    assert inspect(tmp_path / "other.data").verdict == "unknown"

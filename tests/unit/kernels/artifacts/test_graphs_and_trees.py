"""ONNX graphs and the native files of XGBoost and LightGBM."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from redan.kernels.artifacts import Reading, inspect, inspect_bytes


def read(data: bytes) -> Reading:
    return inspect_bytes(data, "model.onnx")


def kinds(reading: Reading) -> set[str]:
    return {reason.kind for reason in reading.reasons}


def value(name: str, shape: tuple[int, ...] = (2,), kind: int = TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def tensor(location: str | None = None) -> TensorProto:
    made = helper.make_tensor("w", TensorProto.FLOAT, (2,), [1.0, 2.0])
    if location is not None:
        made.ClearField("float_data")
        made.data_location = TensorProto.EXTERNAL
        for key, text in (("location", location), ("offset", "0"), ("length", "8")):
            entry = made.external_data.add()
            entry.key, entry.value = key, text
    return made


def model(*nodes, initializers=(), **options) -> bytes:
    nodes = nodes or (helper.make_node("Add", ["x", "w"], ["y"]),)
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], initializer=list(initializers))
    return helper.make_model(graph, **options).SerializeToString()


def test_plain_graph_is_safe():
    reading = read(model(initializers=[tensor()]))
    assert (reading.format, reading.verdict, reading.complete) == ("onnx", "safe", True)


@pytest.mark.parametrize("location", ["weights.bin", "data/weights.bin", "./w"])
def test_external_data_beside_the_model_is_safe(location):
    assert read(model(initializers=[tensor(location)])).verdict == "safe"


@pytest.mark.parametrize("location", ["../w", "/etc/passwd", "a/../../w", "C:\\w", "file:///etc/passwd"])
def test_external_data_elsewhere_is_unsafe(location):
    reading = read(model(initializers=[tensor(location)]))
    assert (reading.verdict, kinds(reading)) == ("unsafe", {"path-traversal"})
    assert reading.reasons[0].where.startswith("byte ")


def test_external_data_of_constants_and_subgraphs_is_found():
    constant = helper.make_node("Constant", [], ["y"], value=tensor("../w"))
    assert read(model(constant)).verdict == "unsafe"
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "b", [], [value("z")], [tensor("/w")])
    choice = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    assert read(model(choice)).verdict == "unsafe"


def test_operators_of_other_domains_are_unknown_and_of_python_unsafe():
    custom = read(model(helper.make_node("Twist", ["x"], ["y"], domain="com.mylab")))
    assert (custom.verdict, kinds(custom)) == ("unknown", {"custom-operator"})
    assert "com.mylab" in custom.reasons[0].message
    assert read(model(helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"))).verdict == "safe"
    python = read(model(helper.make_node("PyOp", ["x"], ["y"], domain="ai.onnx.contrib")))
    assert (python.verdict, kinds(python)) == ("unsafe", {"python-operator"})


def test_function_that_the_model_defines_is_its_own():
    inner = [helper.make_node("Relu", ["a"], ["b"])]
    function = helper.make_function("own", "F", ["a"], ["b"], inner, [helper.make_opsetid("", 18)])
    data = model(helper.make_node("F", ["x"], ["y"], domain="own"), functions=[function])
    assert read(data).verdict == "safe"
    hostile = helper.make_function(
        "own", "F", ["a"], ["b"], [helper.make_node("PyOp", ["a"], ["b"], domain="z")], [helper.make_opsetid("", 18)]
    )
    assert read(model(helper.make_node("F", ["x"], ["y"], domain="own"), functions=[hostile])).verdict == "unsafe"


@pytest.mark.parametrize("cut", [1, 5, 20, 40])
def test_truncated_graph_is_never_safe(cut):
    assert read(model(initializers=[tensor()])[:-cut]).verdict != "safe"


def test_onnx_file_of_the_library_is_safe(tmp_path):
    onnx.save(onnx.load_from_string(model(initializers=[tensor()])), tmp_path / "m.onnx")
    assert inspect(tmp_path / "m.onnx").verdict == "safe"


@pytest.fixture(scope="module")
def booster():
    xgboost = pytest.importorskip("xgboost")
    data = xgboost.DMatrix(np.arange(20.0).reshape(10, 2), np.arange(10) % 2)
    return xgboost.train({"max_depth": 2, "nthread": 1}, data, 2)


@pytest.mark.parametrize(("extension", "slug"), [("json", "xgboost"), ("ubj", "xgboost-ubj")])
def test_xgboost_files_are_safe_and_truncated_ones_are_not(tmp_path, booster, extension, slug):
    path = tmp_path / f"m.{extension}"
    booster.save_model(path)
    assert (inspect(path).format, inspect(path).verdict) == (slug, "safe")
    data = path.read_bytes()
    cut = inspect_bytes(data[: len(data) // 2], path.name)
    assert cut.format != slug
    if extension == "ubj":
        assert cut.verdict == "unknown"


def test_xgboost_file_with_other_bytes_behind_it_is_not_safe(tmp_path, booster):
    booster.save_model(tmp_path / "m.ubj")
    data = (tmp_path / "m.ubj").read_bytes()
    assert inspect_bytes(data + b"\x80\x02cos\nsystem\n.", "m.ubj").verdict != "safe"


def test_lightgbm_text_is_safe_and_cut_or_binary_is_unknown(tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    data = lightgbm.Dataset(np.arange(80.0).reshape(40, 2), np.arange(40) % 2)
    options = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 1}
    text = lightgbm.train(options, data, 2).model_to_string().encode()
    assert (inspect_bytes(text, "m.txt").format, inspect_bytes(text, "m.txt").verdict) == ("lightgbm", "safe")
    cut = inspect_bytes(text[: text.index(b"end of trees")], "m.txt")
    assert (cut.verdict, kinds(cut)) == ("unknown", {"truncated"})
    tail = inspect_bytes(text + b"\x80\x04N.", "m.txt")
    assert (tail.verdict, kinds(tail)) == ("unknown", {"trailing-bytes"})


def test_native_xgboost_document_is_only_data():
    document = {"learner": {"attributes": {}}, "version": [3, 0, 0]}
    assert inspect_bytes(json.dumps(document).encode(), "m.json").verdict == "safe"

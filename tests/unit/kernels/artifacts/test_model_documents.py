"""Keras, Hugging Face, skops and other documents that name what a loader creates or calls."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from redan.kernels.artifacts import Reading, inspect, inspect_bytes


def read(document: object, name: str = "config.json") -> Reading:
    return inspect_bytes(json.dumps(document).encode(), name)


def kinds(reading: Reading) -> set[str]:
    return {reason.kind for reason in reading.reasons}


def layer(cls: str, module: str | None = "keras.layers", /, **config: object) -> dict:
    return {"module": module, "class_name": cls, "config": config, "registered_name": None}


def sequential(*layers: dict) -> dict:
    return layer("Sequential", "keras", name="s", layers=list(layers))


def keras_zip(document: dict, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
        archive.writestr("config.json", json.dumps(document))
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


DENSE = layer("Dense", units=2, activation="relu", kernel_initializer=layer("GlorotUniform", "keras.initializers"))
LAMBDA = layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}})


def test_keras_model_of_known_layers_is_safe():
    reading = inspect_bytes(keras_zip(sequential(DENSE)), "m.keras")
    assert (reading.format, reading.verdict, reading.reasons) == ("keras", "safe", ())


def test_keras_model_of_the_library_is_safe(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": [DENSE]}})
        file["weights"] = [1.0, 2.0]
    assert inspect(tmp_path / "m.h5").verdict == "safe"
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": [LAMBDA]}})
    assert inspect(tmp_path / "bad.h5").verdict == "unsafe"


@pytest.mark.parametrize("wrap", [keras_zip, lambda document: json.dumps(document).encode()], ids=["zip", "json"])
@pytest.mark.parametrize(
    "hostile",
    [
        LAMBDA,
        layer("run", "subprocess", args="true"),
        layer("function", "builtins", config="eval"),
        {"module": "os", "class_name": "function", "config": "system", "registered_name": "function"},
        layer("TFSMLayer", filepath="/data/evil"),
        layer("TorchModuleWrapper", module="gASVAA=="),
        layer("enable_unsafe_deserialization", "keras.config"),
        layer("get_file", "keras.utils", origin="http://h/x"),
        layer("StringLookup", vocabulary="/etc/passwd"),
    ],
    ids=["lambda", "subprocess", "eval", "os.system", "savedmodel", "torch", "switch", "download", "vocabulary"],
)
def test_keras_objects_that_run_or_reach_are_unsafe(wrap, hostile):
    assert inspect_bytes(wrap(sequential(DENSE, hostile)), "m").verdict == "unsafe"


def test_keras_class_of_nobody_is_unknown():
    reading = inspect_bytes(keras_zip(sequential(layer("Attention2", "mylab.layers"))), "m.keras")
    assert (reading.verdict, kinds(reading)) == ("unknown", {"custom-class"})


def test_configuration_without_code_is_safe():
    reading = read({"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8})
    assert (reading.format, reading.verdict) == ("hf-config", "safe")


def test_auto_map_names_its_file(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "x", "auto_map": {"AutoModel": "modeling_x.Model"}}))
    alone = inspect(path)
    assert (alone.verdict, kinds(alone)) == ("unknown", {"remote-code"})
    assert "modeling_x.py" in alone.reasons[0].message
    (tmp_path / "modeling_x.py").write_text("class Model:\n    pass\n")
    assert inspect(path).verdict == "unknown"
    (tmp_path / "modeling_x.py").write_text("import os\nos.system('true')\n")
    assert {r.kind for r in inspect(path).reasons} == {"remote-code", "powerful-code"}
    assert inspect(path).verdict == "unsafe"


def test_auto_map_does_not_leave_the_folder(tmp_path):
    (tmp_path / "outside.py").write_text("import os\nos.system('true')\n")
    folder = tmp_path / "model"
    folder.mkdir()
    path = folder / "config.json"
    path.write_text(json.dumps({"model_type": "x", "auto_map": {"AutoModel": "../outside.Model"}}))
    assert inspect(path).verdict == "unknown"


def test_weight_index_that_leaves_the_folder_is_unsafe():
    assert read({"metadata": {}, "weight_map": {"w": "model-1.safetensors"}}).verdict == "safe"
    hostile = read({"metadata": {}, "weight_map": {"w": "../../etc/passwd"}})
    assert (hostile.verdict, kinds(hostile)) == ("unsafe", {"path-traversal"})


@pytest.mark.parametrize("target", ["os.system", "builtins.eval", "subprocess.run", "importlib.import_module"])
def test_targets_that_run_code_are_unsafe(target):
    document = read({"model": {"_target_": target, "command": "true"}})
    assert (document.verdict, kinds(document)) == ("unsafe", {"denied-target"})
    yaml = inspect_bytes(f"model:\n  _target_: {target}\n  x: 1\n".encode(), "c.yaml")
    assert (yaml.verdict, kinds(yaml)) == ("unsafe", {"denied-target"})


def test_targets_of_torch_are_safe_and_of_nobody_unknown():
    assert read({"model": {"_target_": "torch.nn.Linear", "in_features": 2}}).verdict == "safe"
    assert read({"model": {"_target_": "mylab.Net", "width": 2}}).verdict == "unknown"


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!!python/object/new:a.B"]
)
def test_yaml_tags_that_make_objects_are_unsafe(tag):
    reading = inspect_bytes(f"a: 1\nb: {tag} ['true']\n".encode(), "c.yaml")
    assert (reading.verdict, kinds(reading)) == ("unsafe", {"yaml-tag"})


def skops_zip(schema: dict) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    return file.getvalue()


def test_skops_files_of_the_library_are_safe(tmp_path):
    skops = pytest.importorskip("skops.io")
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    data = skops.dumps(model)
    reading = inspect_bytes(data, "m.skops")
    assert (reading.format, reading.verdict) == ("skops", "safe")


def test_skops_schema_is_judged_like_imports():
    node = {"__module__": "os", "__class__": "system", "__loader__": "TypeNode"}
    hostile = {"__module__": "builtins", "__class__": "list", "__loader__": "ListNode", "content": [node]}
    assert inspect_bytes(skops_zip({**hostile, "_skops_version": "0.16"}), "m.skops").verdict == "unsafe"
    called = {"__module__": "builtins", "__class__": "function", "__loader__": "FunctionNode"}
    called["content"] = {"module_path": "os", "function": "system"}
    assert inspect_bytes(skops_zip({**hostile, "content": [called]}), "m.skops").verdict == "unsafe"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('<?xml version="1.0"?><PMML version="4.4"><Header/></PMML>', "safe"),
        ('<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><PMML>&e;</PMML>', "unsafe"),
        ('<!DOCTYPE PMML SYSTEM "http://h/x.dtd"><PMML/>', "unsafe"),
        ("<!DOCTYPE x [" + "".join(f'<!ENTITY e{i} "&e{i - 1};">' for i in range(1, 40)) + "]><PMML/>", "unsafe"),
    ],
)
def test_pmml_is_read_for_entities(text, verdict):
    reading = inspect_bytes(text.encode(), "m.pmml")
    assert (reading.format, reading.verdict) == ("pmml", verdict)


ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("padding", [0, 100_000, 5_000_000])
def test_every_encoding_that_a_loader_takes_is_read(encoding, padding):
    text = json.dumps({**sequential(LAMBDA), "padding": "x" * padding})
    assert json.loads(text.encode(encoding))["class_name"] == "Sequential"
    assert inspect_bytes(text.encode(encoding), "config.json").verdict == "unsafe"


def test_large_document_with_a_target_is_read():
    assert read({"padding": "x" * 5_000_000, "_target": "os.system"}).verdict == "unsafe"


def test_a_key_that_stands_twice_is_not_safe() -> None:
    reading = inspect_bytes(b'{"_target_": "os.system", "_target_": "torch.nn.Linear"}', "config.json")
    assert reading.verdict != "safe"
    assert any(reason.kind == "duplicate-keys" for reason in reading.reasons)
    assert inspect_bytes(b'{"a": 1, "a": 2}', "config.json").verdict == "safe"

# ruff: noqa: E501 - documents stand as they stand
"""Documents that name what a loader creates, calls, fetches or opens: Keras, Hugging Face, skops, YAML, PMML."""

from __future__ import annotations

import json

import pytest

from redan.kernels.artifacts import Reading, inspect_bytes


def read(document: object, name: str = "config.json") -> Reading:
    return inspect_bytes(json.dumps(document).encode(), name)


def L(cls, module="keras.layers", /, reg=None, **config):
    return {"module": module, "class_name": cls, "config": config, "registered_name": reg}


def S(*layers):
    return L("Sequential", "keras", name="s", layers=list(layers))


def fn(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


HOSTILE = {
    "lambda_marshal": L("Lambda", function=["4wEAAAAAAAAAAAAAAAAEAAAA", None, None]),
    "lambda_obj": L(
        "Lambda", function={"class_name": "__lambda__", "config": {"code": "4wEA", "defaults": None, "closure": None}}
    ),
    "lambda_type": {"class_name": "Lambda", "config": {"function_type": "lambda", "function": ["4wEA", None, None]}},
    "lambda_module": {
        "class_name": "Lambda",
        "config": {"function_type": "function", "function": "system", "module": "os"},
    },
    "lambda_named": L("Lambda", function=fn("os", "system")),
    "lambda_raw": L("Lambda", function="lambda x: __import__('os').system('true')"),
    "lambda_outshape": {
        "class_name": "Lambda",
        "config": {
            "function": "relu",
            "output_shape": ["4wEAAAAAAAAAAAAAAAAAAAAA", None, None],
            "output_shape_type": "lambda",
        },
    },
    "registered_lambda": L("X", reg="keras>Lambda", function=["4wEAAAAAAAAAAAAAAAAAA", None]),
    "torch_wrapper": L("TorchModuleWrapper", "keras.layers", module="gASV"),
    "torch_wrapper2": L("TorchModuleWrapper", "keras.src.utils.torch_utils", module="gASV"),
    "tfsm": L("TFSMLayer", "keras.layers", filepath="/tmp/evil"),
    "tfsm2": L("TFSMLayer", "keras.src.export.tfsm_layer", filepath="./evil", call_endpoint="serve"),
    "jax": L("JaxLayer", call_fn={"class_name": "__lambda__", "config": {"code": "4w"}}),
    "os_system": fn("os", "system"),
    "builtins_eval": fn("builtins", "eval"),
    "subprocess": L("Popen", "subprocess", args=["true"]),
    "getfile": fn("keras.utils", "get_file"),
    "getfile_cls": L("get_file", "keras.utils", origin="http://x"),
    "getfile2": L("get_file", "keras.src.utils.file_utils", origin="http://x"),
    "loadmodel": fn("keras.models", "load_model"),
    "loadmodel_cls": L("load_model", "keras.saving", filepath="http://x"),
    "enable_unsafe": fn("keras.config", "enable_unsafe_deserialization"),
    "enable_unsafe2": L("enable_unsafe_deserialization", "keras.src.saving.serialization_lib"),
    "func_load": fn("keras.src.utils.python_utils", "func_load"),
    "vectorized_map": L("vectorized_map", "keras.ops"),
    "deser": fn("keras.saving", "deserialize_keras_object"),
    "disable": L("disable_traceback_filtering", "keras.config"),
    "image_load": L("load_img", "keras.utils", path="/etc/passwd"),
    "stringlookup": L("StringLookup", "keras.layers", vocabulary="/etc/passwd"),
    "integerlookup": L("IntegerLookup", vocabulary="../../etc/passwd"),
    "textvec": L("TextVectorization", vocabulary="/etc/passwd"),
    "textvec_url": L("TextVectorization", vocabulary="http://x/y"),
    "idf": L("StringLookup", idf_weights="/etc/passwd"),
    "dataset": L("image_dataset_from_directory", "keras.utils", directory="/"),
    "csvlogger": L("CSVLogger", "keras.callbacks", filename="/tmp/x"),
    "ckpt": L("ModelCheckpoint", "keras.callbacks", filepath="/tmp/x"),
    "tensorboard": L("TensorBoard", "keras.callbacks", log_dir="/tmp"),
    "remotemon": L("RemoteMonitor", "keras.callbacks", root="http://x"),
    "lambdacb": L("LambdaCallback", "keras.callbacks"),
    "backup": L("BackupAndRestore", "keras.callbacks", backup_dir="/tmp/x"),
    "dotted": L("layers.Lambda", "keras"),
    "numpy": L("load", "numpy", file="x"),
    "importlib": L("import_module", "importlib", name="os"),
    "pickle_loads": L("loads", "pickle", data="x"),
    "runpy": L("run_path", "runpy"),
    "getattr": L("getattr", "builtins"),
    "tf_io": L("write_file", "tensorflow.io"),
    "tf_py": L("py_function", "tensorflow"),
    "tflambda": {"class_name": "TFOpLambda", "config": {"function": "io.write_file"}},
    "tflambda2": {"class_name": "TFOpLambda", "config": {"function": "py_function"}},
    "tflambda3": {"class_name": "TFOpLambda", "config": {"function": "numpy_function"}},
    "hashedcross": L("Dense", activation=fn("os", "system")),
    "activation_str": L("Dense", activation="os.system"),
    "activation_lam": L("Dense", activation={"class_name": "__lambda__", "config": {"code": "x"}}),
    "init": L("Dense", kernel_initializer=L("system", "os")),
    "reg": L("Dense", kernel_regularizer={"class_name": "Popen", "module": "subprocess", "config": {}}),
    "loss": {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"layers": []},
        "compile_config": {"loss": fn("os", "system")},
    },
    "wrap": L("TimeDistributed", layer=L("Lambda", function=["4wEAAAAAAAAAAAAAAAAAAAAAA"])),
    "bidir": L("Bidirectional", layer=L("Lambda", function=["4wEAAAAAAAAAAAAAAAAAAAAAA"])),
    "functional": {
        "class_name": "Functional",
        "config": {
            "layers": [
                {
                    "class_name": "Lambda",
                    "name": "l",
                    "config": {"function": ["4wEAAAAAAAAAAAAAAAAAAAAAA"]},
                    "inbound_nodes": [],
                }
            ]
        },
    },
    "builtins_module": {
        "module": "builtins",
        "class_name": "function",
        "config": "exec",
        "registered_name": "function",
    },
    "pipeline": L("Pipeline", "keras.layers", layers=[L("Lambda", function=["4wEAAAAAAAAAAAAAAAAAAAAAA"])]),
    "partial": L("partial", "functools", func=fn("os", "system")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_keras_object_is_unsafe_alone_and_within_a_model(name):
    assert read(HOSTILE[name]).verdict == "unsafe"
    assert read(S(L("Dense", units=1), HOSTILE[name])).verdict == "unsafe"
    assert read({"backend": "x", "model": {"nested": [HOSTILE[name]]}}).verdict == "unsafe"


@pytest.mark.parametrize(
    "document",
    [L("Evil", "evil_module"), L("Evil", None, reg="evil>Evil"), L("FeatureSpace", "keras.utils"),
     L("Lambda", function="my_activation")],
)  # fmt: skip
def test_custom_keras_class_is_never_safe(document):
    assert read(S(document)).verdict != "safe"


@pytest.mark.parametrize(
    "document",
    [S(L("Dense", units=2, activation="relu"), L("Dropout", rate=0.1)), S(L("StringLookup", vocabulary=["a", "/b"])),
     S(L("Dense", kernel_initializer=L("GlorotUniform", "keras.initializers"), kernel_regularizer=L("L2", "keras.regularizers")))],
)  # fmt: skip
def test_honest_keras_models_are_safe(document):
    assert (read(document).verdict, read(document).format) == ("safe", "keras-config")


HYDRA = (
    """
os.system|subprocess.run|builtins.eval|builtins.exec|builtins.__import__|importlib.import_module|runpy.run_path
posix.system|nt.system|pty.spawn|pickle.loads|torch.load|torch.hub.load|joblib.load|shutil.rmtree|socket.socket
urllib.request.urlopen|requests.get|ctypes.CDLL|webbrowser.open|code.interact|timeit.timeit|pdb.run|cProfile.run
numpy.load|pandas.read_pickle|dill.loads|yaml.unsafe_load|marshal.loads|types.FunctionType|functools.reduce
nemo.os.system|torch.os.system|transformers.pipeline|evil.tools.run_command|a.b.popen|x.y.exec_code
hydra.utils.call|nemo.utils.exec|multiprocessing.Process|threading.Timer|asyncio.run|tempfile.mkdtemp|pip.main
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


@pytest.mark.parametrize("target", HYDRA)
def test_hydra_targets_that_run_code_are_unsafe(target):
    assert read({"model": {"_target_": target, "x": 1}}).verdict == "unsafe"
    for text in (
        f"model:\n  _target_: {target}\n  x: 1\n",
        f"model: {{_target_: {target}, x: 1}}\n",
        f'"_target_" : "{target}"\nx: 1\n',
        f"- _target_: '{target}' # a comment\n  x: 1\n",
        f"? _target_\n: {target}\nx: 1\n",
        f"_target_:\n  {target}\nx: 1\n",
        f"_target_: >-\n  {target}\nx: 1\n",
        f"_target_: &a {target}\nx: 1\n",
        f"_target_: !!str {target}\nx: 1\n",
    ):
        assert inspect_bytes(text.encode(), "model_config.yaml").verdict == "unsafe", text


TAGS = """
!!python/object/apply:os.system ['true']
!!python/object/new:subprocess.Popen [['true']]
!!python/object:os.x {}
!!python/name:os.system
!!python/name:os.system ''
!!python/module:os
!!python/object/apply:builtins.eval ["1"]
!<tag:yaml.org,2002:python/object/apply:os.system> ['true']
!!python/object/apply:builtins.getattr [!!python/name:os.x, y]
!!python/tuple [!!python/object/apply:os.system ['true']]
!!python/object/apply:torch.load ['x']
!!ruby/object:Gem::Installer {i: x}
!!javax.script.ScriptEngineManager [x]
!!com.sun.rowset.JdbcRowSetImpl {a: b}
!ruby/object:Gem {i: x}
""".strip().splitlines()


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("before", ["", "x: 1\nk: ", "- a\n- ", "k: [1, ", "---\na: b\n---\n", "%YAML 1.1\n---\nk: "])
def test_yaml_tags_that_make_objects_are_unsafe(tag, before):
    close = "]" if "[1" in before else ""
    assert inspect_bytes(f"{before}{tag}{close}\n".encode(), "config.yaml").verdict == "unsafe"


@pytest.mark.parametrize(
    "handle", ["%TAG ! tag:yaml.org,2002:python/\n", "%TAG !p! tag:yaml.org,2002:python/object/apply:\n"]
)
def test_yaml_tag_handles_do_not_hide_a_tag(handle):
    prefix = "!p!" if "!p!" in handle else "!object/apply:"
    text = f"{handle}---\nk: {prefix}os.system ['true']\n"
    assert inspect_bytes(text.encode(), "config.yaml").verdict == "unsafe"


@pytest.mark.parametrize(
    "text",
    ["a: 1\nb: !!float 2\n", "x: !!str 3\n- !!binary aGk=\n", "a: 'uses !!python/object in prose'\nb: 2\n# !!python/x\n",
     "model:\n  _target_: nemo.collections.asr.models.EncDecCTCModel\n  n: 1\n", "target: speed\nparams: 3\n"],
)  # fmt: skip
def test_honest_yaml_is_safe(text):
    assert inspect_bytes(text.encode(), "config.yaml").verdict == "safe"


HF = {
    "another repository": {"auto_map": {"AutoModel": "evil/repo--modeling.M"}},
    "another repository in a list": {"auto_map": {"AutoTokenizer": ["x/y--tok.T", None]}},
    "auto_map text": {"auto_map": "evil/repo--modeling.M"},
    "index outside": {"weight_map": {"a": "../../x.bin"}},
    "index absolute": {"weight_map": {"a": "/etc/passwd"}},
    "index windows": {"weight_map": {"a": "C:\\\\x.bin"}},
    "pipeline": {"custom_pipelines": {"t": {"impl": "evil/repo--pipe.P", "pt": ["AutoModel"]}}},
    "target": {"_target_": "os.system", "command": "true"},
    "tokenizer file": {"tokenizer_class": "T", "vocab_file": "/etc/passwd"},
    "tokenizer file above": {"tokenizer_class": "T", "tokenizer_file": "../../../etc/passwd"},
}


@pytest.mark.parametrize("name", HF)
def test_hostile_settings_of_a_model_folder_are_unsafe(name):
    assert read({"model_type": "llama", **HF[name]}).verdict == "unsafe"


def test_settings_that_need_code_of_the_folder_are_unknown():
    assert read({"auto_map": {"AutoModel": "modeling_x.X"}}).verdict == "unknown"
    assert read({"_class_name": ["pipeline_x", "Pipe"], "_diffusers_version": "0.30"}).verdict == "unknown"
    assert read({"_class_name": "P", "_diffusers_version": "0.30", "unet": ["my_unet", "Net"]}).verdict == "unknown"


def test_honest_settings_are_safe():
    pipe = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30", "unet": ["diffusers", "UNet2DConditionModel"],
            "safety_checker": [None, None], "tokenizer": ["transformers", "CLIPTokenizer"],
            "checker": ["stable_diffusion", "StableDiffusionSafetyChecker"]}  # fmt: skip
    assert read(pipe, "model_index.json").verdict == "safe"
    assert read({"model_type": "x", "_name_or_path": "/home/me/models/x", "vocab_size": 3}).verdict == "safe"
    assert read({"tokenizer_class": "T", "vocab_file": "vocab.txt", "name_or_path": "/content/x"}).verdict == "safe"


VOCABULARY = {f"word{i}": i for i in range(90_000)} | {"prompt": 90_000, "template": 90_001, "target": 90_002}


def test_large_vocabulary_with_telling_words_is_safe_and_not_parsed():
    text = json.dumps({"model": {"vocab": VOCABULARY}, "version": "1.0"})
    assert len(text) > 1 << 20
    reading = inspect_bytes(text.encode(), "tokenizer.json")
    assert (reading.verdict, reading.format) == ("safe", "json")


@pytest.mark.parametrize(
    "hidden",
    [{"chat_template": "{{ ''.__class__ }}"}, {"_target_": "os.system"}, {"auto_map": {"AutoModel": "a/b--c.D"}},
     {"weight_map": {"a": "../../x"}}, {"class_name": "Lambda", "config": {"function": ["4wEAAAAAAAAAAAAAAAAAAAAA"]}},
     {"prompt_template": [{"name": "x", "template": "{{ cycler.__init__ }}"}]}],
)  # fmt: skip
@pytest.mark.parametrize("escaped", [False, True])
def test_what_matters_is_found_anywhere_in_a_large_document(hidden, escaped):
    text = json.dumps({"a": VOCABULARY, "b": [{"c": hidden}], "d": 1})
    if escaped:
        for key in hidden:
            text = text.replace(f'"{key}"', '"' + "".join(f"\\u{ord(c):04x}" for c in key) + '"')
    assert inspect_bytes(text.encode(), "tokenizer.json").verdict == "unsafe"

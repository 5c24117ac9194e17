"""Keras configurations, of version 3 zips, of HDF5 attributes and of bare JSON.

What a configuration names is created when the model is loaded; a Lambda layer carries byte code, and in older versions
any module's any function could be named (CVE-2024-3660, CVE-2025-1550, CVE-2025-9906, CVE-2025-12058).
Source: Keras `saving/serialization_lib.py`, `deserialize_keras_object`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.judgement import allowlist, denylist
from redan.kernels.artifacts.judgement.arguments import text_shape

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_ROOTS = frozenset({"keras", "tf_keras", "keras_core"})
_MARKERS = frozenset(
    {"__keras_tensor__", "__tuple__", "__slice__", "__ellipsis__", "__tensor__", "__numpy__", "__bytes__"}
)
_MARKERS_MORE = frozenset(
    {"__typespec__", "TypeSpec", "TensorShape", "CompositeTensor", "Mask", "NoneType", "__eager_tensor__"}
)
_CODE = frozenset({"Lambda", "__lambda__", "TFOpLambda", "SlicingOpLambda", "PyFunc"})
_LOADERS = {
    "TorchModuleWrapper": "unpickles a torch module",
    "TFSMLayer": "loads a SavedModel from a path",
    "JaxLayer": "carries a function",
    "FlaxLayer": "carries a function",
}
_CODE_KEYS = ("function", "output_shape", "mask", "arguments")
"""What a Lambda layer gives as byte code."""

_NO_MODEL_PARTS = frozenset({"callbacks", "saving", "config", "datasets", "export", "wrappers", "distribution"})
"""Modules of Keras that no saved model's objects come from."""

_FUNCTION_MODULES = ("activations", "losses", "metrics", "initializers", "regularizers", "constraints", "ops")
_FILE_KEYS = (
    "vocabulary",
    "idf_weights",
    "weights_path",
    "filepath",
    "weight_file",
    "vocabulary_path",
    "proto",
    "merges",
)


def check(source: Source, document: dict[str, object]) -> None:
    """Judge every serialised object of a configuration."""
    pending: list[object] = [document]
    while pending:
        item = pending.pop()
        source.ledger.nodes(1, source.where)
        if isinstance(item, list):
            pending.extend(part for part in item if isinstance(part, dict | list))
        elif isinstance(item, dict):
            if "class_name" in item:
                check_object(source, item)
            for key in _CODE_KEYS:
                _check_function(source, item.get(key))
            pending.extend(part for part in item.values() if isinstance(part, dict | list))


def check_object(source: Source, item: dict[str, object]) -> None:
    """Judge one serialised object."""
    name, module = item.get("class_name"), item.get("module")
    if not isinstance(name, str) or name in _MARKERS or name in _MARKERS_MORE:
        return
    registered = item.get("registered_name")
    if isinstance(registered, str) and registered.rpartition(">")[2] in _CODE:
        name = registered.rpartition(">")[2]
    if name in _CODE:
        _check_code(source, name, item.get("config"))
        return
    module = module if isinstance(module, str) else ""
    if name in _LOADERS:
        source.unsafe("lambda-layer", f"a {name} {_LOADERS[name]} when the model is loaded")
        return
    if name == "function":
        _check_named_function(source, module, item.get("config"))
    elif module and module.split(".")[0] not in _ROOTS and not module.startswith("tensorflow.keras"):
        _check_foreign(source, module, name)
    elif module and ((name[:1].islower() and not _is_listed(name)) or _NO_MODEL_PARTS & {*module.split(".")}):
        source.unsafe("denied-target", f"a configuration calls {module}.{name}, which is no part of a model")
    elif not _is_listed(name):
        source.unknown(
            "custom-class", f"{module or 'a configuration'} names the class {name!r}, which is no Keras class"
        )
    _check_files(source, name, item.get("config"))


def _check_code(source: Source, name: str, config: object) -> None:
    function = config.get("function") if isinstance(config, dict) else None
    for key in _CODE_KEYS:
        _check_function(source, config.get(key) if isinstance(config, dict) else None)
    if name in ("TFOpLambda", "SlicingOpLambda"):
        # These wrap an operator of TensorFlow by its name and carry no code.
        target = str(config.get("function", "")) if isinstance(config, dict) else ""
        if any(part in target for part in ("py_func", "py_function", "numpy_function", "io.", "eval", "exec")):
            source.unsafe("lambda-layer", f"a {name} layer wraps {target!r}")
        return
    if isinstance(function, str) and text_shape(function) is not None:
        source.unsafe("lambda-layer", f"a {name} layer is given {text_shape(function)}")
        return
    if isinstance(function, dict) and function.get("class_name") == "function":
        _check_named_function(source, str(function.get("module") or ""), function.get("config"))
        source.unknown("lambda-layer", f"a {name} layer calls a named function")
        return
    if isinstance(function, str):
        module = config.get("module") if isinstance(config, dict) else None
        _check_lambda_name(source, name, module if isinstance(module, str) else "", function)
        return
    source.unsafe("lambda-layer", f"a {name} object carries Python byte code that loading runs")


def _check_lambda_name(source: Source, layer: str, module: str, function: str) -> None:
    is_denied = denylist.denial(module or "builtins", function) is not None
    if is_denied or denylist.sounds_powerful(function):
        source.unsafe("denied-target", f"a {layer} layer calls {module or 'builtins'}.{function[:80]}")
    else:
        source.unknown("lambda-layer", f"a {layer} layer calls the function {function[:80]!r}")


def _check_function(source: Source, function: object) -> None:
    if isinstance(function, list) and function and isinstance(function[0], str) and len(function[0]) > 20:
        source.unsafe("lambda-layer", "a function is given as marshalled byte code")


def _check_named_function(source: Source, module: str, config: object) -> None:
    name = config if isinstance(config, str) else "?"
    path = f"{module}.{name}" if module else name
    parts = module.split(".")
    is_registered = module in ("", "builtins") and re.fullmatch(r"[A-Za-z_][\w ]*>\w+", name) is not None
    if is_registered and not denylist.sounds_powerful(name):
        # Registered by the program that loads it; a file cannot bring what the name stands for.
        source.unknown("custom-class", f"a configuration calls the registered function {name}")
    elif denylist.denial(module or "builtins", name) is not None or module in ("builtins", "keras.config"):
        source.unsafe("denied-target", f"a configuration calls {path}")
    elif parts[0] in _ROOTS and not any(part in _FUNCTION_MODULES for part in parts):
        source.unsafe("denied-target", f"a configuration calls {path}, which is no part of a model")
    elif parts[0] not in _ROOTS:
        source.unknown("custom-class", f"a configuration calls the function {path}")


def _check_foreign(source: Source, module: str, name: str) -> None:
    if module == "builtins" and name in ("dict", "list", "tuple", "int", "float", "str", "bool", "slice", "type"):
        return
    reason = denylist.denial(module, name)
    if reason is not None or module == "builtins":
        why = reason or "is no part of a model"
        source.unsafe("denied-target", f"a configuration creates {module}.{name}, which {why}")
    elif allowlist.grade(module, name) is None:
        source.unknown("custom-class", f"a configuration creates {module}.{name}, which is no Keras class")


def _check_files(source: Source, name: str, config: object) -> None:
    if not isinstance(config, dict):
        return
    for key in _FILE_KEYS:
        value = config.get(key)
        if isinstance(value, str) and value:
            source.unsafe("reads-file", f"{name} reads the file {value[:120]!r} when the model is loaded")
    for value in config.values():
        if isinstance(value, str) and len(value) > 8 and text_shape(value) is not None and "://" not in value:
            source.unsafe("attack-argument", f"{name} is configured with {text_shape(value)}")


def _is_listed(name: str) -> bool:
    bare = name.rpartition(">")[2]
    return name == bare and (
        allowlist.grade("keras", bare) is not None or bare in ("Model", "Sequential", "Functional", "Variable")
    )

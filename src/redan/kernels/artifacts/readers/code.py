"""Code that a document or an archive brings along or names: judged by what its text reaches for, never compiled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.judgement import allowlist, denylist
from redan.kernels.artifacts.judgement.arguments import ADDRESS, attack_shape
from redan.kernels.artifacts.judgement.imports import LONGEST_NAME, judge_import
from redan.kernels.artifacts.reading import SAFE, UNSAFE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.kernels.artifacts.source import Source

LARGEST_SOURCE_BYTES = 4 << 20
"""Bytes of source code that are searched."""

_POWERFUL = re.compile(
    r"\b(?:os\s*\.\s*(?:system|popen|exec\w+|spawn\w+|fork|remove|unlink|startfile)|subprocess\b(?!\s*#)|pty\.spawn"
    r"|shutil\.rmtree|socket\.(?:socket|create_connection)|urllib\.request|urlopen|requests\.(?:get|post|put|request)"
    r"|http\.client|ctypes\.(?:CDLL|cdll|windll|pythonapi)|marshal\.loads?|pickle\.loads?|cloudpickle|dill\.loads?"
    r"|importlib\.import_module|runpy\.|base64\.b\d+decode|__import__|__builtins__|sys\.modules)"
    r"|(?<![.\w])(?:exec|eval|compile)\s*\(|\bgetattr\s*\(\s*(?:os|sys|builtins|__builtins__)\b"
)
_TORCHSCRIPT_FILES = re.compile(r"\b(?:torch|aten)\.(?:save|from_file|load\w*)\s*\(")
_TORCHSCRIPT_FOREIGN = re.compile(
    r"\bops\.(?!(?:prim|aten|quantized|quantized_decomposed|torchvision|sparse)\.)\w+\.\w+"
)
_COMMENT = re.compile(r"#[^\n]*")

_TARGET_ROOTS = (
    "nemo.collections.", "nemo.core.", "nemo.utils.", "pytorch_lightning.", "lightning.", "omegaconf.", "transformers.",
    "torchmetrics.", "torchvision.", "torchaudio.", "monai.", "timm.", "diffusers.", "ldm.", "sgm.", "hydra.conf.",
)  # fmt: skip
"""Packages whose classes configurations name; the deny-list is asked first."""

_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_YAML_TARGET = re.compile(r"""^[ \t-]*["']?(_?target_?|_target_)["']?[ \t]*:[ \t]*["']?([\w.:]+)["']?""", re.MULTILINE)
_YAML_TAG = re.compile(r"!!?python/(?:object|name|module|apply|tuple)?[\w/:.]*|!<tag:yaml\.org,2002:python/")


def powerful_call(text: str) -> str | None:
    """What source code reaches for that a model's code does not need, or None."""
    match = _POWERFUL.search(_COMMENT.sub("", text))
    return match[0].strip() if match else None


def read_source_code(source: Source) -> str:
    """Judge source code that loading the model around it would run."""
    text = bytes(source.data[:LARGEST_SOURCE_BYTES]).decode("utf-8", "replace")
    found = powerful_call(text)
    if found is not None:
        source.unsafe("powerful-code", f"{source.name!r} is code that loading runs, and it uses {found!r}")
    else:
        source.unknown("carries-code", f"{source.name!r} is code that loading runs")
    return "python"


def read_torchscript(source: Source) -> str:
    """Judge a TorchScript file: its interpreter runs no Python, but it knows operators that touch files."""
    text = bytes(source.data[:LARGEST_SOURCE_BYTES]).decode("utf-8", "replace")
    files = _TORCHSCRIPT_FILES.search(text)
    if files is not None:
        source.unsafe("powerful-code", f"{source.name!r} uses {files[0].strip('( ')!r}", files.start())
    foreign = _TORCHSCRIPT_FOREIGN.search(text)
    if foreign is not None:
        message = f"{source.name!r} uses {foreign[0]!r}, an operator of a library that the file cannot vouch for"
        source.unknown("custom-operator", message, foreign.start())
    if len(source.data) > LARGEST_SOURCE_BYTES:
        source.unknown("limit", f"{source.name!r} is longer than {LARGEST_SOURCE_BYTES} bytes")
    return "torchscript"


def read_named_code(source: Source, value: object, key: str) -> None:
    """Judge the Python files beside a configuration that it tells a loader to run."""
    for name in sorted(set(_code_files(value))):
        source.unknown("remote-code", f"{key!r} makes a loader that trusts remote code run {name}")
        content = source.sibling(name)
        if content is not None:
            found = powerful_call(content[:LARGEST_SOURCE_BYTES].decode("utf-8", "replace"))
            if found is not None:
                source.unsafe("powerful-code", f"{name}, which {key!r} names, uses {found!r}")


def _code_files(value: object) -> Iterator[str]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            # "repository--module.Class" takes the module from another repository.
            module = item.rpartition("--")[2].rpartition(".")[0]
            if module:
                yield module.replace(".", "/") + ".py"
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item.values())


def check_target(source: Source, target: str, key: str, arguments: object = None) -> None:
    """Judge a callable that a configuration names to be called."""
    if len(target) > LONGEST_NAME or not _DOTTED.fullmatch(target):
        return
    module, _, name = target.rpartition(".")
    module = allowlist.canonical(module)
    judged = judge_import(module, name)
    shape = (
        attack_shape(arguments, name, source.ledger) if judged.verdict != SAFE and isinstance(arguments, dict) else None
    )
    if judged.verdict == UNSAFE or denylist.sounds_powerful(target):
        source.unsafe("denied-target", f"{key}: {target} is called when the configuration is instantiated")
    elif judged.verdict != SAFE and not target.startswith(_TARGET_ROOTS) and not target.startswith("torch."):
        if shape is not None and shape != ADDRESS:
            source.unsafe("attack-argument", f"{key}: {target} is called with {shape}")
        elif key != "target":
            source.unknown("unlisted-target", f"{key}: {target} is called when the configuration is instantiated")


def check_yaml(source: Source, text: str) -> bool:
    """Judge the tags and targets of a YAML text; whether there were any."""
    tag = _YAML_TAG.search(text)
    if tag is not None:
        source.unsafe("yaml-tag", f"the YAML tag {tag[0]!r} makes an object of any class", tag.start())
    found = False
    for match in _YAML_TARGET.finditer(text):
        found = True
        check_target(source, match[2].replace(":", "."), match[1])
    return found or tag is not None

"""Code that a document or an archive brings along or names: judged by its syntax tree, never compiled."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.judgement import allowlist, denylist
from redan.kernels.artifacts.judgement.arguments import ADDRESS, attack_shape
from redan.kernels.artifacts.judgement.imports import LONGEST_NAME, judge_import
from redan.kernels.artifacts.readers.paths import escapes
from redan.kernels.artifacts.readers.python_code import UnreadableCodeError, dangers, relative_imports
from redan.kernels.artifacts.readers.yaml_text import full_tag, handles, keyed, makes_object, tokens
from redan.kernels.artifacts.reading import SAFE, UNSAFE

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

LARGEST_SOURCE_BYTES = 4 << 20
"""Bytes of source code that are searched."""

MOST_FILES = 40
"""Files of code that one configuration leads to."""

MOST_DANGERS = 5
"""Reasons that one file of code is given."""

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
_YAML_TARGETS = frozenset({"target", "_target", "_target_", "target_"})
_YAML_TELLING = re.compile(r"!|_?target_?")
_HYPER_TAG = re.compile(r"!(new|apply|name|module|applyref):([\w.]+)")


def judge_code(source: Source, text: str, what: str) -> None:
    """Judge a text of Python that a loader runs, by its syntax tree, or by its words where it has none."""
    try:
        found = dangers(text)
    except UnreadableCodeError as error:
        source.unknown("carries-code", f"{what} {error}")
        match = _POWERFUL.search(_COMMENT.sub("", text))
        if match is not None:
            source.unsafe("powerful-code", f"{what} uses {match[0].strip()!r}")
        return
    for danger in found[:MOST_DANGERS]:
        when = "as soon as it is imported" if danger.on_import else "when it is called"
        source.unsafe("powerful-code", f"{what} uses {danger.what!r} {when}, line {danger.line}")


def read_source_code(source: Source) -> str:
    """Judge source code that loading the model around it would run."""
    text = bytes(source.data[:LARGEST_SOURCE_BYTES]).decode("utf-8", "replace")
    source.unknown("carries-code", f"{source.name!r} is code that loading runs")
    judge_code(source, text, repr(source.name))
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
    """Judge the Python files beside a configuration that it tells a loader to run, and the files that these import."""
    names = _strings(value)
    for name in names:
        if "--" in name:
            message = f"{key!r} makes a loader that trusts remote code fetch and run {name.partition('--')[2]} of the"
            source.unsafe("foreign-code", f"{message} repository {name.partition('--')[0]!r}")
    pending = sorted({file for name in names if "--" not in name and (file := _code_file(name))})
    seen: set[str] = set()
    while pending:
        name = pending.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if len(seen) > MOST_FILES:
            source.unknown("limit", f"{key!r} leads to more than {MOST_FILES} files of code")
            return
        source.unknown("remote-code", f"{key!r} makes a loader that trusts remote code run {name}")
        content = None if escapes(name) else source.sibling(name)
        if content is not None:
            text = content[:LARGEST_SOURCE_BYTES].decode("utf-8", "replace")
            judge_code(source, text, f"{name}, which {key!r} leads to,")
            with contextlib.suppress(UnreadableCodeError):
                pending += relative_imports(text)


def _strings(value: object) -> list[str]:
    found: list[str] = []
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            pending.extend(item.values())
    return sorted(set(found))


def _code_file(name: str) -> str:
    """The file of `module.Class`; empty where the name has no module."""
    module = name.rpartition(".")[0]
    return module.replace(".", "/") + ".py" if module else ""


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
    if _YAML_TELLING.search(text) is None:
        return False
    source.ledger.nodes(sum(map(text.count, ":,!!||")), source.where)
    found = list(tokens(text))
    known = handles(text)
    has_any = False
    for token in found:
        if token.kind == "tag":
            has_any = _check_tag(source, full_tag(token.text, known), token.at) or has_any
    for key, value, _ in keyed(found, _YAML_TARGETS):
        has_any = True
        check_target(source, value.replace(":", "."), key)
    return has_any


def _check_tag(source: Source, tag: str, at: int) -> bool:
    made = _HYPER_TAG.fullmatch(tag)
    if made is not None:
        check_target(source, made[2], f"!{made[1]}")
    elif makes_object(tag):
        source.unsafe("yaml-tag", f"the YAML tag {tag[:200]!r} makes an object of any class", at)
    else:
        return False
    return True

"""JSON documents that configure a model: which of them name code, files or templates.

A document of no known kind is only data. Sources: the Hugging Face transformers and skops documentation, Keras
`saving/serialization_lib.py`, Hydra's "Instantiating objects".
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers import keras_config
from redan.kernels.artifacts.readers.code import check_target, read_named_code
from redan.kernels.artifacts.readers.paths import escapes
from redan.kernels.artifacts.readers.skops import read_schema
from redan.kernels.artifacts.readers.templates import check_template

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

LARGEST_PARSED_BYTES = 1 << 20
"""Of a larger document only the values of the keys that matter are parsed."""

_ACTED_ON_KEY = re.compile(
    rb'"(auto_map|[\w.]*(?:template|prompt)\w*|_target_?|target|weight_map|custom_pipelines|vocab_file|tokenizer_file'
    rb'|merges_file|spm_file|vocab_path|sp_model_file|source_spm)"\s*:\s*(?=["\[{])'
)
LARGEST_VALUE_BYTES = 1 << 17
"""Bytes of one list or object in such a document that are parsed."""

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_PLAIN_KEY = re.compile(rb"template|prompt")
_TEMPLATE = re.compile(rb"\{[{%]|\\u007[bB]")
_WHOLE = re.compile(rb'"(?:class_name|__loader__|_class_name)"\s*:\s*["\[]|\\u00(?:5[fF]|6|7[0-9aA])')
"""Objects that only make sense as a whole, and letters of a key that are written as escapes."""

_ACTED_ON = frozenset(
    {"auto_map", "chat_template", "_target_", "_target", "target", "class_name", "config", "module", "weight_map"}
)
"""Keys whose value decides what a loader does."""


_FILE_KEYS = ("vocab_file", "tokenizer_file", "merges_file", "spm_file", "vocab_path", "sp_model_file", "source_spm")
"""Keys of a tokenizer's settings that name a file of its folder."""

_SYSTEM_FILE = re.compile(r"/(?:etc|proc|sys|dev)/")

_PIPELINE_LIBRARIES = frozenset(
    ["diffusers", "transformers", "stable_diffusion", "onnxruntime", "optimum", "peft", "flax", "onnx", "k_diffusion"]
)


def read_document(source: Source) -> str | None:
    """Read a JSON document; None where the bytes are none."""
    n_bytes = len(source.data)
    is_wide = b"\0" in source.head(4)
    if n_bytes > LARGEST_PARSED_BYTES and not is_wide and not _WHOLE.search(source.data):
        _read_pieces(source)
        return "xgboost" if source.data.find(b'"learner"', 0, 4096) >= 0 else "json"
    if n_bytes > source.ledger.limits.header_bytes:
        raise source.ledger.limit("header_bytes", source.where)
    content = bytes(source.data)
    source.ledger.nodes(content.count(b",") + content.count(b"[") + content.count(b"{"), source.where)
    try:
        document = json.loads(content, object_pairs_hook=lambda pairs: _merged(source, pairs))
    except RecursionError:
        raise source.ledger.limit("depth", source.where) from None
    except ValueError:
        return None
    return _read(source, document)


def _read_pieces(source: Source) -> None:
    """Check the values of the keys that matter in a document that is too large to be parsed as a whole."""
    n_left = source.ledger.limits.header_bytes
    for match in _ACTED_ON_KEY.finditer(source.data):
        key = match[1].decode()
        source.ledger.nodes(1, source.where)
        text = _TEXT.match(source.data, match.end())
        if text is not None and _PLAIN_KEY.search(match[1]) and not _TEMPLATE.search(text[0]):
            continue
        n_left -= text.end() - text.start() if text is not None else LARGEST_VALUE_BYTES
        if n_left < 0:
            raise source.ledger.limit("header_bytes", source.where)
        try:
            value = _value(source, match.end(), text)
        except (ValueError, RecursionError):
            source.unknown("limit", f"the value of {key!r} is too large, too deep or broken", match.start())
            continue
        _walk(source, {key: value, "params": {}} if key == "target" else {key: value})


def _value(source: Source, at: int, text: re.Match[bytes] | None) -> object:
    """The JSON value at an offset, of which `text` is the whole where it is a string."""
    if text is not None:
        return json.loads(text[0])
    piece = bytes(source.data[at : at + LARGEST_VALUE_BYTES])
    return json.JSONDecoder().raw_decode(piece.decode("utf-8", "ignore"))[0]


def _merged(source: Source, pairs: list[tuple[str, object]]) -> dict[str, object]:
    """One object; where a key that matters stands in it twice, readers disagree about which one counts."""
    item = dict(pairs)
    if len(item) < len(pairs):
        keys = [key for key, _ in pairs]
        for key in sorted(key for key in _ACTED_ON if keys.count(key) > 1):
            source.unknown("duplicate-keys", f"the key {key!r} stands twice in one object")
    return item


def _read(source: Source, document: object) -> str:
    if not isinstance(document, dict):
        _walk(source, document)
        return "json"
    if "__loader__" in document or "_skops_version" in document:
        read_schema(source, document)
        return "skops-schema"
    if "class_name" in document and "config" in document:
        keras_config.check(source, document)
        return "keras-config"
    if "learner" in document and "version" in document:
        return "xgboost"
    _walk(source, document)
    return _kind(document)


def _kind(document: dict[str, object]) -> str:
    if document.keys() & {"model_type", "architectures", "transformers_version", "auto_map", "peft_type"}:
        return "hf-config"
    if document.keys() & {"tokenizer_class", "chat_template", "added_tokens_decoder"}:
        return "hf-tokenizer"
    if "weight_map" in document:
        return "hf-index"
    return "notebook" if "cells" in document and "nbformat" in document else "json"


def _walk(source: Source, document: object) -> None:
    """Visit every object of a document and check the keys that a loader acts on."""
    pending = [document]
    while pending:
        item = pending.pop()
        source.ledger.nodes(1, source.where)
        if isinstance(item, list):
            pending.extend(part for part in item if isinstance(part, dict | list))
        elif isinstance(item, dict):
            _check(source, item)
            pending.extend(part for part in item.values() if isinstance(part, dict | list))


def _check(source: Source, item: dict[str, object]) -> None:
    if "class_name" in item and "config" in item:
        keras_config.check_object(source, item)
    _check_templates_of(source, item)
    for key in ("_target_", "_target", "target"):
        value = item.get(key)
        if isinstance(value, str) and (key != "target" or "params" in item):
            check_target(source, value, key, item)
    for key in ("auto_map", "custom_pipelines"):
        if item.get(key):
            read_named_code(source, item[key], key)
    _check_pipeline(source, item)
    _check_files(source, item)


def _check_files(source: Source, item: dict[str, object]) -> None:
    for key in _FILE_KEYS:
        value = item.get(key)
        # an absolute path of the machine that saved the settings is what honest ones carry too
        if isinstance(value, str) and (_SYSTEM_FILE.match(value) or (".." in value and escapes(value))):
            source.unsafe("path-traversal", f"{key!r} names {value[:120]!r}, outside the model's folder")
    weights = item.get("weight_map")
    for name in set(map(str, weights.values())) if isinstance(weights, dict) else ():
        if escapes(name):
            source.unsafe("path-traversal", f"the index takes weights from {name!r}, outside the model's folder")


def _check_pipeline(source: Source, item: dict[str, object]) -> None:
    """A diffusers pipeline names each part as [library, class]; another library is a file of its folder."""
    if "_diffusers_version" not in item:
        return
    for key, value in item.items():
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], str):
            continue
        if value[0] not in _PIPELINE_LIBRARIES:
            file = f"{value[0]}.py" if key == "_class_name" else f"{key}/{value[0]}.py"
            read_named_code(source, f"{file.removesuffix('.py')}.{value[1]}", key)


def _check_templates_of(source: Source, item: dict[str, object]) -> None:
    for key, value in item.items():
        if "template" in key or "prompt" in key:
            _check_templates(source, value, key)


def _check_templates(source: Source, template: object, key: str) -> None:
    """Check one template, or several with names."""
    if isinstance(template, str):
        check_template(source, template, f"the template {key!r}")
    elif isinstance(template, dict):
        for name, text in template.items():
            if isinstance(text, str):
                check_template(source, text, f"the template {name!r}")
    elif isinstance(template, list):
        for entry in template:
            text = entry.get("template") if isinstance(entry, dict) else entry
            if isinstance(text, str):
                name = entry.get("name") if isinstance(entry, dict) else key
                check_template(source, text, f"the template {name!r}")

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
"""A larger document is parsed only if one of the keys that matter stands in it."""

_TELLING = re.compile(
    rb'"(?:auto_map|chat_template|_target_?|target|class_name|__loader__|weight_map|custom_pipelines)"|\\u00[2-7]'
)

_ACTED_ON = frozenset(
    {"auto_map", "chat_template", "_target_", "_target", "target", "class_name", "config", "module", "weight_map"}
)
"""Keys whose value decides what a loader does."""


def read_document(source: Source) -> str | None:
    """Read a JSON document; None where the bytes are none."""
    n_bytes = len(source.data)
    is_wide = b"\0" in source.head(4)
    if n_bytes > LARGEST_PARSED_BYTES and not is_wide and not _TELLING.search(source.data):
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
    _check_templates(source, item.get("chat_template"))
    for key in ("_target_", "_target", "target"):
        value = item.get(key)
        if isinstance(value, str) and (key != "target" or "params" in item):
            check_target(source, value, key, item)
    for key in ("auto_map", "custom_pipelines"):
        if item.get(key):
            read_named_code(source, item[key], key)
    weights = item.get("weight_map")
    for name in set(map(str, weights.values())) if isinstance(weights, dict) else ():
        if escapes(name):
            source.unsafe("path-traversal", f"the index takes weights from {name!r}, outside the model's folder")


def _check_templates(source: Source, template: object) -> None:
    """Check one template, or several with names."""
    if isinstance(template, str):
        check_template(source, template, "the chat template")
    elif isinstance(template, list):
        for entry in template:
            if isinstance(entry, dict) and isinstance(entry.get("template"), str):
                check_template(source, entry["template"], f"the chat template {entry.get('name')!r}")

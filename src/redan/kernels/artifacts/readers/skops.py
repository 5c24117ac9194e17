"""skops: a zip with a schema that names classes and functions. Source: skops `io/_utils.py` and `io/_general.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.kernels.artifacts.judgement import allowlist
from redan.kernels.artifacts.judgement.imports import judge_import
from redan.kernels.artifacts.reading import SAFE

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_CALLING = frozenset({"FunctionNode", "MethodNode", "PartialNode", "OperatorFuncNode", "ReduceNode"})

_BOUND = frozenset({"method_descriptor", "builtin_function_or_method"})


def read_schema(source: Source, schema: dict[str, object]) -> None:
    """Judge every type and function of a schema like an import of a pickle."""
    pending: list[object] = [schema]
    while pending:
        item = pending.pop()
        source.ledger.nodes(1, source.where)
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            _check_node(source, item)
            pending.extend(item.values())


def _check_node(source: Source, node: dict[str, object]) -> None:
    module, name = node.get("__module__"), node.get("__class__")
    if not isinstance(module, str) or not isinstance(name, str):
        return
    _check_name(source, module, name)
    content = node.get("content")
    if node.get("__loader__") in _CALLING and isinstance(content, dict):
        inner_module, inner_name = content.get("module_path"), content.get("function")
        if isinstance(inner_module, str) and isinstance(inner_name, str):
            _check_name(source, inner_module, inner_name)


def _check_name(source: Source, module: str, name: str) -> None:
    if module == "builtins" and name in _BOUND:
        source.unknown("custom-class", f"a schema refers to a {name} of a builtin")
        return
    judged = judge_import(allowlist.canonical(module), name)
    if judged.verdict != SAFE:
        source.ledger.add(judged.kind, judged.verdict, judged.message, source.where)

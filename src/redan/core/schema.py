"""JSON Schema of the records, generated so that it cannot drift from the code."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin

from redan.core.codec import hints_of
from redan.core.finding import Severity

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(cls: type, *, title: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a record and everything inside it.

    Args:
        cls: a dataclass.
        title: name of the document, for example ``redan/1``.
    """
    definitions: dict[str, Any] = {}
    _define(cls, definitions)
    return {
        "$schema": DIALECT,
        "title": title,
        "$ref": f"#/$defs/{cls.__name__}",
        "$defs": dict(sorted(definitions.items())),
    }


def _define(cls: type, definitions: dict[str, Any]) -> None:
    if cls.__name__ in definitions:
        return
    definitions[cls.__name__] = {}
    hints = hints_of(cls)
    shown = [f for f in fields(cls) if f.metadata.get("serialise", True)]
    required = [f.name for f in shown if f.default is MISSING and f.default_factory is MISSING]
    definitions[cls.__name__] = {
        "type": "object",
        "description": (cls.__doc__ or "").strip().split("\n")[0],
        "properties": {f.name: _type(hints[f.name], definitions) for f in shown},
        "required": required,
        "additionalProperties": False,
    }


_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    type(None): {"type": "null"},
    # infinities and NaN travel as words, since JSON has no such numbers
    float: {"anyOf": [{"type": "number"}, {"enum": ["Infinity", "-Infinity", "NaN"]}]},
    Severity: {"enum": [s.word for s in Severity]},
    Any: {},
}


def _type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_type(a, definitions) for a in args]}
    if origin is Literal:
        return {"enum": list(args)}
    if origin is tuple:
        return _tuple(args, definitions)
    if origin in (Mapping, dict):
        return {"type": "object", "additionalProperties": _type(args[1], definitions)}
    if is_dataclass(hint) and isinstance(hint, type):
        _define(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    raise TypeError(f"no JSON Schema for {hint!r}")


def _tuple(args: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    if len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": _type(args[0], definitions)}
    items = [_type(a, definitions) for a in args]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}

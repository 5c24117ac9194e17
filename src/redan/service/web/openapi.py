"""The OpenAPI 3.1 document of the table of routes, made from the table itself so that it cannot fall behind."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from redan import __version__
from redan.service.identity.actions import ACTIONS

if TYPE_CHECKING:
    from redan.service.web.endpoint import Endpoint

LONGEST_NAME = 256
"""Most characters of a name in an address; nothing is called anything longer."""
_REFUSALS = {
    "400": "the body is not what this address takes",
    "401": "nobody known asks",
    "403": "not allowed, or a fresh second factor is needed",
    "404": "there is nothing of this name",
    "409": "this cannot be done now",
    "413": "too large",
    "415": "not of the media type that is taken",
    "422": "the words fit the form and not the matter",
    "429": "too many requests; Retry-After says when to ask again",
    "503": "not now; Retry-After says when to ask again",
}


class Problem(msgspec.Struct):
    """A refusal.

    Attributes:
        error: stable word.
        message: one sentence for people.
    """

    error: str
    message: str


def document(endpoints: Sequence[Endpoint], paths: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the document.

    Args:
        endpoints: rows of the table; pages of the console are left out.
        paths: further path items, of routes that are not in the table.
    """
    rows = [row for row in endpoints if row.kind == "api"]
    types = [Problem, *(t for row in rows for t in (row.takes, row.gives) if t is not None)]
    schemas, components = msgspec.json.schema_components(
        types, schema_hook=_anything, ref_template="#/components/schemas/{name}"
    )
    for component in components.values():
        # what follows the first paragraph of a docstring is for who reads the source
        component["description"] = component.get("description", "").partition("\n\n")[0]
    known = dict(zip(map(repr, types), schemas, strict=True))
    found: dict[str, Any] = {path: dict(item) for path, item in (paths or {}).items()}
    for row in rows:
        found.setdefault(row.path, {})[row.method.lower()] = _operation(row, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Redan gateway", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": dict(sorted(found.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "a token or an API key"}},
        },
    }


def _anything(kind: type) -> dict[str, Any]:
    if kind is object:
        return {"description": "any JSON value"}
    raise NotImplementedError


def _operation(row: Endpoint, known: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": row.summary,
        "operationId": re.sub(r"[^a-z0-9]+", "_", f"{row.method} {row.path}".lower()).strip("_"),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "maxLength": LONGEST_NAME}}
            for name in re.findall(r"{(\w+)}", row.path)
        ],
        "responses": _responses(row, known),
        "security": [] if row.action is None else [{"bearer": []}],
    }
    if row.action is not None:
        dangerous = " and a second factor shown just before" if ACTIONS[row.action].dangerous else ""
        operation["description"] = f"Needs permission for {row.action}{dangerous}."
    if row.takes is not None:
        content = {"application/json": {"schema": known[repr(row.takes)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(row: Endpoint, known: dict[str, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": row.summary}
    if row.gives is not None:
        good["content"] = {"application/json": {"schema": known[repr(row.gives)]}}
    problem = {"application/json": {"schema": known[repr(Problem)]}}
    refusals = {status: {"description": why, "content": problem} for status, why in _REFUSALS.items()}
    return {"2XX": good, **refusals}

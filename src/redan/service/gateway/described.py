"""The data path's own addresses as OpenAPI describes them; no table holds them, since each look costs there."""

from __future__ import annotations

from typing import Any

_STRING = {"type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"}
_NAME = {"name": "name", "in": "path", "required": True, "schema": _STRING}
_VERSION = {"name": "version", "in": "path", "required": True, "schema": _STRING}
_PROBLEM = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_REFUSALS = {
    "400": "not what this address takes",
    "401": "nobody known asks",
    "403": "not allowed, suspended, or refused by a guard",
    "404": "there is no such model or version",
    "405": "another method",
    "408": "the request did not arrive in time",
    "413": "too many rows or bytes",
    "415": "not of the media type that is taken",
    "422": "rows do not fit the model; the message names the column and the check",
    "429": "rate or budget; Retry-After says when to ask again",
    "503": "overload, quarantine, draining, or no record can be made; Retry-After says when to ask again",
}
_REFUSED = {status: {"description": why, "content": _PROBLEM} for status, why in _REFUSALS.items()}
_ANY: dict[str, Any] = {"description": "numbers, nested as the model's rows are, or flat"}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "datatype": {"enum": ["BOOL", *(f"{k}{n}" for k in ("UINT", "INT") for n in (8, 16, 32, 64)), "FP16", "FP32",
                              "FP64", "BYTES"]},
        "parameters": {"type": "object"},
        "data": {"type": "array", "items": _ANY},
    },
}  # fmt: skip
_QUESTION = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1},
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
}
_ROWS = {
    "type": "object",
    "properties": {
        "x": {"type": "array", "items": _ANY, "description": "rows, as the model takes them"},
        "rows": {"type": "array", "items": {"type": "object"}, "description": "rows by the names of their columns"},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["labels", "model", "digest"],
    "properties": {
        "labels": {"type": "array", "items": {"type": "integer"}},
        "classes": {"type": "array", "items": {"type": "string"}},
        "scores": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
        "model": {"type": "string"},
        "digest": {"type": "string"},
    },
}


def _asking(summary: str, takes: dict[str, Any], gives: dict[str, Any], *, version: bool, word: str) -> dict[str, Any]:
    return {
        "post": {
            "summary": summary,
            "description": "Needs permission for predict.",
            "operationId": f"{word}_version" if version else word,
            "parameters": [_NAME, _VERSION] if version else [_NAME],
            "requestBody": {"required": True, "content": {"application/json": {"schema": takes}}},
            "responses": {
                "200": {"description": "the answer", "content": {"application/json": {"schema": gives}}},
                **_REFUSED,
            },
            "security": [{"bearer": []}],
        }
    }


def _telling(summary: str, *, word: str, parameters: list[Any], public: bool = False) -> dict[str, Any]:
    return {
        "get": {
            "summary": summary,
            "operationId": word,
            "parameters": parameters,
            "responses": {
                "200": {"description": summary, "content": {"application/json": {"schema": {"type": "object"}}}},
                **_REFUSED,
            },
            "security": [] if public else [{"bearer": []}],
        }
    }


def _paths() -> dict[str, Any]:
    found: dict[str, Any] = {
        "/v2": _telling("Say what this server is", word="server", parameters=[], public=True),
        "/v2/health/live": _telling("Say whether it lives", word="server_live", parameters=[], public=True),
        "/v2/health/ready": _telling("Say whether it is ready", word="server_ready", parameters=[], public=True),
    }
    for version in (False, True):
        below = "/versions/{version}" if version else ""
        names = [_NAME, _VERSION] if version else [_NAME]
        of = "_version" if version else ""
        model = f"/v2/models/{{name}}{below}"
        found[model] = _telling("Describe a model", word=f"model{of}", parameters=names)
        found[f"{model}/ready"] = _telling("Say whether a model is ready", word=f"model_ready{of}", parameters=names)
        found[f"{model}/infer"] = _asking(
            "Ask a model (Open Inference Protocol 2)", _QUESTION, {"type": "object"}, version=version, word="infer"
        )
        found[f"/v1/models/{{name}}{below}/predict"] = _asking(
            "Ask a model", _ROWS, _ANSWER, version=version, word="predict"
        )
    return found


PATHS: dict[str, Any] = _paths()
"""Path items; components are those of `redan.service.web.openapi`."""

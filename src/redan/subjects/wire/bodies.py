"""JSON bodies of prediction requests and where their answers keep the predictions."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import SubjectFailed, UsageError

if TYPE_CHECKING:
    from redan.core.settings import Endpoint

_DATATYPES = {
    "float32": "FP32",
    "float64": "FP64",
    "int64": "INT64",
    "int32": "INT32",
    "uint8": "UINT8",
    "bool": "BOOL",
}
_PLACES = {
    "instances": ("predictions", "outputs"),
    "inputs": ("outputs",),
    "native": ("scores", "probabilities", "logits", "predictions", "labels", "outputs", "y"),
}
_SCORES = ("scores", "probabilities", "logits")
_PLACEHOLDER = "$x"
_OWN = re.compile(r"/v1/models/[^/:]+(/versions/[^/]+)?/predict$")


def spoken_at(path: str) -> Literal["inputs", "instances", "native"]:
    """Return the format that an address speaks: Open Inference, Redan's own gateway, TF-Serving else.

    Args:
        path: of the address, such as ``/v2/models/NAME/infer``.
    """
    if path.rstrip("/").endswith("/infer"):
        return "inputs"
    return "native" if _OWN.search(path) else "instances"


def request_body(x: NDArray[Any], format: str, template: str) -> bytes:
    """Write a request: TF-Serving ``instances``, Open Inference v2 ``inputs``, native ``x``, or a template.

    Raises:
        UsageError: the template is no JSON or has no ``"$x"``.
    """
    if template:
        return json.dumps(_filled(template, x)).encode()
    if format == "inputs":
        tensor = {
            "name": "input-0",
            "shape": list(x.shape),
            "datatype": "BYTES" if x.dtype.kind in "UO" else _DATATYPES.get(x.dtype.name, "FP32"),
            "data": x.ravel().tolist(),
        }
        return json.dumps({"inputs": [tensor]}).encode()
    return json.dumps({"instances" if format == "instances" else "x": x.tolist()}).encode()


def answer_array(document: Any, endpoint: Endpoint, name: str) -> NDArray[Any]:
    """Find the predictions in an answer.

    Raises:
        SubjectFailed: there are none, or they form no array.
    """
    if endpoint.answer:
        found = _followed(document, endpoint.answer, name)
    elif isinstance(document, dict):
        found = next((document[key] for key in _PLACES[endpoint.format] if key in document), None)
        if found is None:
            keys = ", ".join(sorted(str(key) for key in document)[:8]) or "nothing"
            raise _no_prediction(name, f"an object with {keys}")
    else:
        found = document
    if endpoint.format == "inputs" and isinstance(found, list) and found and isinstance(found[0], dict):
        found = _tensor(_most_telling(found), name)
    return _array(found, name)


def _filled(template: str, x: NDArray[Any]) -> Any:
    try:
        document = json.loads(template)
    except ValueError as err:
        raise UsageError(f"the body template is no JSON: {err}") from err
    places = 0

    def fill(value: Any) -> Any:
        nonlocal places
        if value == _PLACEHOLDER:
            places += 1
            return x.tolist()
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        return [fill(item) for item in value] if isinstance(value, list) else value

    filled = fill(document)
    if not places:
        raise UsageError(f'the body template has no "{_PLACEHOLDER}"', hint='for example {"instances": "$x"}')
    return filled


def _followed(value: Any, path: str, name: str) -> Any:
    """Follow a dotted path; a name is looked up in every element of a list, a number picks one."""
    for step in path.split("."):
        try:
            if isinstance(value, list) and not step.isdigit():
                value = [item[step] for item in value]
            else:
                value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError):
            raise _no_prediction(name, f"nothing at {step!r} of {path!r}") from None
    return value


def _most_telling(outputs: list[Any]) -> Any:
    """Return the output with scores where one is called so, else the first."""
    named = {output.get("name"): output for output in reversed(outputs) if isinstance(output, dict)}
    return next((named[each] for each in _SCORES if each in named), outputs[0])


def _tensor(output: dict[str, Any], name: str) -> Any:
    array = _array(output.get("data"), name)
    shape = output.get("shape", [len(array)])
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise _no_prediction(name, f"an output of shape {shape!r}")
    if int(np.prod(shape, dtype=object)) != array.size:
        raise _no_prediction(name, f"{array.size} numbers for the shape {shape}")
    return array.reshape(shape)


def _array(value: Any, name: str) -> NDArray[Any]:
    if not isinstance(value, (list, np.ndarray)):
        raise _no_prediction(name, f"a {type(value).__name__}")
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError) as err:
        raise _no_prediction(name, "rows of different lengths") from err
    if array.dtype.kind not in "fiubU":
        raise _no_prediction(name, f"values of type {array.dtype}")
    return array


def _no_prediction(name: str, got: str) -> SubjectFailed:
    return SubjectFailed(
        f"{name!r} answered {got}; expected a list with one label or one row of scores for each input",
        hint="set [endpoint] answer to the dotted path of the predictions, and [endpoint] format to the body's shape",
    )

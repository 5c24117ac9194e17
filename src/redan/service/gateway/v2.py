"""The Open Inference Protocol v2 over HTTP, with its binary tensor extension, for one model with one input.

Inputs are one tensor (n, …), or one tensor (n,) or (n, 1) for each column of a table. Outputs are ``labels`` INT64 (n,)
and, where the model tells them, ``scores`` FP64 (n, k). Specification: KServe, Open Inference Protocol (V2), and
Triton's "Binary Tensor Data Extension".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from redan.service.gateway.refusal import INVALID, MALFORMED
from redan.service.gateway.rows import fitted
from redan.service.gateway.tensors import datatype_of, from_bytes, from_json, to_bytes
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.gateway.call import Call
    from redan.service.models.served import Served

EXTENSIONS = ["binary_tensor_data"]
MOST_TENSORS = 4096
MOST_ID = 256
_LABELS, _SCORES = "labels", "scores"
_DATATYPES = {_LABELS: "INT64", _SCORES: "FP64"}


class Parameters(msgspec.Struct):
    """What is read of ``parameters``; whatever else stands there is passed over."""

    binary_data_size: int | None = None
    binary_data: bool | None = None
    binary_data_output: bool = False


class InputTensor(msgspec.Struct):
    """One input."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters | None = None
    data: msgspec.Raw = msgspec.Raw()


class AskedOutput(msgspec.Struct):
    """One output that is wanted."""

    name: str
    parameters: Parameters | None = None


class InferRequest(msgspec.Struct):
    """The JSON part of a request."""

    inputs: list[InputTensor]
    id: str = ""
    parameters: Parameters | None = None
    outputs: list[AskedOutput] | None = None


@dataclass(slots=True, kw_only=True)
class Question:
    """A decoded request.

    Attributes:
        x: (n, …) rows as the model takes them.
        id: as the client named the request.
        shown: (output, whether binary) to answer, in this order; empty: all as JSON.
        json_bytes: how much of the answer is JSON, once it was written.
    """

    x: NDArray[Any]
    id: str = ""
    shown: tuple[tuple[str, bool], ...] = ()
    json_bytes: int = 0

    @property
    def is_binary(self) -> bool:
        """Whether the answer has a binary part."""
        return any(binary for _, binary in self.shown)

    def write(self, call: Call) -> bytes:
        """Write the answer's body."""
        body, self.json_bytes = write_answer(call, self.id, self.shown)
        return body


_decode = msgspec.json.Decoder(InferRequest).decode
_encode = msgspec.json.Encoder().encode


def question(body: bytes, json_bytes: int | None, served: Served, most_rows: int) -> Question:
    """Decode a request.

    Args:
        body: as it was sent.
        json_bytes: Inference-Header-Content-Length: how much of it is JSON; None: all.
        served: what is to answer.
        most_rows: in one request.

    Raises:
        Refused: it is no request of this protocol, or its rows do not fit the model.
    """
    if json_bytes is not None and not 0 < json_bytes <= len(body):
        raise Refused(MALFORMED, "Inference-Header-Content-Length does not fit the body")
    try:
        asked = _decode(body if json_bytes is None else memoryview(body)[:json_bytes])
    except msgspec.ValidationError as err:
        raise Refused(MALFORMED, f"the body is no inference request: {err}"[:300]) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refused(MALFORMED) from None
    if not 1 <= len(asked.inputs) <= MOST_TENSORS or len(asked.id) > MOST_ID:
        raise Refused(INVALID, f"a request has 1 to {MOST_TENSORS} inputs and an id of at most {MOST_ID} characters")
    tail = memoryview(body)[len(body) if json_bytes is None else json_bytes :]
    arrays = arrays_of(asked.inputs, tail)
    values = arrays[0] if len(arrays) == 1 else _columns(asked.inputs, arrays, served.columns)
    shown = _shown(asked, has_scores=bool(served.score_kind))
    return Question(x=fitted(values, served, most_rows), id=asked.id, shown=shown)


def write_answer(call: Call, request_id: str, shown: tuple[tuple[str, bool], ...]) -> tuple[bytes, int]:
    """Write an answer: its bytes, and how many of them are JSON."""
    arrays = _outputs(call)
    outputs, tail = [], []
    for name, binary in shown or tuple((name, False) for name in arrays):
        array = arrays.get(name)
        if array is None:
            continue
        output: dict[str, Any] = {"name": name, "shape": array.shape, "datatype": _DATATYPES[name]}
        if binary:
            data = to_bytes(array, _DATATYPES[name])
            output["parameters"] = {"binary_data_size": len(data)}
            tail.append(data)
        else:
            output["data"] = array.ravel().tolist()
        outputs.append(output)
    settings = call.served.settings
    head = {"model_name": settings.name, "model_version": settings.version, "id": request_id or call.id}
    document = _encode({**head, "outputs": outputs})
    return b"".join((document, *tail)), len(document)


def server_metadata(version: str) -> bytes:
    """Write what the server says of itself."""
    return _encode({"name": "redan", "version": version, "extensions": EXTENSIONS})


def model_ready(served: Served) -> bytes:
    """Write that a model answers."""
    return _encode({"name": served.settings.name, "ready": True})


def model_metadata(served: Served, versions: list[str]) -> bytes:
    """Write what a model takes and answers."""
    datatype = datatype_of(served.dtype)
    inputs = [{"name": "input-0", "datatype": datatype, "shape": [-1, *served.shape]}]
    outputs = [{"name": _LABELS, "datatype": "INT64", "shape": [-1]}]
    if served.score_kind:
        outputs.append({"name": _SCORES, "datatype": "FP64", "shape": [-1, len(served.classes) or -1]})
    parameters = {"digest": served.digest, "columns": served.columns, "classes": served.classes}
    return _encode(
        {
            "name": served.settings.name,
            "versions": versions,
            "platform": f"redan_{served.settings.kind}",
            "inputs": inputs,
            "outputs": outputs,
            "parameters": {key: value for key, value in parameters.items() if value},
        }
    )


def _outputs(call: Call) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    if call.labels is not None:
        arrays[_LABELS] = call.labels
    if call.scores is not None:
        arrays[_SCORES] = call.scores
    return arrays


def arrays_of(inputs: list[InputTensor], tail: memoryview) -> list[NDArray[Any]]:
    """Read the tensors of a request, in order; ``tail`` is what stands behind its JSON.

    Raises:
        Refused: data and sizes do not fit together.
    """
    arrays = []
    for tensor in inputs:
        size = tensor.parameters.binary_data_size if tensor.parameters is not None else None
        if size is not None:
            if len(tensor.data) or not 0 <= size <= len(tail):
                raise Refused(MALFORMED, "binary_data_size does not fit the body")
            arrays.append(from_bytes(tail[:size], tensor.datatype, tuple(tensor.shape)))
            tail = tail[size:]
        elif len(tensor.data):
            arrays.append(from_json(tensor.data, tensor.datatype, tuple(tensor.shape)))
        else:
            raise Refused(INVALID, "an input has neither data nor binary_data_size")
    if len(tail):
        raise Refused(MALFORMED, "there are bytes behind the last binary tensor")
    return arrays


def _columns(inputs: list[InputTensor], arrays: list[NDArray[Any]], columns: tuple[str, ...]) -> NDArray[Any]:
    named = {tensor.name: array for tensor, array in zip(inputs, arrays, strict=True)}
    if set(named) != set(columns) or len(named) != len(arrays):
        raise Refused(
            INVALID, "send one tensor with whole rows, or one for each column of this model; see its metadata"
        )
    count = len(arrays[0])
    if any(array.shape not in {(count,), (count, 1)} for array in arrays):
        raise Refused(INVALID, "columns have the shape [n] or [n, 1] and the same n")
    return np.stack([named[column].reshape(count) for column in columns], axis=1)


def _shown(asked: InferRequest, *, has_scores: bool) -> tuple[tuple[str, bool], ...]:
    known = (_LABELS, _SCORES) if has_scores else (_LABELS,)
    by_default = asked.parameters is not None and asked.parameters.binary_data_output
    if not asked.outputs:
        return tuple((name, True) for name in known) if by_default else ()
    if len(asked.outputs) > len(known) or any(output.name not in known for output in asked.outputs):
        raise Refused(INVALID, f"outputs of this model: {', '.join(known)}")
    return tuple(
        (output.name, by_default if output.parameters is None or output.parameters.binary_data is None
         else output.parameters.binary_data)
        for output in asked.outputs
    )  # fmt: skip

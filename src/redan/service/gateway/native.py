"""Redan's own small JSON: ``{"x": [[…], …]}`` or ``{"rows": [{column: value, …}, …]}`` for labels and scores."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from redan.service.gateway.refusal import INVALID, MALFORMED
from redan.service.gateway.rows import fitted
from redan.service.gateway.tensors import nested_decoder
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.service.gateway.call import Call
    from redan.service.models.served import Served

_encode = msgspec.json.Encoder().encode


class _Named(msgspec.Struct):
    rows: list[dict[str, float | str | None]]


@lru_cache(maxsize=32)
def _x_decoder(kind: type, depth: int) -> msgspec.json.Decoder[Any]:
    shape: Any = kind
    for _ in range(depth):
        shape = list[shape]
    return msgspec.json.Decoder(msgspec.defstruct("Rows", [("x", shape)]))


def rows(body: bytes, served: Served, most_rows: int) -> NDArray[Any]:
    """Decode a request into (n, …) rows as the model takes them.

    Raises:
        Refused: it is no such request, or its rows do not fit the model.
    """
    kind = str if np.dtype(served.dtype).kind in "OUS" else float
    try:
        values = np.array(_x_decoder(kind, len(served.shape) + 1).decode(body).x, None if kind is float else object)
    except msgspec.ValidationError as err:
        if not served.columns:
            raise _unfit(served, err) from None
        values = _by_name(body, served)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refused(MALFORMED) from None
    except (OverflowError, ValueError):
        raise Refused(INVALID, "rows of different lengths, or numbers too large") from None
    return fitted(values, served, most_rows)


def line(text: bytes, served: Served) -> tuple[NDArray[Any], bool]:
    """Decode one line of a stream: a row, or a list of rows; and whether it was one row.

    Raises:
        Refused: it is neither.
    """
    kind = str if np.dtype(served.dtype).kind in "OUS" else float
    depth = len(served.shape)
    try:
        try:
            return np.array([nested_decoder(kind, depth).decode(text)], object if kind is str else None), True
        except msgspec.ValidationError:
            return np.array(nested_decoder(kind, depth + 1).decode(text), object if kind is str else None), False
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError):
        raise Refused(INVALID, "each line is one row, or a list of rows, as JSON") from None


def write(call: Call) -> bytes:
    """Write an answer: labels, class names where there are any, scores, and which version answered."""
    settings = call.served.settings
    labels = call.labels.tolist() if call.labels is not None else []
    answer: dict[str, Any] = {"labels": labels}
    if names := call.served.classes:
        answer["classes"] = [names[label] if 0 <= label < len(names) else "" for label in labels]
    if call.scores is not None:
        answer["scores"] = call.scores.tolist()
    answer["model"] = f"{settings.name}@{settings.version}"
    answer["digest"] = call.served.digest
    answer["id"] = call.id
    return _encode(answer)


def _by_name(body: bytes, served: Served) -> NDArray[Any]:
    try:
        named = msgspec.json.decode(body, type=_Named).rows
    except msgspec.ValidationError as err:
        raise _unfit(served, err) from None
    wanted = set(served.columns)
    if any(set(row) != wanted for row in named):
        raise Refused(INVALID, "each row names every column of this model once, and no other; see its metadata")
    try:
        return np.array([[row[column] for column in served.columns] for row in named], np.dtype(served.dtype))
    except (TypeError, ValueError, OverflowError):
        raise Refused(INVALID, "a column holds another kind of value than this model takes") from None


def _unfit(served: Served, err: msgspec.ValidationError) -> Refused:
    shape = ", ".join(str(n) for n in ("n", *served.shape))
    return Refused(INVALID, f'send {{"x": rows}} of the shape [{shape}]: {err}'[:300])

"""Tensors of the Open Inference Protocol v2: from JSON or bytes to arrays, and back.

Binary tensors: little endian, row after row; BYTES elements stand behind their length in four bytes.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from redan.service.gateway.refusal import INVALID, MALFORMED
from redan.service.web.errors import Refused

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BF16": np.dtype("<u2"),
    "BYTES": np.dtype(object),
}
"""NumPy's type of each datatype as it stands in bytes; BF16 is the upper half of an FP32."""
_NAMES = {np.dtype(dtype).str: name for name, dtype in DTYPES.items() if name not in {"BF16", "BYTES"}}
_JSON_KINDS: dict[str, type] = {"b": bool, "u": int, "i": int, "f": float, "O": str}
_MOST_AXES = 16
_MOST_VALUES = 1 << 40
"""Beside an axis of 0 no body bounds the others, and NumPy refuses what it cannot count."""


def datatype_of(dtype: Any) -> str:
    """Return the protocol's name of a NumPy type; BYTES for text."""
    return _NAMES.get(np.dtype(dtype).newbyteorder("<").str, "BYTES")


@lru_cache(maxsize=128)
def nested_decoder(kind: type, depth: int) -> msgspec.json.Decoder[Any]:
    """Return what reads ``depth`` lists inside each other, so that no deeper JSON is followed."""
    shape: Any = kind
    for _ in range(depth):
        shape = list[shape]
    return msgspec.json.Decoder(shape)


def from_json(data: msgspec.Raw, datatype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Read a tensor's ``data``, flat or nested as its shape says.

    Raises:
        Refused: an unknown datatype, elements of another kind, or another number of them.
    """
    dtype = _dtype(datatype)
    kind = float if datatype == "BF16" else _JSON_KINDS[dtype.kind]
    _count(shape)
    try:
        flat = nested_decoder(kind, 1).decode(data)
    except msgspec.ValidationError:
        if len(shape) < 2:
            raise Refused(INVALID, f"data does not hold {datatype} values") from None
        flat = _nested(data, kind, len(shape), datatype)
    try:
        # floats stay as JSON has them: what an FP32 cannot hold would be infinite here, with a warning
        return _shaped(np.array(flat, None if kind is float else dtype), shape)
    except (OverflowError, ValueError):
        raise Refused(INVALID, f"values that {datatype} cannot hold") from None


def from_bytes(data: memoryview, datatype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Read a binary tensor; numbers stay where they are, without a copy.

    Raises:
        Refused: an unknown datatype, or another number of bytes.
    """
    dtype = _dtype(datatype)
    count = _count(shape)
    if datatype == "BYTES":
        return _shaped(np.array(_texts(data, count), object), shape)
    if len(data) != count * dtype.itemsize:
        raise Refused(INVALID, f"{len(data)} bytes for {count} values of {datatype}")
    array: NDArray[Any] = np.frombuffer(data, dtype)
    if datatype == "BF16":
        array = (array.astype("<u4") << np.uint32(16)).view("<f4")
    return array.reshape(shape)


def to_bytes(array: NDArray[Any], datatype: str) -> bytes:
    """Write a binary tensor."""
    if datatype != "BYTES":
        return np.ascontiguousarray(array, DTYPES[datatype]).tobytes()
    texts = [str(value).encode() for value in array.ravel()]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def _dtype(datatype: str) -> np.dtype[Any]:
    found = DTYPES.get(datatype)
    if found is None:
        raise Refused(INVALID, f"the datatype must be one of {', '.join(DTYPES)}")
    return found


def _count(shape: tuple[int, ...]) -> int:
    if not 1 <= len(shape) <= _MOST_AXES or min(shape) < 0:
        raise Refused(INVALID, f"a shape has 1 to {_MOST_AXES} axes, none below 0")
    if math.prod(n or 1 for n in shape) > _MOST_VALUES:
        raise Refused(INVALID, "a shape of more values than any body holds")
    return math.prod(shape)


def _shaped(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if array.size != _count(shape):
        raise Refused(INVALID, f"{array.size} values for {_count(shape)} of the shape")
    return array.reshape(shape)


def _nested(data: msgspec.Raw, kind: type, depth: int, datatype: str) -> NDArray[Any]:
    try:
        return np.array(nested_decoder(kind, depth).decode(data), object if kind is str else None)
    except msgspec.ValidationError:
        raise Refused(INVALID, f"data holds neither {datatype} values nor lists of them as the shape says") from None
    except (OverflowError, ValueError):
        raise Refused(INVALID, "rows of different lengths, or numbers too large") from None


def _texts(data: memoryview, count: int) -> list[str]:
    texts: list[str] = []
    at = 0
    try:
        while at < len(data):
            (size,) = struct.unpack_from("<I", data, at)
            text = bytes(data[at + 4 : at + 4 + size])
            if len(text) != size or len(texts) >= count:
                raise Refused(INVALID, "a BYTES tensor does not fit its shape")
            texts.append(text.decode())
            at += 4 + size
    except (struct.error, UnicodeDecodeError):
        raise Refused(MALFORMED, "a BYTES tensor holds UTF-8 text behind four bytes of length each") from None
    return texts

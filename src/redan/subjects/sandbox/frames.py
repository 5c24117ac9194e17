"""What goes through the pipe between Redan and a sandbox: a JSON header and one plain array, both with a length.

Nothing is pickled in either direction: the far side is not trusted.
"""

from __future__ import annotations

import json
import os
import select
import struct
import time
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import SubjectFailed

_LENGTHS = struct.Struct("<IQ")
_MOST_HEADER_BYTES = 1 << 20
_MOST_ARRAY_BYTES = 4 << 30
_BLOCK_BYTES = 1 << 20


def write_frame(pipe: int, header: dict[str, Any], array: NDArray[Any] | None = None) -> None:
    """Write one frame to a file descriptor.

    Raises:
        OSError: the far side is gone.
    """
    text = json.dumps(header).encode()
    body = b""
    if array is not None:
        stream = BytesIO()
        np.save(stream, array, allow_pickle=False)
        body = stream.getvalue()
    left = memoryview(_LENGTHS.pack(len(text), len(body)) + text + body)
    while left:
        left = left[os.write(pipe, left[:_BLOCK_BYTES]) :]


def read_frame(
    pipe: int, *, within_s: float | None, most_array_bytes: int = _MOST_ARRAY_BYTES
) -> tuple[dict[str, Any], NDArray[Any] | None]:
    """Read one frame from a file descriptor.

    Args:
        pipe: the file descriptor.
        within_s: most wall seconds to wait; None for no limit.
        most_array_bytes: a larger array is refused before it is read.

    Raises:
        SubjectFailed: no frame in time, the far side ended, or what it sent is no frame.
    """
    deadline_s = None if within_s is None else time.monotonic() + within_s
    n_header, n_array = _LENGTHS.unpack(_exactly(pipe, _LENGTHS.size, deadline_s))
    if n_header > _MOST_HEADER_BYTES or n_array > most_array_bytes:
        raise SubjectFailed("the sandbox answered more than a prediction can be")
    text, body = (_exactly(pipe, n, deadline_s) for n in (n_header, n_array))
    try:
        header = json.loads(text)
        array = np.load(BytesIO(body), allow_pickle=False) if body else None
    except (ValueError, EOFError, RecursionError, MemoryError) as err:
        raise SubjectFailed("the sandbox answered something that is no prediction") from err
    if not isinstance(header, dict):
        raise SubjectFailed("the sandbox answered something that is no prediction")
    return header, array


def _exactly(pipe: int, n: int, deadline_s: float | None) -> bytes:
    blocks = bytearray()
    while len(blocks) < n:
        left_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
        if not select.select([pipe], [], [], left_s)[0]:
            raise SubjectFailed("the sandbox did not answer in time", hint="the model may loop; it was stopped")
        block = os.read(pipe, min(n - len(blocks), _BLOCK_BYTES))
        if not block:
            raise SubjectFailed(
                "the sandbox ended without an answer",
                hint="the model crashed, or used more memory or time than the sandbox gives",
            )
        blocks += block
    return bytes(blocks)

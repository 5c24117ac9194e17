"""What the server and its worker processes say to each other: a kind, a JSON head, and bytes, over a pair of sockets.

Models go to a worker pickled, since the server made them; nothing that comes back is unpickled, since models ran there.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from redan.core.errors import SubjectFailed
from redan.service.models.served import Answers

HEADER = struct.Struct("<cIQ")
"""Kind, bytes of the head, bytes of the body."""
LOAD, ASK, ANSWER, ERROR = b"l", b"q", b"a", b"e"
MOST_HEAD_BYTES = 1 << 16
MOST_BODY_BYTES = 1 << 34
_DTYPES = frozenset({"<f4", "<f8", "<f2"})


class Nonsense(SubjectFailed):
    """What came from a worker process is no frame, or no answer: it is not to be asked again."""


class Rows(msgspec.Struct):
    """Head of a question."""

    key: str
    dtype: str
    shape: tuple[int, ...]


class Load(msgspec.Struct):
    """Head of a model: its key, and the keys of those that are still served."""

    key: str
    serving: list[str]


class Shape(msgspec.Struct):
    """Head of an answer: labels (n,) int64, then scores (n, k), if there are any."""

    rows: int
    scores: tuple[int, int] | None = None
    dtype: str = "<f8"


class Failure(msgspec.Struct):
    """Head of an error."""

    message: str


def packed(kind: bytes, head: msgspec.Struct, body: bytes = b"") -> bytes:
    """Write a frame."""
    words = msgspec.json.encode(head)
    return b"".join((HEADER.pack(kind, len(words), len(body)), words, body))


def sizes(header: bytes) -> tuple[bytes, int, int]:
    """Read a frame's kind and sizes.

    Raises:
        Nonsense: it is none of ours.
    """
    kind, head_bytes, body_bytes = HEADER.unpack(header)
    if head_bytes > MOST_HEAD_BYTES or body_bytes > MOST_BODY_BYTES:
        raise Nonsense("a worker process answers nonsense")
    return kind, head_bytes, body_bytes


def packed_answers(answers: Answers) -> bytes:
    """Write a model's answers."""
    labels = np.ascontiguousarray(answers.labels, "<i8")
    if answers.scores is None:
        return packed(ANSWER, Shape(rows=len(labels)), labels.tobytes())
    scores = np.ascontiguousarray(answers.scores)
    if scores.dtype.str not in _DTYPES:
        scores = scores.astype("<f8")
    shape = Shape(rows=len(labels), scores=(scores.shape[0], scores.shape[1]), dtype=scores.dtype.str)
    return packed(ANSWER, shape, labels.tobytes() + scores.tobytes())


def answers_of(kind: bytes, head: bytes, body: bytes, rows: int) -> Answers:
    """Read a model's answers to a number of rows.

    Raises:
        SubjectFailed: the model failed.
        Nonsense: these are no answers.
    """
    try:
        if kind == ERROR:
            raise SubjectFailed(msgspec.json.decode(head, type=Failure).message)
        shape = msgspec.json.decode(head, type=Shape)
        if kind != ANSWER or shape.rows != rows or shape.dtype not in _DTYPES:
            raise ValueError("no answer")
        labels = np.frombuffer(body, "<i8", rows)
        scores: NDArray[Any] | None = None
        if shape.scores is not None:
            scores = np.frombuffer(body, shape.dtype, offset=labels.nbytes).reshape(shape.scores)
            if len(scores) != rows:
                raise ValueError("no answer")
    except (msgspec.DecodeError, ValueError) as err:
        raise Nonsense("a worker process answers nonsense") from err
    return Answers(labels=labels, scores=scores)

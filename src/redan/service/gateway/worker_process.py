"""A process that computes predictions for the server: it reads questions from a socket, and answers them in order.

It has no secrets of the server in its environment, opens no port, and ends when the server does.
"""

from __future__ import annotations

import pickle
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from redan.core.errors import RedanError
from redan.service.gateway.frames import (
    ASK,
    ERROR,
    HEADER,
    LOAD,
    Failure,
    Load,
    Rows,
    packed,
    packed_answers,
    sizes,
)
from redan.service.models.served import Answers

_Answer = Callable[[Any], Answers]


def main(descriptor: int) -> None:
    """Answer until the server closes the socket."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # they are sent to the whole group: the server drains first, then closes the socket
        signal.signal(number, signal.SIG_IGN)
    models: dict[str, _Answer] = {}
    with socket.socket(fileno=descriptor) as channel:
        while (header := _read(channel, HEADER.size)) is not None:
            kind, head_bytes, body_bytes = sizes(header)
            head, body = _read(channel, head_bytes), _read(channel, body_bytes)
            if head is None or body is None:
                return
            channel.sendall(_answered(models, kind, head, body))


def _answered(models: dict[str, _Answer], kind: bytes, head: bytes, body: bytes) -> bytes:
    try:
        if kind == LOAD:
            load = msgspec.json.decode(head, type=Load)
            for key in set(models) - set(load.serving):
                del models[key]
            make, arguments = pickle.loads(body)  # noqa: S301  # written by the server that started this process
            models[load.key] = make(*arguments)
            return packed_answers(Answers(labels=np.zeros(0, np.int64), scores=None))
        if kind != ASK:
            return packed(ERROR, Failure(message=f"no such question: {kind!r}"))
        asked = msgspec.json.decode(head, type=Rows)
        x = np.frombuffer(body, asked.dtype).reshape(asked.shape)
        return packed_answers(models[asked.key](x))
    except Exception as error:  # noqa: BLE001  # a model's failure is an answer, not the end of the process
        words = error.message if isinstance(error, RedanError) else f"{type(error).__name__}: {error}"
        return packed(ERROR, Failure(message=words[:1000]))


def _read(channel: socket.socket, size: int) -> bytes | None:
    """Read exactly so many bytes; None when the server has gone."""
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        got = channel.recv_into(view[at:])
        if not got:
            return None
        at += got
    return bytes(data)


if __name__ == "__main__":
    main(int(sys.argv[1]))

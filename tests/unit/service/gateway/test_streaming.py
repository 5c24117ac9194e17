"""How what arrives of a stream is cut into lines."""

from __future__ import annotations

import asyncio
from time import process_time
from typing import Any

import pytest

from redan.service.gateway.streaming import _Lines
from redan.service.web.errors import Refused


def lines_of(body: bytes, *, piece: int, most_bytes: int = 1 << 24) -> list[bytes]:
    pieces = [body[at : at + piece] for at in range(0, len(body), piece)]
    messages = iter([{"type": "http.request", "body": each, "more_body": True} for each in pieces])
    ends = {"type": "http.request", "body": b"", "more_body": False}

    async def receive() -> dict[str, Any]:
        return next(messages, ends)

    async def every() -> list[bytes]:
        lines, found = _Lines(receive, most_bytes), []
        while some := await lines.some():
            found += some
        return found

    return asyncio.run(every())


@pytest.mark.parametrize("body", [b"[1]\n[2, 3]\n\n \n[4]", b"[1]\n", b"\n\n", b"[1]", b"", b"[1]\n[2]\n[3]\n"])
def test_lines_are_the_same_in_whatever_pieces_they_come(body: bytes) -> None:
    wanted = [line for line in body.split(b"\n") if line.strip()]
    for piece in range(1, len(body) + 2):
        assert lines_of(body, piece=piece) == wanted


def test_a_long_line_in_small_pieces_costs_in_proportion_to_its_length() -> None:
    line = b"1" * (8 << 20)
    began_s = process_time()
    assert lines_of(line + b"\n", piece=1000) == [line]
    # 25 ms; with a copy of everything before for each piece, 29 s
    assert process_time() - began_s < 2


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(Refused):
        lines_of(b"1" * 5000, piece=10, most_bytes=4000)

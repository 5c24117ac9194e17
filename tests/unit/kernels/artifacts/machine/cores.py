"""Reads bytes with each core in turn, and makes what both must agree on."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator

import pytest

from redan.kernels.artifacts import Limits, Reading, inspect_bytes
from redan.kernels.artifacts.machine.calls import OPCODES
from redan.kernels.artifacts.machine.core import CORE

SMALL = Limits(
    opcodes=20_000,
    judged=2_000,
    stack_values=9_000,
    memo_entries=5_000,
    marks=3_000,
    text_bytes=1 << 20,
    members=50,
    expanded_bytes=1 << 20,
    nodes=5_000,
    evidence_chars=20_000,
    calls=5,
    reasons=20,
)
"""Limits that small inputs reach; five calls are kept, so that both cores make plain calls."""


def needs_compiled_core() -> None:
    assert OPCODES
    if CORE.walk is None:
        pytest.skip(f"there is one core only: {CORE.why}")


def of_each_core(data: bytes, limits: Limits) -> tuple[Reading, Reading]:
    """The readings of the compiled core and of Python alone."""
    walk = CORE.walk
    compiled = inspect_bytes(data, "file", limits)
    CORE.walk = None
    try:
        return compiled, inspect_bytes(data, "file", limits)
    finally:
        CORE.walk = walk


def assert_same(data: bytes, limits: Limits = SMALL) -> Reading:
    compiled, pure = of_each_core(data, limits)
    assert dataclasses.asdict(compiled) == dataclasses.asdict(pure), f"{len(data)} bytes: {data[:200]!r}"
    return compiled


def mutations(data: bytes, n: int, seed: int) -> Iterator[bytes]:
    """Copies of a file with bytes changed, cut, doubled, moved or replaced by opcodes."""
    draw = random.Random(seed)
    opcodes = [code for code in range(256) if OPCODES[code] is not OPCODES[0]]
    for _ in range(n):
        changed = bytearray(data)
        for _ in range(draw.choice((1, 1, 2, 8))):
            at = draw.randrange(len(changed) + 1)
            to = min(len(changed), at + draw.randrange(1, 12))
            match draw.randrange(6):
                case 0:
                    changed[at:to] = draw.randbytes(to - at)
                case 1:
                    del changed[at:to]
                case 2:
                    changed[at:at] = changed[at:to] * 3
                case 3:
                    changed[at:at] = bytes(draw.choices(opcodes, k=4))
                case 4:
                    changed[at : at + 1] = bytes([draw.choice(opcodes)])
                case _:
                    del changed[at:]
            if not changed:
                changed += b"."
        yield bytes(changed)

"""Arrays that joblib writes raw into the middle of a pickle.

Source: joblib `numpy_pickle.py`, `NumpyArrayWrapper.write_array`: after the wrapper's BUILD come, from joblib 1.2 on,
one byte n and n bytes of padding, then the array's bytes, or a nested pickle for an object dtype.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.ledger import LimitReached
from redan.kernels.artifacts.machine.machine import Broken, Machine
from redan.kernels.artifacts.machine.values import Global, Result

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Value

_DTYPE = re.compile(r"[<>|=]?([?bhilqpBHILQPefdgFDGSUVOMmiufcaT])(\d*)")
LONGEST_TRIAL = 10_000
"""Opcodes of the raw bytes of an array that are read as if they were part of the pickle."""

_PLAIN = {"?": 1, "b": 1, "B": 1}


def skip_array(m: Machine, target: Value, pos: int) -> int:
    """The offset behind the raw array that follows, or `pos` where none does.

    Raises:
        Broken: The array is longer than the buffer or its size cannot be told.
    """
    if type(target) is not Result or type(target.function) is not Global:
        return pos
    wrapper = target.function
    if wrapper.name != "NumpyArrayWrapper" or not wrapper.module.endswith("joblib.numpy_pickle"):
        return pos
    state = target.state
    if type(state) is not dict:
        return pos
    m.judge.has_arrays = True
    itemsize = _itemsize(state.get("dtype"))
    if itemsize == 0:
        return _nested_pickle(m, pos)
    _try_as_opcodes(m, pos)
    n_items = _n_items(state.get("shape"))
    if itemsize is None or n_items is None:
        raise Broken("the size of an in-stream array cannot be told")
    if state.get("numpy_array_alignment_bytes"):
        pos += 1 + m.data[pos]
    end = pos + itemsize * n_items
    if end > m.size:
        raise Broken("an in-stream array reaches beyond the end")
    return end


def _nested_pickle(m: Machine, pos: int) -> int:
    """Read the pickle of an object array; the offset behind it."""
    m.judge.descend()
    outcome = Machine(m.data, m.judge, m.table).run(pos, m.judge.ledger)
    m.judge.ascend()
    if not outcome.stopped:
        raise Broken(f"the pickle of an in-stream object array is broken: {outcome.why}")
    return outcome.end


def _try_as_opcodes(m: Machine, pos: int) -> None:
    """Read the raw bytes as a plain unpickler would, which knows no arrays, and keep what is unsafe there."""
    if pos >= m.size or m.table[m.data[pos]] is m.table[0]:
        return
    m.judge.ledger.nodes(len(m.memo) + len(m.sparse) + len(m.stack), m.judge.where)
    trial = m.judge.fork(LONGEST_TRIAL)
    try:
        m.fork(trial).run(pos, trial.ledger)
    except LimitReached:
        # Numbers break off as opcodes at once; these were chosen to go on.
        m.judge.ledger.limit("opcodes", m.judge.where)
    m.judge.keep_unsafe(trial)


def _n_items(shape: Value) -> int | None:
    if type(shape) is not tuple:
        return None
    n = 1
    for length in shape:
        if type(length) is not int or length < 0:
            return None
        n *= length
    return n


def _itemsize(dtype: Value) -> int | None:
    """Bytes of one item; 0 for an object dtype, None where it cannot be told."""
    if type(dtype) is not Result or type(dtype.arguments) is not tuple or not dtype.arguments:
        return None
    code = dtype.arguments[0]
    match = _DTYPE.fullmatch(code) if type(code) is str else None
    if match is None:
        return None
    kind, digits = match.groups()
    if kind == "O":
        return 0
    if kind == "V" and type(dtype.state) is tuple and len(dtype.state) > 5 and type(dtype.state[5]) is int:
        # A record dtype says in its state how long it is; one with object fields is pickled.
        return 0 if _has_objects(dtype.state[4]) else max(dtype.state[5], int(digits or 0)) or None
    if digits:
        return int(digits) * (4 if kind == "U" else 1) or None
    return _PLAIN.get(kind)


def _has_objects(fields: Value) -> bool:
    if type(fields) is not dict:
        return False
    firsts = [field[0] for field in fields.values() if type(field) is tuple and field]
    return any(_itemsize(first) == 0 for first in firsts)

"""Opcodes that move, memoise and gather values."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from redan.kernels.artifacts.machine.machine import Broken, Stop
from redan.kernels.artifacts.machine.values import SET, Global

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.machine import Handler, Machine
    from redan.kernels.artifacts.machine.values import Value

MOST_RETAINED = 400_000
"""Items of all lists and dicts of a stream that are kept; what is dropped is evidence, never an import or a call."""

_UINT32 = Struct("<I").unpack_from

LARGEST_MEMO_GAP = 1 << 22
"""How far a memo index may run ahead; a pickler numbers without gaps."""

LARGEST_HASH = 1 << 60
"""Beyond it many ints share a hash, and a table of them would take a search for each."""

LONGEST_LIST = 256
"""Items of a list or dict that are kept as evidence."""


def memoize(m: Machine, pos: int) -> int:
    """Store the top under the next free memo index."""
    if m.sparse:
        put(m, len(m.memo) + len(m.sparse))
    else:
        m.memo.append(m.stack[-1])
    return pos


def put(m: Machine, index: int) -> None:
    """Store the top under `index`."""
    memo = m.memo
    n = len(memo)
    if index == n and not m.sparse:
        memo.append(m.stack[-1])
    elif 0 <= index < n:
        memo[index] = m.stack[-1]
    else:
        m.sparse[index if index < LARGEST_HASH else f"{index:x}"] = m.stack[-1]


def get(m: Machine, index: int) -> None:
    """Push the memo entry `index`."""
    if 0 <= index < len(m.memo):
        m.push(m.memo[index])
    else:
        m.push(m.sparse[index if index < LARGEST_HASH else f"{index:x}"])


def binput(m: Machine, pos: int) -> int:
    """Store under a one-byte index."""
    put(m, m.data[pos])
    return pos + 1


def long_binput(m: Machine, pos: int) -> int:
    """Store under a four-byte index.

    A huge one costs nothing here, but CPython's C unpickler allocates a table of that length.
    """
    index = _UINT32(m.data, pos)[0]
    if index > LARGEST_MEMO_GAP + 2 * len(m.memo):
        m.n_judged += 1
        m.judge.unsafe("huge-allocation", f"memo index {index} makes a loader allocate a table of that length", pos - 1)
    put(m, index)
    return pos + 4


def put_line(m: Machine, pos: int) -> int:
    """Store under a decimal index."""
    text, end = m.line(pos)
    put(m, int(text))
    return end


def binget(m: Machine, pos: int) -> int:
    """Push the entry of a one-byte index."""
    get(m, m.data[pos])
    return pos + 1


def long_binget(m: Machine, pos: int) -> int:
    """Push the entry of a four-byte index."""
    get(m, _UINT32(m.data, pos)[0])
    return pos + 4


def get_line(m: Machine, pos: int) -> int:
    """Push the entry of a decimal index."""
    text, end = m.line(pos)
    get(m, int(text))
    return end


def mark(m: Machine, pos: int) -> int:
    """Open a mark."""
    m.below.append(m.stack)
    m.stack = []
    m.push = m.stack.append
    return pos


def pop(m: Machine, pos: int) -> int:
    """Drop the top, or close a mark that has nothing above it."""
    if m.stack:
        m.stack.pop()
    else:
        m.pop_mark()
    return pos


def pop_mark(m: Machine, pos: int) -> int:
    """Drop everything above the innermost mark."""
    m.pop_mark()
    return pos


def dup(m: Machine, pos: int) -> int:
    """Push the top again."""
    m.push(m.stack[-1])
    return pos


def stop(m: Machine, pos: int) -> int:
    """End the stream."""
    if not m.stack:
        raise Broken("STOP on an empty stack")
    raise Stop(pos)


def proto(m: Machine, pos: int) -> int:
    """Skip the protocol number; an unsupported one is a matter of the loader's version."""
    del m
    return pos + 1


def frame(m: Machine, pos: int) -> int:
    """Skip a frame length; loaders differ in what they make of a false one, the machine reads straight on."""
    del m
    return pos + 8


def empty_tuple(m: Machine, pos: int) -> int:
    """Push an empty tuple."""
    m.push(())
    return pos


def tuple1(m: Machine, pos: int) -> int:
    """Wrap the top in a tuple."""
    m.n_retained += 1
    stack = m.stack
    stack[-1] = (stack[-1],)
    return pos


def tuple2(m: Machine, pos: int) -> int:
    """Wrap the two topmost values in a tuple."""
    m.n_retained += 2
    stack = m.stack
    last = stack.pop()
    stack[-1] = (stack[-1], last)
    return pos


def tuple3(m: Machine, pos: int) -> int:
    """Wrap the three topmost values in a tuple."""
    m.n_retained += 3
    stack = m.stack
    last = stack.pop()
    middle = stack.pop()
    stack[-1] = (stack[-1], middle, last)
    return pos


def tuple_(m: Machine, pos: int) -> int:
    """Gather everything above the mark in a tuple."""
    items = m.pop_mark()
    m.n_retained += len(items)
    m.push(tuple(items))
    return pos


def empty_list(m: Machine, pos: int) -> int:
    """Push an empty list."""
    m.push([])
    return pos


def list_(m: Machine, pos: int) -> int:
    """Gather everything above the mark in a list."""
    items = m.pop_mark()
    del items[LONGEST_LIST if m.n_retained < MOST_RETAINED else 0 :]
    m.n_retained += len(items)
    m.push(items)
    return pos


def append(m: Machine, pos: int) -> int:
    """Append the top to the list below it."""
    stack = m.stack
    item = stack.pop()
    target = stack[-1]
    if type(target) is list:
        if len(target) < LONGEST_LIST and m.n_retained < MOST_RETAINED:
            m.n_retained += 1
            target.append(item)
    elif type(target) is Global:
        m.n_judged += 1
        m.judge.write(target, "APPEND", pos - 1)
    return pos


def appends(m: Machine, pos: int) -> int:
    """Append everything above the mark to the list below it."""
    items = m.pop_mark()
    target = m.stack[-1]
    if type(target) is list:
        room = LONGEST_LIST - len(target)
        if room > 0 and m.n_retained < MOST_RETAINED:
            m.n_retained += min(room, len(items))
            target.extend(items[:room])
    elif type(target) is Global:
        m.n_judged += 1
        m.judge.write(target, "APPENDS", pos - 1)
    return pos


def empty_dict(m: Machine, pos: int) -> int:
    """Push an empty dict."""
    m.push({})
    return pos


def _store(m: Machine, target: dict[Value, Value], key: Value, value: Value) -> None:
    if (len(target) < LONGEST_LIST and m.n_retained < MOST_RETAINED) or m.judge.telling_key(key):
        if type(key) is str or type(key) is int:
            target[key] = value
        else:
            # Unhashable and abstract keys get one of their own, so that their values stay visible.
            target[(m.n_retained,)] = value
        m.n_retained += 2


def dict_(m: Machine, pos: int) -> int:
    """Gather the pairs above the mark in a dict."""
    items = m.pop_mark()
    target: dict[Value, Value] = {}
    for i in range(0, len(items) - 1, 2):
        _store(m, target, items[i], items[i + 1])
    m.push(target)
    return pos


def setitem(m: Machine, pos: int) -> int:
    """Store one pair in the dict below it."""
    stack = m.stack
    value = stack.pop()
    key = stack.pop()
    target = stack[-1]
    if type(target) is dict:
        _store(m, target, key, value)
    elif type(target) is Global:
        m.n_judged += 1
        m.judge.write(target, "SETITEM", pos - 1)
    return pos


def setitems(m: Machine, pos: int) -> int:
    """Store the pairs above the mark in the dict below it."""
    items = m.pop_mark()
    target = m.stack[-1]
    if type(target) is dict:
        for i in range(0, len(items) - 1, 2):
            _store(m, target, items[i], items[i + 1])
    elif type(target) is Global:
        m.n_judged += 1
        m.judge.write(target, "SETITEMS", pos - 1)
    return pos


def empty_set(m: Machine, pos: int) -> int:
    """Push an empty set, whose items are never evidence."""
    m.push(SET)
    return pos


def additems(m: Machine, pos: int) -> int:
    """Add everything above the mark to the set below it."""
    m.pop_mark()
    target = m.stack[-1]
    if type(target) is Global:
        m.n_judged += 1
        m.judge.write(target, "ADDITEMS", pos - 1)
    return pos


def frozenset_(m: Machine, pos: int) -> int:
    """Gather everything above the mark in a frozenset."""
    m.pop_mark()
    m.push(SET)
    return pos


TABLE: dict[int, Handler] = {
    0x94: memoize,
    0x71: binput,
    0x72: long_binput,
    0x70: put_line,
    0x68: binget,
    0x6A: long_binget,
    0x67: get_line,
    0x28: mark,
    0x30: pop,
    0x31: pop_mark,
    0x32: dup,
    0x2E: stop,
    0x80: proto,
    0x95: frame,
    0x29: empty_tuple,
    0x85: tuple1,
    0x86: tuple2,
    0x87: tuple3,
    0x74: tuple_,
    0x5D: empty_list,
    0x6C: list_,
    0x61: append,
    0x65: appends,
    0x7D: empty_dict,
    0x64: dict_,
    0x73: setitem,
    0x75: setitems,
    0x8F: empty_set,
    0x90: additems,
    0x91: frozenset_,
}

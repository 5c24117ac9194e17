"""Opcodes that import, call and write state: the ones that can run code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.kernels.artifacts.machine import literals, structure
from redan.kernels.artifacts.machine.arrays import skip_array
from redan.kernels.artifacts.machine.machine import Broken
from redan.kernels.artifacts.machine.values import EXTENSION, Persistent

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.machine import Handler, Machine


def _names(m: Machine, pos: int) -> tuple[str, str, int]:
    module, pos = m.line(pos)
    name, pos = m.line(pos)
    return module.decode("utf-8", "surrogateescape"), name.decode("utf-8", "surrogateescape"), pos


def global_(m: Machine, pos: int) -> int:
    """Import a name written in the opcode."""
    module, name, end = _names(m, pos)
    m.push(m.judge.imported(module, name, pos - 1))
    return end


def stack_global(m: Machine, pos: int) -> int:
    """Import a name taken from the stack."""
    name = m.stack.pop()
    module = m.stack.pop()
    m.push(m.judge.imported(module, name, pos - 1))
    return pos


def reduce_(m: Machine, pos: int) -> int:
    """Call with a tuple of arguments."""
    stack = m.stack
    arguments = stack.pop()
    stack[-1] = m.judge.called(stack[-1], arguments, "REDUCE", pos - 1)
    return pos


def newobj(m: Machine, pos: int) -> int:
    """Call a class's `__new__`."""
    stack = m.stack
    arguments = stack.pop()
    stack[-1] = m.judge.called(stack[-1], arguments, "NEWOBJ", pos - 1)
    return pos


def newobj_ex(m: Machine, pos: int) -> int:
    """Call a class's `__new__` with keyword arguments."""
    stack = m.stack
    keywords = stack.pop()
    arguments = stack.pop()
    both = (*arguments, keywords) if type(arguments) is tuple and keywords else arguments
    stack[-1] = m.judge.called(stack[-1], both, "NEWOBJ_EX", pos - 1)
    return pos


def obj(m: Machine, pos: int) -> int:
    """Call the first value above the mark with the others."""
    items = m.pop_mark()
    if not items:
        raise Broken("OBJ without a class")
    m.push(m.judge.called(items[0], tuple(items[1:]), "OBJ", pos - 1))
    return pos


def inst(m: Machine, pos: int) -> int:
    """Import a class written in the opcode and call it with everything above the mark."""
    module, name, end = _names(m, pos)
    arguments = tuple(m.pop_mark())
    m.push(m.judge.called(m.judge.imported(module, name, pos - 1), arguments, "INST", pos - 1))
    return end


def build(m: Machine, pos: int) -> int:
    """Write state into the value below; joblib's arrays lie in the stream right behind."""
    state = m.stack.pop()
    target = m.stack[-1]
    m.judge.built(target, state, pos - 1)
    return skip_array(m, target, pos)


def persid(m: Machine, pos: int) -> int:
    """Push an external object with an id written in the opcode."""
    key, end = m.line(pos)
    m.push(m.judge.persistent(Persistent(key.decode("latin-1"))))
    return end


def binpersid(m: Machine, pos: int) -> int:
    """Push an external object with an id taken from the stack."""
    m.push(m.judge.persistent(Persistent(m.stack.pop())))
    return pos


def _extension(n_bytes: int) -> Handler:
    def handler(m: Machine, pos: int) -> int:
        code = int.from_bytes(bytes(m.data[pos : pos + n_bytes]), "little")
        m.judge.extension(code, pos - 1)
        m.push(EXTENSION)
        return pos + n_bytes

    return handler


def invalid(m: Machine, pos: int) -> int:
    """No such opcode."""
    raise Broken(f"invalid opcode 0x{m.data[pos - 1]:02x}")


def _table() -> list[Handler]:
    handlers = {
        **literals.TABLE,
        **structure.TABLE,
        0x63: global_,
        0x93: stack_global,
        0x52: reduce_,
        0x81: newobj,
        0x92: newobj_ex,
        0x6F: obj,
        0x69: inst,
        0x62: build,
        0x50: persid,
        0x51: binpersid,
        0x82: _extension(1),
        0x83: _extension(2),
        0x84: _extension(4),
    }
    return [handlers.get(code, invalid) for code in range(256)]


OPCODES: list[Handler] = _table()
"""The handler of each byte."""

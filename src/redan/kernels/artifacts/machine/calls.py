"""Opcodes that import, call and write state: the ones that can run code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.kernels.artifacts.machine import literals, structure
from redan.kernels.artifacts.machine.arrays import skip_array
from redan.kernels.artifacts.machine.core import CORE
from redan.kernels.artifacts.machine.machine import Broken
from redan.kernels.artifacts.machine.values import BUFFER, EXTENSION, NUMBER, SET, TEXT, Global, Persistent, Result

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.machine import Handler, Machine
    from redan.kernels.artifacts.machine.values import Value


JUDGED_CALL = 4
"""What a call that is not plain counts against `Limits.judged`."""

MANY = 64
"""Arguments of a call from which on each sixteen count as one judgement more."""

LONGEST_NAME = 4096
"""Characters of the name of a module, and of a path within it; a dotted path can go in circles and name anything."""


def _names(m: Machine, pos: int) -> tuple[str, str, int]:
    module, pos = m.line(pos)
    name, pos = m.line(pos)
    return module.decode("utf-8", "surrogateescape"), name.decode("utf-8", "surrogateescape"), pos


def _imported(m: Machine, module: Value, name: Value, pos: int) -> Value:
    for part in (module, name):
        if type(part) is str and len(part) > LONGEST_NAME:
            m.judge.unsafe("computed-import", f"imports a name of more than {LONGEST_NAME} characters", pos)
            return Global("?", "?", "denied")
    return m.judge.imported(module, name, pos)


def _called(m: Machine, function: Value, arguments: Value, how: str, pos: int) -> Value:
    if m.is_graph_full and _is_plain(function, arguments, how):
        return Result(function, arguments)
    m.n_judged += JUDGED_CALL
    if type(arguments) is tuple and len(arguments) > MANY:
        m.charge(len(arguments) // 16)
    result = m.judge.called(function, arguments, how, pos)
    ledger = m.judge.ledger
    m.is_graph_full = len(ledger.calls) >= ledger.limits.calls
    return result


def _is_plain(function: Value, arguments: Value, how: str) -> bool:
    """Whether the judge would have nothing to say of a call; the compiled core makes such calls itself."""
    if type(function) is not Global:
        return False
    grade = function.grade
    return grade in ("constructor", "function") or (grade == "class" and how == "NEWOBJ" and arguments == ())


def global_(m: Machine, pos: int) -> int:
    """Import a name written in the opcode."""
    module, name, end = _names(m, pos)
    m.push(_imported(m, module, name, pos - 1))
    return end


def stack_global(m: Machine, pos: int) -> int:
    """Import a name taken from the stack."""
    m.n_judged += 1
    name = m.stack.pop()
    module = m.stack.pop()
    m.push(_imported(m, module, name, pos - 1))
    return pos


def reduce_(m: Machine, pos: int) -> int:
    """Call with a tuple of arguments."""
    stack = m.stack
    arguments = stack.pop()
    stack[-1] = _called(m, stack[-1], arguments, "REDUCE", pos - 1)
    return pos


def newobj(m: Machine, pos: int) -> int:
    """Call a class's `__new__`."""
    stack = m.stack
    arguments = stack.pop()
    stack[-1] = _called(m, stack[-1], arguments, "NEWOBJ", pos - 1)
    return pos


def newobj_ex(m: Machine, pos: int) -> int:
    """Call a class's `__new__` with keyword arguments."""
    stack = m.stack
    keywords = stack.pop()
    arguments = stack.pop()
    if type(arguments) is tuple and len(arguments) > MANY:
        m.charge(len(arguments) // 16)
    both = (*arguments, keywords) if type(arguments) is tuple and keywords else arguments
    stack[-1] = _called(m, stack[-1], both, "NEWOBJ_EX", pos - 1)
    return pos


def obj(m: Machine, pos: int) -> int:
    """Call the first value above the mark with the others."""
    items = m.pop_mark()
    if not items:
        raise Broken("OBJ without a class")
    m.push(_called(m, items[0], tuple(items[1:]), "OBJ", pos - 1))
    return pos


def inst(m: Machine, pos: int) -> int:
    """Import a class written in the opcode and call it with everything above the mark."""
    module, name, end = _names(m, pos)
    arguments = tuple(m.pop_mark())
    m.push(_called(m, _imported(m, module, name, pos - 1), arguments, "INST", pos - 1))
    return end


def _n_attributes(state: Value) -> int:
    parts = state if type(state) is tuple and len(state) <= 8 else (state,)
    return sum(len(part) for part in parts if type(part) is dict)


def build(m: Machine, pos: int) -> int:
    """Write state into the value below; joblib's arrays lie in the stream right behind."""
    state = m.stack.pop()
    target = m.stack[-1]
    m.charge(2 + _n_attributes(state) // 8)
    m.judge.built(target, state, pos - 1)
    return skip_array(m, target, pos)


def persid(m: Machine, pos: int) -> int:
    """Push an external object with an id written in the opcode."""
    key, end = m.line(pos)
    m.push(m.judge.persistent(Persistent(key.decode("latin-1"))))
    return end


def binpersid(m: Machine, pos: int) -> int:
    """Push an external object with an id taken from the stack."""
    m.n_judged += 1
    m.push(m.judge.persistent(Persistent(m.stack.pop())))
    return pos


def _extension(n_bytes: int) -> Handler:
    def handler(m: Machine, pos: int) -> int:
        code = int.from_bytes(bytes(m.data[pos : pos + n_bytes]), "little")
        m.n_judged += 1
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

CORE.bind(
    (Global, Result),
    (NUMBER, TEXT, SET, BUFFER),
    (
        structure.LONGEST_LIST,
        structure.MOST_RETAINED,
        literals.LONGEST_KEPT,
        literals.OBJECT_BYTES,
        structure.LARGEST_MEMO_GAP,
    ),
)

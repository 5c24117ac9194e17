"""Listed callables whose meaning lies in their arguments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.judgement import allowlist
from redan.kernels.artifacts.machine.values import Global, Result, Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.kernels.artifacts.judgement.judge import Judge
    from redan.kernels.artifacts.machine.values import Value

    Rule = Callable[[Judge, Global, Value, int], Value]

_BASES = frozenset(
    [
        "object",
        "dict",
        "list",
        "tuple",
        "set",
        "frozenset",
        "int",
        "float",
        "complex",
        "str",
        "bytes",
        "bytearray",
        "bool",
        "BaseException",
        "Exception",
    ]
)
_TEXT_CODECS = frozenset(
    ["latin1", "latin-1", "iso8859-1", "iso-8859-1", "ascii", "utf-8", "utf8", "utf_8", "raw_unicode_escape"]
)
_BOUND_METHODS = frozenset({"_infer_parameters", "_lazy_load_hook"})
"""Methods that torch's lazy modules register as hooks of themselves."""

_NUMERIC = ("numpy.random.", "scipy.", "sklearn.", "random.", "configparser.", "torch.nn.", "torch.optim.")
"""Packages whose objects keep bound methods of each other, and whose properties only compute."""

_UFUNC_METHODS = frozenset({"reduce", "accumulate", "outer", "reduceat"})

_SHARED = frozenset({"logging.getLogger"})

# scipy.stats distributions execute this part of their state; the true one only parses arguments.
# Source: scipy `stats/_distn_infrastructure.py`, `parse_arg_template`.
_TEMPLATE_KEY = "_parse_arg_template"
_TEMPLATE = re.compile(
    r"(?:\ndef _parse_args\w*\(self[\w ,=.'-]*\):\n"
    r"    return (?:\([\w ,]*\), [\w ,]+|self\._argcheck_rvs\([\w ,=]*\))\n)+"
)

MAPPED = "numpy.memmap"
"""The class of arrays that lie in a file: pickles name it as the class of an array, and calling it opens a file."""

LONGEST_TEMPLATE = 4096
"""Characters of such a part; the true ones have a few hundred."""

LARGEST_ALLOCATION_BYTES = 1 << 31
"""A size that a literal may ask an allocating builtin for."""


def partial_target(value: Result) -> Global | None:
    """The imported function that a `functools.partial` result would call."""
    if type(value.function) is not Global or repr(value.function) != "functools.partial":
        return None
    # partial.__setstate__ takes (function, arguments, keywords, attributes) and replaces what the call gave.
    args = value.state if type(value.state) is tuple else value.arguments
    return args[0] if type(args) is tuple and args and type(args[0]) is Global else None


def check_state(judge: Judge, target: Result, offset: int) -> None:
    """Judge the state that a BUILD has just written into a call's result."""
    if type(target.function) is not Global:
        return
    path = repr(target.function)
    if path == "functools.partial":
        given = target.state if type(target.state) is tuple else target.arguments
        _calls_later(judge, given[0] if type(given) is tuple and given else None, offset)
    elif type(target.state) is dict and not _template_is_plain(target.state.get(_TEMPLATE_KEY)):
        judge.unsafe("code-state", f"gives {path} a template of source code that it executes", offset)
    elif type(target.state) is dict and _keeps_mapped(target.state):
        judge.unsafe("denied-import", f"gives {path} the class {MAPPED} to call, which reads or writes files", offset)
    elif path in _SHARED:
        judge.unsafe("writes-imported", f"writes state into an object that {path} shares with others", offset)


def _keeps_mapped(state: dict[Value, Value]) -> bool:
    """Whether a state holds the class of mapped arrays anywhere but where joblib names the class of an array."""
    return any(type(v) is Global and v.name == "memmap" and key != "subclass" for key, v in state.items())


def _template_is_plain(template: Value) -> bool:
    if template is None:
        return True
    return type(template) is str and len(template) <= LONGEST_TEMPLATE and _TEMPLATE.fullmatch(template) is not None


def _partial(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    _calls_later(judge, args[0] if type(args) is tuple and args else None, offset)
    return Result(function, args)


def _calls_later(judge: Judge, target: Value, offset: int) -> None:
    if type(target) is Result and repr(target.function) == "builtins.getattr":
        return  # a bound method, judged where it was bound
    if type(target) is not Global:
        judge.unsafe("dynamic-call", "functools.partial without an imported function to call", offset)
    elif repr(target) == MAPPED:
        judge.unsafe("denied-import", f"functools.partial of {MAPPED}, which reads or writes files", offset)


def _reconstructor(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    if type(args) is not tuple or len(args) != 3 or type(args[0]) is not Global or type(args[1]) is not Global:
        judge.unsafe("dynamic-call", f"{function!r} without an imported class and its base", offset)
        return Result(function, args)
    base = args[1]
    is_plain = base.module == "builtins" and base.name in _BASES
    if not is_plain and (base.grade not in ("class", "constructor") or args[2] is not None):
        judge.unknown("unlisted-call", f"{function!r} calls the constructor of {base!r}", offset)
    return judge.called(args[0], (), "NEWOBJ", offset)


def _newobj(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    if type(args) is not tuple or not args:
        judge.unsafe("dynamic-call", f"{function!r} without a class", offset)
        return Result(function, args)
    return judge.called(args[0], args[1:], "NEWOBJ", offset)


def _attribute(owner: Global, name: str) -> Global | None:
    """What a look-up in an imported object gives, if it is listed."""
    path = f"{owner.name}.{name}"
    if owner.grade == "denied":
        return None
    grade = allowlist.grade(owner.module, path)
    if grade is None and allowlist.attribute_is_listed(owner.module, owner.name, name):
        # A method of a plain type is only referred to; torch's functions are also called to rebuild tensors.
        grade = "function" if owner.module == "torch._C" else "value"
    if grade is None and owner.module == "numpy" and owner.grade == "value" and name in _UFUNC_METHODS:
        grade = "value"
    return Global(owner.module, path, grade) if grade else None


def _getattr(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    if type(args) is tuple and len(args) == 2 and type(args[0]) is Global and type(args[1]) is str:
        owner, name = args
        found = _attribute(owner, name)
        if found is not None:
            return found
        judge.unsafe("computed-import", f"getattr({owner!r}, {name!r}) reaches a name that is on no list", offset)
    elif type(args) is tuple and len(args) == 2 and type(args[0]) is Result and _is_plain_name(args[1]):
        # A bound method of an object in the pickle; calling it is the call of a result.
        maker = args[0].function
        is_numeric = type(maker) is Global and maker.grade not in ("denied", "unlisted")
        if args[1] in _BOUND_METHODS or (is_numeric and repr(maker).startswith(_NUMERIC)):
            return Result(function, args)
        judge.unknown("unlisted-call", f"getattr({args[0]!r}, {args[1]!r}) binds a method", offset)
        return Result(function, args)
    elif _binds_plain(args):
        return Result(function, args)
    else:
        judge.unsafe("computed-import", "getattr of something other than a listed class and a literal name", offset)
    return Global("?", "?", "denied")


def _binds_plain(args: Value) -> bool:
    """Whether a look-up binds a method of a literal, such as the `get` of a dictionary."""
    if type(args) is not tuple or len(args) != 2 or type(args[0]) not in (str, bytes, dict, list, tuple):
        return False
    return type(args[1]) is str and allowlist.attribute_is_listed("builtins", type(args[0]).__name__, args[1])


def _is_plain_name(name: Value) -> bool:
    return type(name) is str and name.isidentifier() and "__" not in name


def _rebuild_from_type(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    if type(args) is not tuple or len(args) < 3 or type(args[2]) is not tuple:
        judge.unsafe("dynamic-call", f"{function!r} without a function and its arguments", offset)
        return Result(function, args)
    if len(args) > 3:
        judge.built(Result(function, args), args[3], offset)
    judge.called(args[0], args[2], "REDUCE", offset)
    return Result(function, args)


def _loads_bytes(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    content = args[0] if type(args) is tuple and args else None
    while type(content) is Result and type(content.arguments) is tuple and content.arguments:
        # Protocols below 3 write bytes as _codecs.encode(text, "latin1"); a bytearray or BytesIO wraps its content.
        inner = content.arguments[0]
        content = inner.encode("latin-1", "replace") if type(inner) is str else inner
    if isinstance(content, bytes) or type(content) is Span:
        judge.nested.append((content, offset))
    else:
        judge.unsafe("dynamic-call", f"{function!r} loads something that is no bytes literal", offset)
    return Result(function, args)


def _encode(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    if type(args) is not tuple or len(args) > 2 or not args:
        judge.unknown("unlisted-call", f"{function!r} with unusual arguments", offset)
    elif len(args) == 2 and (type(args[1]) is not str or args[1].lower() not in _TEXT_CODECS):
        judge.unknown("unlisted-call", f"{function!r} with the codec {args[1]!r}", offset)
    return Result(function, args)


def _names_only(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    names = args if type(args) is tuple else ()
    for name in names:
        if type(name) is not str or "__" in name:
            judge.unsafe("computed-import", f"{function!r} of something other than a plain attribute name", offset)
    return Result(function, args)


def _allocates(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    size = args[0] if type(args) is tuple and args else None
    if type(size) is int and size > LARGEST_ALLOCATION_BYTES:
        judge.unsafe("huge-allocation", f"{function!r} allocates {size} bytes", offset)
    return Result(function, args)


def _own_package(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    """The function calls its last arguments, which must come from its own package."""
    package = function.module.rpartition(".")[0] or function.module
    for i, part in enumerate(args if type(args) is tuple else ()):
        maker = part.function if type(part) is Result and i == 0 else part
        if type(maker) is Global and f"{maker.module}.".startswith(package):
            continue
        if type(maker) is Global or type(maker) is Result:
            judge.unsafe("dynamic-call", f"{function!r} is given {part!r} to call", offset)
    return Result(function, args)


def _ufunc(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    if type(args) is tuple and len(args) == 2 and type(args[0]) is str and type(args[1]) is str:
        return judge.imported(args[0], args[1], offset)
    judge.unsafe("computed-import", f"{function!r} imports a name that is no literal", offset)
    return Global("?", "?", "denied")


def _iterates(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    if type(args) is not tuple or len(args) != 1:
        judge.unsafe("dynamic-call", "iter() of a callable, which every step calls", offset)
    return Result(function, args)


def _type_of(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    """Python writes the class of a constant, such as None, as its type; a second argument would make a new class."""
    part = args[0] if type(args) is tuple and len(args) == 1 else function
    if part is not None and repr(part) not in ("builtins.Ellipsis", "builtins.NotImplemented"):
        judge.unsafe("computed-import", f"{function!r} of something other than a constant", offset)
    return Result(function, args)


def _subscripts(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    """Annotations such as Optional[int] are written as an item of a name of `typing`."""
    owner = args[0] if type(args) is tuple and len(args) == 2 else None
    if type(owner) is not Global or owner.module != "typing" or owner.grade == "denied":
        judge.unsafe("unlisted-call", f"{function!r} of something other than an annotation", offset)
    return Result(function, args)


def _opens(judge: Judge, function: Global, args: Value, offset: int) -> Value:
    judge.unsafe("denied-import", f"calls {function!r}, which reads or writes files", offset)
    return Result(function, args)


RULES: dict[str, Rule] = {
    "functools.partial": _partial,
    "copyreg._reconstructor": _reconstructor,
    "copyreg.__newobj__": _newobj,
    "copyreg.__newobj_ex__": _newobj,
    "builtins.getattr": _getattr,
    "torch._tensor._rebuild_from_type": _rebuild_from_type,
    "torch._tensor._rebuild_from_type_v2": _rebuild_from_type,
    "torch.storage._load_from_bytes": _loads_bytes,
    "_codecs.encode": _encode,
    "operator.attrgetter": _names_only,
    "builtins.iter": _iterates,
    "builtins.type": _type_of,
    "operator.getitem": _subscripts,
    "numpy.core._ufunc_reconstruct": _ufunc,
    "numpy._core._ufunc_reconstruct": _ufunc,
    "numpy.random.__RandomState_ctor": _own_package,
    "numpy.random._pickle.__randomstate_ctor": _own_package,
    "numpy.random._pickle.__generator_ctor": _own_package,
    "numpy.random._pickle.__bit_generator_ctor": _own_package,
    MAPPED: _opens,
    "builtins.bytes": _allocates,
    "builtins.bytearray": _allocates,
}
"""The rule of each callable that the lists grade `special`."""

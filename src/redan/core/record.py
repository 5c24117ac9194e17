"""`dataclass` as the standard library has it, cheaper to define: what its methods do is the same.

The standard decorator compiles five methods anew for every class, about half a millisecond, and a short command such as
`redan scan` defines fifty records before it reads a byte. Here records share all methods but ``__init__``, and that one
is compiled when the first object is made; most records of a run never are. A type checker sees the standard decorator
itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  # the alias is what makes it public
else:

    def dataclass(*, frozen: bool, slots: bool, kw_only: bool) -> Callable[[type], type]:
        """Make a record of a class; the keywords mean what they mean in the standard library.

        Raises:
            TypeError: the record would not be frozen, with slots and by keyword alone.
        """
        if not (frozen and slots and kw_only):
            raise TypeError("a record is frozen, has slots and takes keywords; use dataclasses for anything else")

        def make(cls: type) -> type:
            # the standard library must not compile what makes it frozen, and whoever inherits must see that it is;
            # only what inherits itself has to say so at once
            heir = any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:])
            made = dataclasses.dataclass(init=False, repr=False, eq=False, frozen=heir, slots=True, kw_only=True)(cls)
            made.__dataclass_params__.frozen = True
            made.__init__ = _first_init(made)
            for name, method in _SHARED.items():
                setattr(made, name, method)
            return made

        return make


def _first_init(cls: type) -> Callable[..., None]:
    def __init__(self: object, **values: Any) -> None:  # noqa: N807  # it takes the place of the method of that name
        # a subclass made by hand may have its own; only this class's is replaced
        init = _compiled(cls)
        type.__setattr__(cls, "__init__", init)
        init(self, **values)

    return __init__


def _compiled(cls: type) -> Callable[..., None]:
    """Write out and compile ``__init__`` for the fields of a class."""
    space: dict[str, Any] = {"_set": object.__setattr__, "_absent": dataclasses.MISSING}
    takes, body = ["self", "*"], []
    for field in dataclasses.fields(cls):
        name = field.name
        value = name
        if field.default_factory is not dataclasses.MISSING:
            space[f"_make_{name}"] = field.default_factory
            takes.append(f"{name}=_absent")
            value = f"_make_{name}() if {name} is _absent else {name}"
        elif field.default is not dataclasses.MISSING:
            space[f"_else_{name}"] = field.default
            takes.append(f"{name}=_else_{name}")
        else:
            takes.append(name)
        body.append(f"    _set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()")
    head = f"def __init__({', '.join(takes if len(takes) > 2 else takes[:1])}):"
    exec("\n".join([head, *(body or ["    pass"])]), space)  # noqa: S102  # names of fields are identifiers
    made: Callable[..., None] = space["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _compared(record: object) -> tuple[object, ...]:
    return tuple(getattr(record, f.name) for f in dataclasses.fields(record) if f.compare)  # type: ignore[arg-type]  # only records come here


def _repr(self: object) -> str:
    shown = (f for f in dataclasses.fields(self) if f.repr)  # type: ignore[arg-type]  # only records come here
    return f"{type(self).__qualname__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in shown)})"


def _eq(self: object, other: object) -> bool:
    return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented


def _hash(self: object) -> int:
    return hash(_compared(self))


def _setattr(self: object, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: object) -> list[object]:
    return [getattr(self, f.name) for f in dataclasses.fields(self)]  # type: ignore[arg-type]  # only records come here


def _setstate(self: object, state: list[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):  # type: ignore[arg-type]  # as above
        object.__setattr__(self, field.name, value)


_SHARED = {
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _setattr,
    "__delattr__": _delattr,
    "__getstate__": _getstate,
    "__setstate__": _setstate,
}

"""Abstract values: what the machine keeps in place of the objects that a real unpickler would make.

Literals stand for themselves (str, bytes, int, bool, None, tuple, list, dict); everything else is one of the classes
here. Sources: CPython `Lib/pickletools.py`, the opcode documentation, and PEP 307, 3154, 574.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import mmap

Buffer: TypeAlias = "bytes | bytearray | mmap.mmap"
"""What can be indexed, sliced and searched."""
Value: TypeAlias = object

Grade = Literal["class", "constructor", "function", "value", "special", "unlisted", "denied"]


class Global:
    """An imported name.

    Attributes:
        module: Module as the stream names it.
        name: Attribute path within the module.
        grade: What the lists allow it to be used for.
    """

    __slots__ = ("grade", "module", "name")

    def __init__(self, module: str, name: str, grade: Grade) -> None:
        self.module = module
        self.name = name
        self.grade = grade

    def __repr__(self) -> str:
        return f"{self.module}.{self.name}"


class Result:
    """What a call returned.

    Attributes:
        function: The value that was called.
        arguments: The value that it was called with.
        state: The value of the last BUILD into it.
    """

    __slots__ = ("arguments", "function", "state")

    def __init__(self, function: Value, arguments: Value) -> None:
        self.function = function
        self.arguments = arguments
        self.state: Value = None

    def __repr__(self) -> str:
        return f"{self.function!r}(...)" if type(self.function) is Global else "?(...)"


class Persistent:
    """An object that the loader looks up by `key` outside the pickle: torch's storages."""

    __slots__ = ("key",)

    def __init__(self, key: Value) -> None:
        self.key = key

    def __repr__(self) -> str:
        return "<persistent>"


class Unread:
    """A value whose content the machine does not keep: floats, long texts, sets, out-of-band buffers."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what

    def __repr__(self) -> str:
        return "?"


class Span(Unread):
    """A bytes literal too long to keep: it lies in the buffer from `start` to `end`."""

    __slots__ = ("end", "start")

    def __init__(self, start: int, end: int) -> None:
        super().__init__("bytes")
        self.start = start
        self.end = end


NUMBER = Unread("number")
TEXT = Unread("text")
SET = Unread("set")
BUFFER = Unread("buffer")
EXTENSION = Unread("extension")

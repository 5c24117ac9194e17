"""Which core walks the opcodes: the compiled one of `native/walk.c` where the installation built it, or Python alone.

Both give the same outcome for every stream, because the compiled one works on the machine's own lists and hands back
whatever is not plain; it is only faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.machine import Machine
    from redan.kernels.artifacts.machine.values import Buffer, Value

INTERFACE = "1"
"""What `native/walk.c` must say of itself; both change together."""


class Walk(Protocol):
    """Interprets plain opcodes from `pos` until one is for Python or until `n` reaches `edge`; gives both back."""

    def __call__(  # noqa: D102  the class says it
        self,
        machine: Machine,
        data: Buffer,
        memo: list[Value],
        below: list[list[Value]],
        sparse: dict[int | str, Value],
        pos: int,
        n: int,
        edge: int,
        /,
    ) -> tuple[int, int]: ...


class Core:
    """The core in use.

    Attributes:
        walk: The compiled walk, or None for Python alone.
        why: One sentence for a person.
    """

    __slots__ = ("walk", "why")

    def __init__(self) -> None:
        self.walk: Walk | None = None
        self.why = "pure Python, same verdicts; a C compiler at installation makes large pickles four times faster"

    def bind(
        self,
        types: tuple[type, type],
        values: tuple[Value, Value, Value, Value],
        bounds: tuple[int, int, int, int, int],
    ) -> None:
        """Take the compiled walk into use if it is there and of this version.

        Args:
            types: The classes of imported names and of results of calls.
            values: What stands for numbers, long texts, sets and out-of-band buffers.
            bounds: Items kept of a list, of all lists, bytes kept of a literal, bytes a literal counts beside its
                content, and how far a memo index may run ahead.
        """
        try:
            import redan.kernels.artifacts.machine._walk as compiled
        except ModuleNotFoundError:
            return
        except ImportError as error:
            self.why = f"pure Python, same verdicts: the compiled core does not load ({error})"
            return
        if compiled.INTERFACE != INTERFACE:
            self.why = "pure Python, same verdicts: the compiled core is of another version; install Redan again"
            return
        compiled.bind(*types, *values, *bounds)
        self.walk = compiled.walk
        self.why = "compiled"


CORE = Core()
"""The core of this process."""

"""A promise, kept or broken: what every check of the kit is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class Broken(AssertionError):
    """A promise was broken.

    Args:
        what: what was seen and what was expected.
        mend: what to change.
    """

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}\n  to mend it: {mend}")


def insist(kept: bool, what: str, mend: str) -> None:
    """Raise when a promise is not kept.

    Args:
        kept: whether it is.
        what: what was seen and what was expected, for the case that it is not.
        mend: what to change.

    Raises:
        Broken: it is not.
    """
    if not kept:
        raise Broken(what, mend)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise by name; call it with a case. Made for ``pytest.mark.parametrize(..., ids=str)``.

    Attributes:
        name: the promise, in words joined by underscores.
        function: looks at a case and raises `Broken`.
    """

    name: str
    function: Callable[[Any], None]

    def __call__(self, case: Any) -> None:
        """Check the promise.

        Raises:
            AssertionError: naming who broke which promise, and how to mend it.
        """
        try:
            self.function(case)
        except Broken as err:
            raise AssertionError(f"{case.name} breaks its promise {self.name!r}: {err}") from err.__cause__

    def __str__(self) -> str:
        return self.name


def checks(*functions: Callable[[Any], None]) -> tuple[Check, ...]:
    """Return checks named after their functions."""
    return tuple(Check(name=function.__name__, function=function) for function in functions)

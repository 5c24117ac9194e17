"""Rules about Python code that handles models: one rule a file, its docstring the page, ``check`` what finds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.core.catalogue import Rule
    from redan.kernels.code import Match, Module

Check = Callable[["Module"], "Iterator[Match]"]


@cache
def rules() -> tuple[tuple[Rule, Check], ...]:
    """Return every rule of this folder with what finds it, by identifier."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    return tuple(sorted(((m.RULE, m.check) for m in modules), key=lambda pair: str(pair[0].id)))

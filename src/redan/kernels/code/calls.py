"""A call with the names that it can mean and its arguments, those of ``functools.partial`` and ``**{…}`` included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from redan.kernels.code.naming import Names
from redan.kernels.code.scopes import Scope
from redan.kernels.code.values import UNKNOWN, constant, followed


class Argument:
    """An argument and the scope that its names belong to."""

    __slots__ = ("node", "scope")

    def __init__(self, node: ast.expr, scope: Scope) -> None:
        self.node = node
        self.scope = scope

    @property
    def value(self) -> Any:
        """The constant that it is, else ``UNKNOWN``."""
        return constant(self.node, self.scope)


class Call:
    """One call.

    Attributes:
        node: the expression.
        scope: where it stands.
        names: what is called, as far as that can be told.
    """

    __slots__ = ("_arguments", "_names", "_open", "names", "node", "scope")

    def __init__(self, node: ast.Call, scope: Scope, names: tuple[str, ...], resolver: Names) -> None:
        self.node = node
        self.scope = scope
        self.names = names
        self._names = resolver
        self._arguments: tuple[list[Argument], dict[str, Argument]] | None = None
        self._open = False

    @property
    def line(self) -> int:
        """Line of the call, from 1."""
        return self.node.lineno

    def arguments(self) -> tuple[list[Argument], dict[str, Argument]]:
        """Return the arguments by position and by keyword."""
        if self._arguments is None:
            places: list[Argument] = []
            words: dict[str, Argument] = {}
            for call, scope in self._layers():
                self._read(call, scope, places, words)
            self._arguments = places, words
        return self._arguments

    @property
    def open(self) -> bool:
        """Whether there may be more arguments than can be seen: ``*args`` or ``**kwargs`` that is no constant."""
        self.arguments()
        return self._open

    def argument(self, word: str, place: int = -1) -> Argument | None:
        """Return an argument by keyword or position, or None when it is not given."""
        places, words = self.arguments()
        if word in words:
            return words[word]
        return places[place] if 0 <= place < len(places) else None

    def first(self) -> Argument | None:
        """Return the first argument, by position or else by the first keyword."""
        places, words = self.arguments()
        return places[0] if places else next(iter(words.values()), None)

    def value(self, word: str, place: int = -1, default: Any = None) -> Any:
        """Return the constant that an argument is, ``UNKNOWN`` for any other expression, or the default."""
        found = self.argument(word, place)
        if found is not None:
            return found.value
        return UNKNOWN if self._open else default

    def each(self) -> Iterator[Argument]:
        """Yield every argument."""
        places, words = self.arguments()
        yield from places
        yield from words.values()

    def _layers(self) -> list[tuple[ast.Call, Scope]]:
        """Return the call and, before it, the partial that it calls."""
        node, scope = followed(self.node.func, self.scope)
        if isinstance(node, ast.Call) and "functools.partial" in self._names.of(node.func, scope):
            return [(ast.Call(node.func, node.args[1:], node.keywords), scope), (self.node, self.scope)]
        return [(self.node, self.scope)]

    def _read(self, call: ast.Call, scope: Scope, places: list[Argument], words: dict[str, Argument]) -> None:
        for each in call.args:
            if isinstance(each, ast.Starred):
                self._open = True
                return
            places.append(Argument(each, scope))
        for keyword in call.keywords:
            if keyword.arg is not None:
                words[keyword.arg] = Argument(keyword.value, scope)
            elif not self._expanded(keyword.value, scope, words):
                self._open = True

    def _expanded(self, node: ast.expr, scope: Scope, words: dict[str, Argument]) -> bool:
        """Read ``**{...}``, also where the dictionary has a name; tell whether all of it could be read."""
        table, inner = followed(node, scope)
        whole = True
        if isinstance(table, ast.Dict):
            for key, value in zip(table.keys, table.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    words[key.value] = Argument(value, inner)
                else:
                    whole = False
        elif isinstance(table, ast.Call) and self._names.of(table.func, inner) == ("builtins.dict",) and not table.args:
            whole = all(k.arg is not None for k in table.keywords)
            words.update({k.arg: Argument(k.value, inner) for k in table.keywords if k.arg is not None})
        else:
            return False
        if isinstance(node, ast.Name):
            for binding in scope.find(f"{node.id}[]") or ():
                if isinstance(binding.node, ast.Tuple):
                    key, value = binding.node.elts
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        words[key.value] = Argument(value, binding.scope)
        return whole

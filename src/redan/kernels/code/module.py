"""One module with the questions that rules ask about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from redan.kernels.code.calls import Argument, Call
from redan.kernels.code.naming import Names
from redan.kernels.code.scopes import Binding, Scope
from redan.kernels.code.source import Source
from redan.kernels.code.values import constant

if TYPE_CHECKING:
    from redan.kernels.code.flow import Flow, Taint


class Module:
    """A parsed module whose names are resolved.

    Attributes:
        source: its text's tree and places.
        name: dotted, with a colon in front.
        scopes: the module, its classes and functions; the module first.
        calls: every call, in the order of their lines.
        handlers: scopes of the functions that answer requests, with how they are reached.
        flow: what reaches which expression.
    """

    def __init__(self, source: Source, name: str, scopes: list[Scope]) -> None:
        self.source = source
        self.name = name
        self.scopes = scopes
        self.calls: list[Call] = []
        self.handlers: dict[Scope, str] = {}
        self.flow: Flow | None = None
        self._by_last: dict[str, list[tuple[str, Call]]] = {}
        self._by_keyword: dict[str, list[Call]] = {}

    def index(self, names: Names) -> None:
        """Resolve every call."""
        for scope in self.scopes:
            for node in scope.calls:
                self.calls.append(Call(node, scope, names.of(node.func, scope), names))
        self.calls.sort(key=lambda call: (call.line, call.node.col_offset))
        self._names = names
        for call in self.calls:
            for name in call.names:
                self._by_last.setdefault(name[name.rfind(".") + 1 :], []).append((name, call))
            for keyword in call.node.keywords:
                self._by_keyword.setdefault(keyword.arg or "**", []).append(call)

    def called(self, *names: str) -> Iterator[Call]:
        """Yield the calls of functions by their full dotted names, each once."""
        seen: set[int] = set()
        for wanted in names:
            for name, call in self._by_last.get(wanted[wanted.rfind(".") + 1 :], ()):
                if name == wanted and id(call) not in seen:
                    seen.add(id(call))
                    yield call

    def ending(self, *endings: str) -> Iterator[tuple[str, Call]]:
        """Yield (name, call) where the dotted name ends so: ``.messages.create`` whatever the client is called."""
        seen: set[int] = set()
        for wanted in endings:
            for name, call in self._by_last.get(wanted[wanted.rfind(".") + 1 :], ()):
                if name.endswith(wanted) and id(call) not in seen:
                    seen.add(id(call))
                    yield name, call

    def given(self, word: str) -> Iterator[tuple[Call, Argument]]:
        """Yield the calls, of whatever, that are given a keyword argument, and the argument."""
        for call in [*self._by_keyword.get(word, ()), *self._by_keyword.get("**", ())]:
            argument = call.argument(word)
            if argument is not None:
                yield call, argument

    def environment(self) -> Iterator[tuple[int, str, Any]]:
        """Yield (line, name, value) of environment variables that the code sets to something constant."""
        for scope in self.scopes:
            for binding in scope.bindings.get("environ[]", ()):
                if isinstance(binding.node, ast.Tuple):
                    key, value = (constant(each, scope) for each in binding.node.elts)
                    if isinstance(key, str):
                        yield binding.node.lineno, key, value
        for call in self.called("os.environ.setdefault", "os.putenv"):
            key = call.value("key", 0)
            if isinstance(key, str):
                yield call.line, key, call.value("value", 1)

    def texts(self) -> Iterator[tuple[int, str]]:
        """Yield (line, text) of every string that the code uses; docstrings are used by nobody."""
        stack: list[ast.AST] = [self.source.tree]
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Constant):
                if isinstance(node.value, str):
                    yield node.lineno, node.value
            elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                stack += ast.iter_child_nodes(node)

    def mentions(self, *words: str) -> bool:
        """Tell whether one of some words stands anywhere in the text; cheaper than a walk over the tree."""
        return any(word in self.source.text for word in words)

    def names(self, argument: Argument) -> tuple[str, ...]:
        """Return what an argument can mean."""
        return self._names.of(argument.node, argument.scope)

    def resolved(self, node: ast.expr, scope: Scope) -> tuple[str, ...]:
        """Return what an expression can mean."""
        return self._names.of(node, scope)

    def taint(self, argument: Argument) -> Taint:
        """Return who decides what an argument is: kind → where it came from."""
        return self.flow.of(argument.node, argument.scope) if self.flow is not None else {}

    def assigned(self, *names: str) -> Iterator[tuple[str, ast.expr, Scope]]:
        """Yield (name, value, scope) of assignments to variables and fields whose name is one of these."""
        for scope in self.scopes:
            for name in names:
                for key in (name, f".{name}"):
                    for binding in scope.bindings.get(key, ()):
                        if binding.kind == "value" and isinstance(binding.node, ast.expr):
                            yield name, binding.node, binding.scope

    def stored(self) -> Iterator[tuple[str, Binding, Scope]]:
        """Yield every name with each value that it is given."""
        for scope in self.scopes:
            for name, bindings in scope.bindings.items():
                for binding in bindings:
                    if binding.kind == "value":
                        yield name, binding, scope

    def constant(self, node: ast.expr, scope: Scope) -> Any:
        """Return the constant that an expression is, else ``UNKNOWN``."""
        return constant(node, scope)

    def handler_of(self, scope: Scope) -> str:
        """Return how the function around a place answers requests, or an empty string."""
        place: Scope | None = scope
        while place is not None:
            if place in self.handlers:
                return self.handlers[place]
            place = place.parent
        return ""

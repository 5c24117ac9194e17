"""Scopes and what is bound in them; names are looked up as Python does, without an order of statements."""

from __future__ import annotations

import ast
from typing import Literal, NamedTuple

Kind = Literal["import", "value", "item", "param", "def", "class", "other"]


class Binding(NamedTuple):
    """One way in which a name comes to mean something.

    Attributes:
        kind: ``import`` (name says of what), ``value`` (the node is what it is bound to), ``item`` (of what it is a
            part), ``param``, ``def`` and ``class`` (name is the qualified one), ``other``.
        node: an expression, or the argument of a parameter.
        scope: where the node stands.
        name: dotted; begins with a colon for what the scanned files themselves define.
    """

    kind: Kind
    node: ast.expr | ast.arg | None
    scope: Scope
    name: str = ""


class Scope:
    """A module, class or function.

    Attributes:
        kind: which of them.
        name: qualified; begins with a colon.
        parent: the scope around it.
        node: its definition, None for a module.
        bindings: name → ways it is bound; attributes set on ``self`` stand in the class as ``.name``.
        params: names of the parameters in order.
        calls: every call expression in it.
        returns: expressions that it returns or yields.
        asserts: assert statements in it.
        globals: names declared global or nonlocal.
        stars: modules whose names are all imported.
        children: functions and classes in it.
        package: dotted package of the file, for relative imports.
    """

    __slots__ = (
        "asserts",
        "bindings",
        "calls",
        "children",
        "globals",
        "kind",
        "name",
        "node",
        "package",
        "params",
        "parent",
        "returns",
        "stars",
    )

    def __init__(
        self,
        kind: Literal["module", "class", "function"],
        name: str,
        parent: Scope | None,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | None,
        package: str,
    ) -> None:
        self.kind = kind
        self.name = name
        self.parent = parent
        self.node = node
        self.package = package
        self.bindings: dict[str, list[Binding]] = {}
        self.params: list[str] = []
        self.calls: list[ast.Call] = []
        self.returns: list[ast.expr] = []
        self.asserts: list[ast.Assert] = []
        self.globals: set[str] = set()
        self.stars: list[str] = []
        self.children: list[Scope] = []

    def bind(self, name: str, binding: Binding) -> None:
        """Add a way in which a name is bound here, or in the module where it is declared global."""
        place = self.module() if name in self.globals else self
        place.bindings.setdefault(name, []).append(binding)

    def module(self) -> Scope:
        """Return the outermost scope."""
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def find(self, name: str) -> list[Binding] | None:
        """Return how a name is bound where this scope sees it, or None when it is not bound in the file."""
        place = self.owner(name)
        return None if place is None else place.bindings[name]

    def owner(self, name: str) -> Scope | None:
        """Return the scope that binds a name as seen from here; scopes of classes are seen only from themselves."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bindings and (scope.kind != "class" or scope is self):
                return scope
            scope = scope.parent
        return None

    def is_method(self) -> bool:
        """Tell whether this is a function directly in a class."""
        return self.kind == "function" and self.parent is not None and self.parent.kind == "class"

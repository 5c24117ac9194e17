"""Who decides what an expression is: followed through variables, calls, returns and files until nothing changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from redan.kernels.code.handlers import REQUEST_FIELDS
from redan.kernels.code.module import Module
from redan.kernels.code.naming import Names
from redan.kernels.code.scopes import Scope
from redan.kernels.code.sources import CLEANING, CLEANING_TYPES, REQUEST_OBJECTS, Kind, kind_of_call

Taint = Mapping[Kind, str]
"""Kind of source → where it was met first."""

NONE: Taint = {}
MOST_VISITS = 12
"""How often one function is looked at again because something that reaches it has changed."""
MOST_NODES = 4_000_000
"""Nodes of syntax trees that are looked at while flows are followed, over all modules that are read together."""

_PASSED = (ast.Compare, ast.Lambda, ast.Constant, ast.FunctionDef, ast.expr_context)
_SERVICES = frozenset({"fastapi.Depends", "fastapi.Security", "fastapi.params.Depends"})
_SERVICE_TYPES = (
    "fastapi.BackgroundTasks()",
    "fastapi.Response()",
    "sqlalchemy.orm.Session()",
    "starlette.responses.Response()",
)


_REQUEST_MODULES = frozenset(name.partition(".")[0] for name in REQUEST_OBJECTS)
_LOOKUPS = frozenset({"get", "pop", "index", "count", "find", "startswith", "endswith", "setdefault"})


class Flow:
    """Follows what requests, models and downloads decide through the modules that are read together."""

    def __init__(self, modules: list[Module], names: Names) -> None:
        self._names = names
        self._modules = modules
        self._variables: dict[tuple[Scope, str], Taint] = {}
        self._returns: dict[Scope, Taint] = {}
        self._callers: dict[str, set[Scope]] = {}
        self._home: dict[Scope, Module] = {scope: module for module in modules for scope in module.scopes}
        self._fields: dict[Scope, frozenset[str]] = {}
        self._left = MOST_NODES

    @property
    def whole(self) -> bool:
        """Whether everything was followed to its end."""
        return self._left > 0

    def run(self) -> None:
        """Start at the sources and go on until nothing changes."""
        waiting = self._start()
        if not waiting:
            return
        for module in self._modules:
            for call in module.calls:
                for name in call.names:
                    if name.startswith(":"):
                        self._callers.setdefault(name, set()).add(call.scope)
        visits: dict[Scope, int] = {}
        while waiting and self.whole:
            scope = waiting.pop()
            visits[scope] = visits.get(scope, 0) + 1
            if visits[scope] <= MOST_VISITS:
                waiting += self._visit(scope)

    def _start(self) -> list[Scope]:
        start: dict[Scope, None] = {}
        for module in self._modules:
            for scope, how in module.handlers.items():
                self._enter(scope, how)
                start[scope] = None
            for call in module.calls:
                if kind_of_call(call.names) is not None:
                    start[call.scope] = None
            imported = {
                b.name for scope in module.scopes for bs in scope.bindings.values() for b in bs if b.kind == "import"
            }
            if imported & (REQUEST_OBJECTS | _REQUEST_MODULES):
                start.update(dict.fromkeys(module.scopes))
        return list(start)

    def _enter(self, scope: Scope, how: str) -> None:
        """Mark what a handler is given as decided by whoever asks."""
        home = self._home.get(scope)
        place = home.source.address(scope.node.lineno) if home is not None and scope.node is not None else ""
        origin = f"a request ({how}, {place})" if place else f"a request ({how})"
        node = scope.node
        cls = scope.parent if scope.is_method() else None
        skipped = set(scope.params[:1]) if cls is not None else set()
        if cls is not None:
            framework = how.rpartition(" ")[2]
            self._fields[scope] = REQUEST_FIELDS.get(framework, frozenset())
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            skipped |= self._services(node, scope)
        for name in scope.bindings:
            if scope.bindings[name][0].kind == "param" and name not in skipped:
                self._variables[scope, name] = {"request": origin}

    def _services(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> set[str]:
        """Return parameters that a framework fills with something else than text from outside."""
        found = set()
        a = node.args
        places = [*a.posonlyargs, *a.args]
        defaults = dict(zip([p.arg for p in places[len(places) - len(a.defaults) :]], a.defaults, strict=True))
        defaults.update({p.arg: d for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True) if d is not None})
        for name, default in defaults.items():
            if isinstance(default, ast.Call) and _SERVICES & set(self._names.of(default.func, scope.parent or scope)):
                found.add(name)
        for arg in (*places, *a.kwonlyargs):
            kinds = self._names.bound(arg.arg, scope, 0)
            if any(kind in CLEANING_TYPES or kind in _SERVICE_TYPES for kind in kinds):
                found.add(arg.arg)
        return found

    def _visit(self, scope: Scope) -> Iterator[Scope]:
        """Look at one scope again; yield the scopes that what has changed reaches."""
        again: dict[Scope, None] = {}
        for _ in range(4):
            if not self._variables_of(scope, again):
                break
        for call in scope.calls:
            self._into(call, scope, again)
        returned = self._any(scope.returns, scope)
        if _grows(self._returns.get(scope, NONE), returned):
            self._returns[scope] = {**returned, **self._returns.get(scope, NONE)}
            again.update(dict.fromkeys(self._callers.get(scope.name, ())))
        yield from again

    def _variables_of(self, scope: Scope, again: dict[Scope, None]) -> bool:
        changed = False
        for name, bindings in [*scope.bindings.items(), *self._fields_of(scope)]:
            owner = scope if not name.startswith(".") or scope.kind == "class" else scope.parent or scope
            for binding in bindings:
                if not isinstance(binding.node, ast.expr):
                    continue
                taint = self.of(binding.node, binding.scope)
                known = self._variables.get((owner, name), NONE)
                if _grows(known, taint):
                    self._variables[owner, name] = {**taint, **known}
                    changed = True
                    again.update(dict.fromkeys(owner.children))
        return changed

    def _fields_of(self, scope: Scope) -> list[tuple[str, list[Any]]]:
        if not scope.is_method() or scope.parent is None:
            return []
        return [(name, found) for name, found in scope.parent.bindings.items() if name.startswith(".")]

    def _into(self, node: ast.Call, scope: Scope, again: dict[Scope, None]) -> None:
        """Carry arguments into the parameters of scanned functions."""
        for name in self._names.of(node.func, scope):
            target = self._function(name)
            if target is None:
                continue
            params = (
                target.params[1:] if target.is_method() and target.params[:1] in (["self"], ["cls"]) else target.params
            )
            given = [*zip(params, node.args, strict=False), *((k.arg, k.value) for k in node.keywords if k.arg)]
            for param, value in given:
                if param not in target.bindings:
                    continue
                taint = self.of(value, scope)
                known = self._variables.get((target, param), NONE)
                if _grows(known, taint):
                    self._variables[target, param] = {**taint, **known}
                    again[target] = None

    def _function(self, name: str) -> Scope | None:
        scope = self._names.scopes.get(name) if name.startswith(":") else None
        if scope is not None and scope.kind == "class":
            scope = self._names.scopes.get(f"{name}.__init__")
        return scope if scope is not None and scope.kind == "function" else None

    def _any(self, nodes: list[ast.expr], scope: Scope) -> Taint:
        found: dict[Kind, str] = {}
        for node in nodes:
            for kind, origin in self.of(node, scope).items():
                found.setdefault(kind, origin)
        return found

    def of(self, node: ast.expr, scope: Scope) -> Taint:
        """Return who decides what an expression is."""
        found: dict[Kind, str] = {}
        stack: list[ast.AST] = [node]
        while stack:
            each = stack.pop()
            self._left -= 1
            if isinstance(each, _PASSED):
                continue
            if isinstance(each, ast.Name):
                _merge(found, self._named(each, scope))
            elif isinstance(each, ast.Call):
                stack += self._called(each, scope, found)
            elif isinstance(each, ast.Attribute):
                field = self._field(each, scope)
                _merge(found, field)
                stack.append(each.value)
            elif isinstance(each, ast.IfExp):
                stack += [each.body, each.orelse]
            elif isinstance(each, ast.Subscript):
                stack.append(each.value)
            else:
                stack += ast.iter_child_nodes(each)
        return found

    def _named(self, node: ast.Name, scope: Scope) -> Taint:
        owner = scope.owner(node.id)
        if owner is None:
            return NONE
        known = self._variables.get((owner, node.id), NONE)
        imported = not known and any(b.kind == "import" for b in owner.bindings[node.id][:4])
        if imported and REQUEST_OBJECTS & set(self._names.bound(node.id, scope, 0)):
            return {"request": f"a request ({node.id})"}
        return known

    def _field(self, node: ast.Attribute, scope: Scope) -> Taint:
        if not isinstance(node.value, ast.Name):
            return NONE
        if REQUEST_OBJECTS & set(self._names.of(node, scope)):
            return {"request": "a request"}
        method: Scope | None = scope
        while method is not None and not method.is_method():
            method = method.parent
        if method is None or method.params[:1] != [node.value.id] or method.parent is None:
            return NONE
        if node.attr in self._fields.get(method, ()):
            return {"request": "a request"}
        return self._variables.get((method.parent, f".{node.attr}"), NONE)

    def _called(self, node: ast.Call, scope: Scope, found: dict[Kind, str]) -> list[ast.AST]:
        """Add what a call gives; return which of its parts pass on what they carry."""
        names = self._names.of(node.func, scope)
        if CLEANING & set(names):
            return []
        kind = kind_of_call(names)
        if kind is not None:
            home = self._home.get(scope)
            place = home.source.address(node.lineno) if home is not None else ""
            _merge(found, {kind: f"{_WORDS[kind]} ({place})"})
            return []
        for name in names:
            target = self._function(name)
            if target is not None and self._names.scopes[name].kind == "function":
                _merge(found, self._returns.get(target, NONE))
                return [node.func.value] if isinstance(node.func, ast.Attribute) else []
        if isinstance(node.func, ast.Attribute) and node.func.attr in _LOOKUPS:
            return [node.func.value]  # what is looked up in a table of one's own is the table's
        return [node.func, *node.args, *(keyword.value for keyword in node.keywords)]


_WORDS: dict[Kind, str] = {"request": "a request", "model": "a model's answer", "download": "a download"}


def _merge(found: dict[Kind, str], more: Taint) -> None:
    for kind, origin in more.items():
        found.setdefault(kind, origin)


def _grows(known: Taint, found: Taint) -> bool:
    return any(kind not in known for kind in found)

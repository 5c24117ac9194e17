"""Which dotted names an expression can mean, followed through imports, assignments, calls and files.

``torch.load`` is the name of the function itself, ``requests.Session()`` that of what calling the class gives,
``openai.OpenAI().chat.completions.create().choices[]`` that of an item of an answer. What the scanned files define
themselves begins with a colon; what cannot be told is ``?``.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable

from redan.kernels.code.scopes import Binding, Scope

MOST_NAMES = 4
"""Meanings of one expression that are followed."""
MOST_STEPS = 24
"""Assignments, imports and calls that are followed for one name."""

MOST_BINDINGS = 16
"""Ways of binding one name that are followed."""
MOST_STARS = 32
"""Star imports of one module that are searched for a name."""
MOST_SEARCHES = 200_000
"""Star imports that are searched in all."""

UNKNOWN = ("?",)
_BUILTINS = frozenset(dir(builtins))
_IMPORTERS = frozenset({"importlib.import_module", "builtins.__import__"})


class Names:
    """Resolves expressions of the modules that are read together.

    Args:
        modules: dotted name of each module, with a colon in front, and its scope.
    """

    def __init__(self, modules: dict[str, Scope]) -> None:
        self._modules = modules
        self._tops = {part for name in modules for part in name[1:].split(".")}
        self.scopes: dict[str, Scope] = dict(modules)
        self._searches = MOST_SEARCHES
        self._known: dict[int, tuple[str, ...]] = {}
        self._answers: dict[tuple[object, ...], tuple[str, ...]] = {}

    def add(self, scopes: Iterable[Scope]) -> None:
        """Make functions and classes known by their qualified names."""
        for scope in scopes:
            self.scopes.setdefault(scope.name, scope)

    def of(self, node: ast.expr, scope: Scope, steps: int = 0) -> tuple[str, ...]:
        """Return the dotted names that an expression can mean; ``?`` for what cannot be told."""
        if steps > MOST_STEPS:
            return UNKNOWN
        resolve = _RESOLVE.get(node.__class__)
        if resolve is None:
            return UNKNOWN
        known = self._known.get(id(node))
        if known is None:
            # whoever comes back to the same expression on the way to its meaning learns nothing more
            self._known[id(node)] = UNKNOWN
            known = self._known[id(node)] = _few(resolve(self, node, scope, steps + 1))
        return known

    def _once(self, key: tuple[object, ...], answer: Callable[[], Iterable[str]]) -> tuple[str, ...]:
        """Answer a question once; without this, names that refer to each other would cost exponential time."""
        known = self._answers.get(key)
        if known is None:
            self._answers[key] = UNKNOWN
            known = self._answers[key] = _few(answer())
        return known

    def bound(self, name: str, scope: Scope, steps: int) -> tuple[str, ...]:
        """Return what a bare name can mean where that scope sees it."""
        owner = scope.owner(name)
        if owner is None:
            stars = [f"{star}.{name}" for star in self._stars(scope.module())]
            found = [each for star in stars for each in self.canonical(star, scope, steps)]
            return (f"builtins.{name}", *found) if name in _BUILTINS else tuple(found) or UNKNOWN
        ways = owner.bindings[name][:MOST_BINDINGS]
        return self._once((owner, name), lambda: (each for way in ways for each in self.meaning(way, owner, steps)))

    def meaning(self, binding: Binding, owner: Scope, steps: int) -> tuple[str, ...]:
        """Return what one way of binding makes of a name."""
        if binding.kind == "import":
            return self.canonical(binding.name, binding.scope, steps)
        if binding.kind in ("def", "class"):
            return (binding.name,)
        if binding.kind == "value" and isinstance(binding.node, ast.expr):
            return self.of(binding.node, binding.scope, steps)
        if binding.kind == "param" and isinstance(binding.node, ast.arg):
            return self._parameter(binding.node, owner, steps)
        return UNKNOWN

    def _parameter(self, arg: ast.arg, scope: Scope, steps: int) -> tuple[str, ...]:
        if scope.is_method() and scope.parent is not None and scope.params[:1] == [arg.arg]:
            return (f"{scope.parent.name}()",)
        if arg.annotation is None or scope.parent is None:
            return UNKNOWN
        annotation = arg.annotation
        if isinstance(annotation, ast.BinOp):  # X | None
            annotation = annotation.left
        if isinstance(annotation, ast.Subscript):
            annotation = annotation.value
        named = self.of(annotation, scope.parent, steps)
        return tuple(name if name == "?" else f"{name}()" for name in named)

    def canonical(self, dotted: str, scope: Scope, steps: int) -> tuple[str, ...]:
        """Follow a dotted name into the scanned files as far as they define or import it."""
        if steps > MOST_STEPS:
            return UNKNOWN
        if not dotted.startswith(":") and dotted.partition(".")[0] not in self._tops:
            return (dotted,)
        package = "" if dotted.startswith(":") else scope.package
        return self._once((dotted, package), lambda: self._followed(dotted, scope, steps))

    def _followed(self, dotted: str, scope: Scope, steps: int) -> tuple[str, ...]:
        if not dotted.startswith(":"):
            local = self._local(dotted, scope)
            if local is None:
                return (dotted,)
            dotted = local
        module, rest = self._split(dotted)
        if module is None or not rest:
            return (dotted,)
        head, *tail = rest.split(".")
        if head not in module.bindings:
            starred = [f"{star}.{rest}" for star in self._stars(module)]
            return _few(e for star in starred for e in self.canonical(star, module, steps + 1)) or (dotted,)
        found = [e for b in module.bindings[head][:MOST_BINDINGS] for e in self.meaning(b, module, steps + 1)]
        return _few(each if not tail else ".".join([each, *tail]) for each in found)

    def _stars(self, module: Scope) -> list[str]:
        """Return the modules whose names a module imports all, as long as searching them is worth while."""
        stars = module.stars[:MOST_STARS]
        self._searches -= len(stars)
        return stars if self._searches > 0 else []

    def _local(self, dotted: str, scope: Scope) -> str | None:
        """Return the name of an absolute import if a scanned file answers for it: beside the importer or above it."""
        package = scope.package.lstrip(":")
        parts = package.split(".") if package else []
        top = dotted.partition(".")[0]
        for depth in range(len(parts), -1, -1):
            name = ":" + ".".join([*parts[:depth], dotted])
            if ":" + ".".join([*parts[:depth], top]) in self._modules or self._split(name)[0] is not None:
                return name
        return None

    def _split(self, dotted: str) -> tuple[Scope | None, str]:
        """Split into the longest module that exists and what is left."""
        name, rest = dotted, ""
        while name:
            if name in self._modules:
                return self._modules[name], rest
            name, dot, last = name.rpartition(".")
            rest = f"{last}.{rest}" if rest else last
            if not dot:
                return None, rest
        return None, rest

    def attribute(self, base: str, name: str, steps: int) -> tuple[str, ...]:
        """Return what an attribute of something named can mean; methods and fields of scanned classes are followed."""
        if not base.startswith(":"):
            return (f"{base}.{name}",)
        if base.endswith("()"):
            return self._member(base[:-2], name, steps)
        scope = self.scopes.get(base)
        if scope is not None and scope.kind == "class":
            return self._member(base, name, steps)
        return self.canonical(f"{base}.{name}", self.scopes.get(base, _NOWHERE), steps)

    def _member(self, cls: str, name: str, steps: int) -> tuple[str, ...]:
        scope = self.scopes.get(cls)
        if scope is None or scope.kind != "class" or steps > MOST_STEPS:
            return (f"{cls}().{name}",)
        return self._once((scope, ".", name), lambda: self._inherited(scope, name, steps))

    def _inherited(self, scope: Scope, name: str, steps: int) -> tuple[str, ...]:
        cls = scope.name
        found = [*scope.bindings.get(name, ()), *scope.bindings.get(f".{name}", ())]
        if found:
            return _few(each for binding in found[:MOST_BINDINGS] for each in self.meaning(binding, scope, steps + 1))
        node, outside = scope.node, scope.parent
        bases = node.bases if isinstance(node, ast.ClassDef) and outside is not None else []
        above = [base for each in bases for base in self.of(each, outside or scope, steps + 1) if base != "?"]
        return _few(e for base in above for e in self.attribute(f"{base}()", name, steps + 1)) or (f"{cls}().{name}",)

    def returned(self, function: str, steps: int) -> tuple[str, ...]:
        """Return what a call of something named can give."""
        scope = self.scopes.get(function) if function.startswith(":") else None
        if scope is None or scope.kind != "function" or not scope.returns:
            return (f"{function}()",)
        found = [e for node in scope.returns[:MOST_NAMES] for e in self.of(node, scope, steps)]
        return tuple(each for each in found if each != "?") or (f"{function}()",)


_NOWHERE = Scope("module", ":", None, None, ":")


def _few(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))[:MOST_NAMES]


def _name(names: Names, node: ast.expr, scope: Scope, steps: int) -> tuple[str, ...]:
    assert isinstance(node, ast.Name)
    return names.bound(node.id, scope, steps)


def _attribute(names: Names, node: ast.expr, scope: Scope, steps: int) -> tuple[str, ...]:
    assert isinstance(node, ast.Attribute)
    bases = names.of(node.value, scope, steps)
    return _few(each for base in bases for each in names.attribute(base, node.attr, steps))


def _call(names: Names, node: ast.expr, scope: Scope, steps: int) -> tuple[str, ...]:
    assert isinstance(node, ast.Call)
    functions = names.of(node.func, scope, steps)
    first = node.args[0] if node.args else None
    if first is not None and "functools.partial" in functions:
        return names.of(first, scope, steps)
    if isinstance(first, ast.Constant) and isinstance(first.value, str) and _IMPORTERS & set(functions):
        return names.canonical(first.value, scope, steps)
    if first is not None and "builtins.getattr" in functions and len(node.args) > 1:
        chosen = node.args[1]
        if isinstance(chosen, ast.Constant) and isinstance(chosen.value, str):
            bases = names.of(first, scope, steps)
            return _few(each for base in bases for each in names.attribute(base, chosen.value, steps))
    return _few(each for function in functions for each in names.returned(function, steps))


def _inner(names: Names, node: ast.expr, scope: Scope, steps: int) -> tuple[str, ...]:
    assert isinstance(node, (ast.Await, ast.NamedExpr))
    return names.of(node.value, scope, steps)


def _item(names: Names, node: ast.expr, scope: Scope, steps: int) -> tuple[str, ...]:
    assert isinstance(node, ast.Subscript)
    return tuple(f"{name}[]" for name in names.of(node.value, scope, steps))


def _either(names: Names, node: ast.expr, scope: Scope, steps: int) -> tuple[str, ...]:
    parts = (
        node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse] if isinstance(node, ast.IfExp) else []
    )
    found = [each for part in parts for each in names.of(part, scope, steps)]
    return tuple(each for each in found if each != "?") or UNKNOWN


_RESOLVE = {
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Await: _inner,
    ast.NamedExpr: _inner,
    ast.Subscript: _item,
    ast.BoolOp: _either,
    ast.IfExp: _either,
}

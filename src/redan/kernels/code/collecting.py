"""One walk over a syntax tree that fills the scopes: what is bound, called, returned and asserted where."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from redan.kernels.code.scopes import Binding, Kind, Scope

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_ABSTRACT = (ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop)
_LEAVES = frozenset(
    [ast.Name, ast.Constant, ast.alias, *(leaf for kind in _ABSTRACT for leaf in kind.__subclasses__())]
)


def collect(tree: ast.Module, name: str, package: str) -> list[Scope]:
    """Return the scopes of a module, the module's own first.

    Args:
        tree: its syntax tree.
        name: its dotted name, with a colon in front.
        package: the dotted name of its package, with a colon in front, for relative imports.
    """
    walk = _Walk(Scope("module", name, None, None, package))
    walk.run(tree)
    return walk.scopes


class _Walk:
    """Goes through a tree with a stack of its own, since trees may be deeper than Python calls."""

    def __init__(self, module: Scope) -> None:
        self.scopes = [module]
        self.stack: list[tuple[ast.AST, Scope]] = []

    def run(self, tree: ast.Module) -> None:
        self.push(tree.body, self.scopes[0])
        stack, special = self.stack, _SPECIAL
        while stack:
            node, scope = stack.pop()
            treat = special.get(node.__class__)
            if treat is not None and treat(self, node, scope):
                continue
            children: list[ast.AST] = []
            for field in node._fields:
                value = getattr(node, field, None)
                if isinstance(value, list):
                    children += [each for each in value if isinstance(each, ast.AST) and each.__class__ not in _LEAVES]
                elif isinstance(value, ast.AST) and value.__class__ not in _LEAVES:
                    children.append(value)
            self.push(children, scope)

    def push(self, nodes: Iterable[ast.AST], scope: Scope) -> None:
        self.stack += [(node, scope) for node in reversed(list(nodes))]

    def enter(self, scope: Scope) -> None:
        self.scopes.append(scope)
        if scope.parent is not None:
            scope.parent.children.append(scope)


def _function(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, Function)
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    inner = Scope("function", f"{scope.name}.{name}", scope, node, scope.package)
    walk.enter(inner)
    a = node.args
    for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg):
        if arg is not None:
            inner.bind(arg.arg, Binding("param", arg, inner))
    inner.params = [arg.arg for arg in (*a.posonlyargs, *a.args, *a.kwonlyargs)]
    outside: list[ast.AST] = [each for each in (*a.defaults, *a.kw_defaults) if each is not None]
    if isinstance(node, ast.Lambda):
        inner.returns.append(node.body)
        walk.push([node.body], inner)
    else:
        scope.bind(name, Binding("def", None, scope, inner.name))
        outside += node.decorator_list
        walk.push(node.body, inner)
    walk.push(outside, scope)
    return True


def _class(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, ast.ClassDef)
    inner = Scope("class", f"{scope.name}.{node.name}", scope, node, scope.package)
    walk.enter(inner)
    scope.bind(node.name, Binding("class", None, scope, inner.name))
    walk.push(node.body, inner)
    walk.push([*node.decorator_list, *node.bases, *(k.value for k in node.keywords)], scope)
    return True


def _import(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, ast.Import)
    for alias in node.names:
        top = alias.name.partition(".")[0]
        scope.bind(alias.asname or top, Binding("import", None, scope, alias.name if alias.asname else top))
    return True


def _import_from(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, ast.ImportFrom)
    source = node.module or ""
    if node.level:
        parts = scope.package.split(".")
        above = parts[: max(1, len(parts) - node.level + 1)]
        source = ".".join([*above, source] if source else above)
        source = f":{source.lstrip(':.')}"
    for alias in node.names:
        if alias.name == "*":
            scope.stars.append(source)
        else:
            name = f"{source}.{alias.name}" if source != ":" else f":{alias.name}"
            scope.bind(alias.asname or alias.name, Binding("import", None, scope, name))
    return True


def _target(target: ast.expr, value: ast.expr | None, scope: Scope, kind: Kind) -> None:
    """Bind what an assignment, loop or with-statement assigns to."""
    if isinstance(target, ast.Name):
        scope.bind(target.id, Binding(kind if value is not None else "other", value, scope))
    elif isinstance(target, (ast.Tuple, ast.List)):
        parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) and kind == "value" else []
        same = len(parts) == len(target.elts)
        for number, each in enumerate(target.elts):
            _target(each, parts[number] if same else value, scope, kind if same else "item")
    elif isinstance(target, ast.Starred):
        _target(target.value, value, scope, "item")
    elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        if scope.is_method() and scope.params[:1] == [target.value.id] and scope.parent is not None:
            scope.parent.bind(f".{target.attr}", Binding(kind if value is not None else "other", value, scope))
    elif isinstance(target, ast.Subscript) and value is not None:
        table = target.value
        name = table.id if isinstance(table, ast.Name) else table.attr if isinstance(table, ast.Attribute) else ""
        pair = ast.Tuple([target.slice, value], ast.Load(), lineno=target.lineno)
        scope.bind(f"{name}[]", Binding("value", pair, scope))


def _assign(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, ast.Assign)
    for target in node.targets:
        _target(target, node.value, scope, "value")
    return False


def _single(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, (ast.AnnAssign, ast.NamedExpr))
    if node.value is not None:
        _target(node.target, node.value, scope, "value")
    return False


def _augmented(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, ast.AugAssign)
    _target(node.target, node.value, scope, "item")
    return False


def _loop(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension))
    _target(node.target, node.iter, scope, "item")
    return False


def _with(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, (ast.With, ast.AsyncWith))
    for item in node.items:
        if item.optional_vars is not None:
            _target(item.optional_vars, item.context_expr, scope, "value")
    return False


def _except(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, ast.ExceptHandler)
    if node.name:
        scope.bind(node.name, Binding("other", None, scope))
    return False


def _global(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, ast.Global)
    scope.globals.update(node.names)
    return True


def _call(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, ast.Call)
    scope.calls.append(node)
    return False


def _returned(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom))
    if node.value is not None:
        scope.returns.append(node.value)
    return False


def _assert(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, ast.Assert)
    scope.asserts.append(node)
    return False


def _captured(walk: _Walk, node: ast.AST, scope: Scope) -> bool:
    assert isinstance(node, (ast.MatchAs, ast.MatchStar))
    if node.name:
        scope.bind(node.name, Binding("other", None, scope))
    return False


_SPECIAL: dict[type[ast.AST], Callable[[_Walk, ast.AST, Scope], bool]] = {
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.Lambda: _function,
    ast.ClassDef: _class,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Assign: _assign,
    ast.AnnAssign: _single,
    ast.NamedExpr: _single,
    ast.AugAssign: _augmented,
    ast.For: _loop,
    ast.AsyncFor: _loop,
    ast.comprehension: _loop,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.ExceptHandler: _except,
    ast.Global: _global,
    ast.Call: _call,
    ast.Return: _returned,
    ast.Yield: _returned,
    ast.YieldFrom: _returned,
    ast.Assert: _assert,
    ast.MatchAs: _captured,
    ast.MatchStar: _captured,
}

"""Which constant an expression is, followed through names that are bound once."""

from __future__ import annotations

import ast
from typing import Any, Final

from redan.kernels.code.scopes import Scope

MOST_STEPS = 12
"""Names that are followed to one constant."""


class Unknown:
    """The type of what no constant is; compares equal to nothing else."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


def followed(node: ast.expr, scope: Scope) -> tuple[ast.expr, Scope]:
    """Follow names that are bound to one value, and return the expression behind them with its scope."""
    for _ in range(MOST_STEPS):
        if not isinstance(node, ast.Name):
            break
        owner = scope.owner(node.id)
        found = owner.bindings[node.id] if owner is not None else []
        if len(found) != 1 or found[0].kind != "value" or not isinstance(found[0].node, ast.expr):
            break
        node, scope = found[0].node, found[0].scope
    return node, scope


def constant(node: ast.expr, scope: Scope, steps: int = 0) -> Any:
    """Return the value of a constant expression: numbers, strings, and tuples for lists and tuples of them.

    A formatted string is its text with ``{}`` for each part that is unknown.
    """
    node, scope = followed(node, scope)
    if steps > MOST_STEPS:
        return UNKNOWN
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return tuple(constant(each, scope, steps + 1) for each in node.elts[:64])
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = constant(node.left, scope, steps + 1), constant(node.right, scope, steps + 1)
        if isinstance(left, str):
            return left + (right if isinstance(right, str) else "{}")
    return UNKNOWN

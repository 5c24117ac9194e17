"""Grants and scopes: which (action, model) pairs an assignment, a key or a token gives, and what is left of both.

A scope is text such as ``predict:fraud models.read:*``, as the claim ``scope`` of OAuth has it (RFC 6749, section 3.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from redan.core.errors import UnknownName, UsageError
from redan.service.identity.actions import ACTIONS
from redan.service.identity.principal import EVERY_MODEL

Grants = frozenset[tuple[str, str]]
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}|\*", re.ASCII)
MOST = 256


def shown(grants: Iterable[tuple[str, str]]) -> str:
    """Write grants as a scope, sorted."""
    return " ".join(f"{action}:{model}" for action, model in sorted(grants))


def parsed(scope: str) -> Grants:
    """Read a scope; an action without a model means every model.

    Raises:
        UsageError: too long, or a model's name that none can have.
        UnknownName: no such action.
    """
    words = scope.split()
    if len(words) > MOST:
        raise UsageError(f"a scope names {len(words)} permissions; expected at most {MOST}")
    return frozenset(_one(word) for word in words)


def _one(word: str) -> tuple[str, str]:
    action, _, model = word.partition(":")
    if action not in ACTIONS:
        raise UnknownName.among("action", action, sorted(ACTIONS))
    model = model or EVERY_MODEL
    if MODEL.fullmatch(model) is None:
        raise UsageError(f"{model[:40]!r} is no model's name", hint="write predict:MODEL, or predict:* for every model")
    if model != EVERY_MODEL and not ACTIONS[action].per_model:
        raise UsageError(f"{action!r} is not given for one model", hint=f"write {action}")
    return action, model


def narrowed(grants: Grants, scope: Grants | None) -> Grants:
    """Return what both give: ``(a, *)`` and ``(a, m)`` leave ``(a, m)``; a scope of None narrows nothing."""
    if scope is None:
        return grants
    both = grants & scope
    first = {(a, m) for a, m in scope if (a, EVERY_MODEL) in grants}
    second = {(a, m) for a, m in grants if (a, EVERY_MODEL) in scope}
    return both | first | second

"""Roles: what each allows, which may not meet in one hand, and what an assignment of them gives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redan.core.errors import ConfigError, UnknownName
from redan.service.identity.actions import ACTIONS
from redan.service.identity.principal import EVERY_MODEL

if TYPE_CHECKING:
    from redan.core.settings_service import Identity
    from redan.service.identity.scopes import Grants

ADMINISTRATOR = "administrator"
ADMINISTRATION = "identity.write"
_SELF = "identity.self"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A name for actions.

    Attributes:
        name: as assignments write it.
        title: whom it is for.
        actions: what it allows.
        built_in: whether it is ours; the others are in redan.toml.
    """

    name: str
    title: str
    actions: frozenset[str]
    built_in: bool = True


def _role(name: str, title: str, actions: str) -> Role:
    return Role(name=name, title=title, actions=frozenset(actions.split()))


_BUILT_IN = (
    _role("client", "programs and people that ask models", "predict explain feedback"),
    _role("monitor", "what scrapes metrics", "metrics.read"),
    _role("viewer", "who looks on", "models.read metrics.read monitors.read reports.read identity.self"),
    _role(
        "operator",
        "who runs the gateway",
        "models.read models.reload models.promote models.rollback models.quarantine metrics.read monitors.read "
        "reports.read incidents.read registry.read config.read identity.self",
    ),
    _role(
        "responder",
        "who acts when something happened",
        "models.read models.quarantine metrics.read monitors.read reports.read audit.read incidents.read "
        "incidents.act incidents.contain clients.throttle identity.self",
    ),
    _role(
        "auditor",
        "who checks the others",
        "models.read metrics.read monitors.read reports.read audit.read audit.export identity.read incidents.read "
        "registry.read config.read identity.self",
    ),
    _role(
        "registrar",
        "who brings models and moves them on",
        "models.read reports.read registry.read registry.push registry.promote identity.self",
    ),
    _role(
        ADMINISTRATOR,
        "who decides who may do what",
        "identity.read identity.write identity.self config.read metrics.read",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """Two kinds of power that should not meet in one hand.

    Attributes:
        one: actions of the first kind.
        other: actions of the second.
        refused: whether an assignment that makes them meet is refused; else it is only told.
        why: the sentence for people.
    """

    one: frozenset[str]
    other: frozenset[str]
    refused: bool
    why: str


_ACTS = frozenset({"models.promote", "models.rollback", "models.quarantine", "registry.push", "registry.promote"})
SEPARATIONS = (
    Separation(
        one=frozenset({ADMINISTRATION}),
        other=_ACTS | {"incidents.contain", "clients.throttle"},
        refused=True,
        why="who gives permissions does not use them",
    ),
    Separation(
        one=frozenset({"audit.export"}),
        other=_ACTS | {ADMINISTRATION, "incidents.contain", "clients.throttle"},
        refused=True,
        why="who checks others does not act",
    ),
    Separation(
        one=frozenset({"registry.push"}),
        other=frozenset({"models.promote"}),
        refused=False,
        why="who brings a model does not make it answer",
    ),
    Separation(
        one=frozenset({"predict"}),
        other=frozenset({"monitors.read", "audit.read"}),
        refused=False,
        why="who asks models does not see what watches them",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Every role there is.

    Attributes:
        by_name: the roles.
        strict: whether combinations are refused, as ``[identity] separation`` says.
    """

    by_name: Mapping[str, Role]
    strict: bool = True

    def named(self, name: str) -> Role:
        """Return a role.

        Raises:
            UnknownName: there is none of that name.
        """
        if name not in self.by_name:
            raise UnknownName.among("role", name, sorted(self.by_name))
        return self.by_name[name]

    def grants(self, assigned: Iterable[tuple[str, str]]) -> Grants:
        """Return what (role, model) pairs give together; a role that is no more gives nothing.

        A role for one model gives only what can be given for one model, and the care for one's own factors.
        """
        return frozenset(pair for role, model in assigned for pair in self._of(role, model))

    def _of(self, name: str, model: str) -> Iterable[tuple[str, str]]:
        role = self.by_name.get(name)
        if role is None:
            return
        for action in role.actions:
            if model == EVERY_MODEL or ACTIONS[action].per_model:
                yield action, model
            elif action == _SELF:
                yield action, EVERY_MODEL


def roles_of(settings: Identity) -> Roles:
    """Return the built-in roles and those of redan.toml.

    Raises:
        ConfigError: a role stands twice, takes a built-in name, is empty, or names an action that nobody defined.
    """
    by_name = {role.name: role for role in _BUILT_IN}
    for given in settings.roles:
        if _NAME.fullmatch(given.name) is None:
            raise ConfigError(
                f"[[identity.roles]] {given.name[:40]!r} is no name of a role", hint="letters, digits, - and _"
            )
        if given.name in by_name:
            raise ConfigError(f"[[identity.roles]] names {given.name!r}, which is taken", hint="choose another name")
        if not given.actions:
            raise ConfigError(f"[[identity.roles]] {given.name!r} allows nothing", hint="name its actions")
        unknown = sorted(set(given.actions) - set(ACTIONS))
        if unknown:
            raise ConfigError(
                f"[[identity.roles]] {given.name!r} allows {unknown[0]!r}, which is no action",
                hint="redan identity role list shows every action",
            )
        by_name[given.name] = Role(name=given.name, title=given.title, actions=frozenset(given.actions), built_in=False)
    return Roles(by_name=by_name, strict=settings.separation == "refused")


def conflicts(grants: Grants) -> list[Separation]:
    """Return which separations of duties a hand with these grants breaks."""
    held = {action for action, _ in grants}
    return [separation for separation in SEPARATIONS if held & separation.one and held & separation.other]

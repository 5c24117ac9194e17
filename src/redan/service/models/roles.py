"""Which role each version has: the configuration's, and what was decided since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from redan.core.errors import ConfigError

if TYPE_CHECKING:
    from redan.core.settings_service import ServedModel
    from redan.service.models.served import Role
    from redan.service.models.standing import Decided, Turn


def configured_live(models: Iterable[ServedModel], name: str) -> str:
    """Return the version of a model that the configuration calls live, or an empty text."""
    return next((each.version for each in models if each.name == name and each.role == "live"), "")


def turn_of(models: Sequence[ServedModel], name: str, decided: Decided) -> Turn | None:
    """Return the decision that stands for a model; none where the configuration calls another version live since."""
    turn = decided.turns.get(name)
    versions = {each.version for each in models if each.name == name}
    if turn is None or turn.configured != configured_live(models, name) or turn.live not in versions:
        return None
    return turn


def live_of(models: Sequence[ServedModel], name: str, decided: Decided) -> str:
    """Return the version of a model that is live by decision or configuration, or an empty text."""
    turn = turn_of(models, name, decided)
    return configured_live(models, name) if turn is None else turn.live


def role_of(model: ServedModel, models: Sequence[ServedModel], decided: Decided) -> Role:
    """Return the role that a version has now.

    Args:
        model: the version.
        models: all versions of the configuration.
        decided: what was decided.
    """
    if (model.name, model.version) in decided.quarantined:
        return "quarantined"
    turn = turn_of(models, model.name, decided)
    if turn is None:
        return model.role
    if model.version == turn.live:
        return "live"
    return "standby" if model.role == "live" or model.version in turn.standby else model.role


def check(models: Sequence[ServedModel]) -> None:
    """Insist on roles that can be had together.

    Raises:
        ConfigError: two live versions of one model, or canaries that share out more than there is.
    """
    for name in dict.fromkeys(each.name for each in models):
        own = [each for each in models if each.name == name]
        live = [each.version for each in own if each.role == "live"]
        if len(live) > 1:
            raise ConfigError(
                f"[[serve.models]] calls versions {' and '.join(live)} of {name} live",
                hint='one is live; give others role = "canary" with a share, "shadow" or "standby"',
            )
        shares = [each.share for each in own if each.role == "canary"]
        if any(not 0 <= share <= 1 for share in shares) or sum(shares) > 1:
            raise ConfigError(f"the canaries of {name} have shares {shares}", hint="give shares that sum to at most 1")

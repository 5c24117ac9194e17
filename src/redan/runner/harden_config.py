"""Harden the model that settings name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from redan.core.plugins import load_allowed
from redan.runner.check import notes_of
from redan.runner.harden_report import harden
from redan.runner.harden_saving import check_place
from redan.runner.harden_saving import save as save_weights
from redan.runner.opening import inputs_of, named, released, subject_of
from redan.runner.target import Target

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.config import Config
    from redan.core.report import Report
    from redan.runner.harden import Wanted
    from redan.runner.run import Session


def harden_configured(
    config: Config, wanted: Wanted, session: Session, *, save: Path | None, target: str
) -> tuple[Report, str]:
    """Open model and data, harden, and save what was taken.

    Args:
        config: the settings in force.
        wanted: against what, with which mitigations; the settings add their parameters.
        session: budget, seed, policy and stores.
        save: where the weights go, or None.
        target: the model as it was typed, for the advice.

    Returns:
        The report, and how to load what was saved (empty without ``save``).

    Raises:
        SubjectError: the model or the data cannot be opened, or do not fit.
        UsageError: nothing hardens it, or it cannot be saved there.
        BudgetSpent: too little to try anything.
    """
    load_allowed(config.settings.plugins.allow)
    inputs = inputs_of(config)
    subject = subject_of(config, inputs)
    with released(subject):
        if save is not None:
            check_place(save, subject)
        wanted = replace(wanted, params=_params(config, wanted.against))
        asked = {
            "against": wanted.against,
            "mitigations": wanted.mitigations,
            "clean_loss": wanted.clean_loss,
            "params": dict(wanted.params),
            "budget": config.settings.attack.budget,
            "measured": _named(config, save),
        }
        net = Target(subject=subject, inputs=inputs, notes=notes_of(config))
        report, found = harden(net, wanted, session, asked=asked)
        advice = save_weights(found, subject, save, target) if save is not None else ""
        return report, advice


def _named(config: Config, save: Path | None) -> dict[str, str]:
    """Return what the numbers after hardening are about: the saved weights, or data alone where none were saved."""
    told = named(config)
    if save is None:
        return {name: value for name, value in told.items() if name in ("data", "label")}
    return {**told, "weights": str(save)}


def _params(config: Config, against: str) -> dict[str, Any]:
    """Return the further parameters, and against evasion the norm in force and the radius where somebody chose one."""
    attack = config.settings.attack
    if against != "evasion":
        return dict(attack.params)
    chosen = {} if attack.eps is None else {"eps": attack.eps}
    return {"norm": attack.norm, **chosen, **attack.params}

"""Attack one model as settings ask for it; unlike `check`, no files are scanned beside the model's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redan.core.plugins import load_allowed
from redan.runner.check import choice_of, notes_of
from redan.runner.opening import inputs_of, named, released, subject_of
from redan.runner.plan import attacking, plan
from redan.runner.run import Session, run

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.report import Report


def attack(config: Config, session: Session) -> Report:
    """Open model and data, check that they fit, and run the probes.

    Raises:
        SubjectError: the model or the data cannot be opened, or do not fit.
    """
    load_allowed(config.settings.plugins.allow)
    inputs = inputs_of(config)
    subject = subject_of(config, inputs)
    with released(subject):
        choice = choice_of(config)
        asked: dict[str, Any] = {"threats": choice.threats, "probes": choice.probes, "params": dict(choice.params)}
        asked["measured"] = named(config)
        steps = plan([subject], inputs, attacking(choice))
        return run(steps, inputs, subject.ref, session, asked=asked, notes=notes_of(config))

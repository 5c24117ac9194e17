"""Explain a model: every explanation that fits it and its data, and what explanations show to whoever guards it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from redan.core.plugins import load_allowed
from redan.runner.check import choice_of, notes_of
from redan.runner.opening import inputs_of, named, released, subject_of
from redan.runner.plan import plan
from redan.runner.run import run

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.report import Report
    from redan.runner.run import Session

FOR_TABLES = ("attribution", "surrogate", "leaky-column")
"""What runs on a table when nobody names probes …"""
FOR_OTHERS = ("attribution", "carried-region")
"""… and on anything else; of these only those that fit."""


def explain_model(config: Config, session: Session) -> Report:
    """Open model and data, and run the explanations.

    Raises:
        SubjectError: the model or the data cannot be opened, or do not fit.
    """
    import numpy as np

    load_allowed(config.settings.plugins.allow)
    inputs = inputs_of(config)
    subject = subject_of(config, inputs)
    with released(subject):
        choice = replace(choice_of(config), params=dict(config.settings.attack.params))
        notes = notes_of(config)
        if choice.probes:
            steps = plan([subject], inputs, choice)
        else:
            table = np.ndim(inputs.role("test").x) == 2
            choice = replace(choice, probes=FOR_TABLES if table else FOR_OTHERS)
            steps = plan([subject], inputs, choice)
            notes += tuple(f"{ran.name} was left out: {ran.why}" for ran in steps.skipped)
            steps = replace(steps, skipped=())
        asked: dict[str, Any] = {"probes": choice.probes, "params": dict(choice.params), "measured": named(config)}
        return run(steps, inputs, subject.ref, session, asked=asked, notes=notes)

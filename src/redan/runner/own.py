"""Mark the model that settings name, or take its fingerprint: report, ownership file, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from redan.core.errors import UsageError
from redan.core.plugins import load_allowed
from redan.evidence.ownership import key_from, write
from redan.runner.check import notes_of
from redan.runner.harden_saving import check_place, save_weights
from redan.runner.opening import inputs_of, named, released, subject_of
from redan.runner.own_finding import finding_of
from redan.runner.own_mark import MarkParams, Owned, fingerprinted, marked, ownership_of, with_strangers
from redan.runner.own_report import Clock, reported
from redan.threats.theft.rules.marked import RULE

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.config import Config
    from redan.core.report import Report
    from redan.core.subject import Subject
    from redan.runner.own_independent import Strangers
    from redan.runner.own_mark import Method
    from redan.runner.run import Session

SUFFIX = ".own.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to make.

    Attributes:
        method: which secrets.
        key: where the key lies.
        place: the ownership file.
        save: where the marked weights go; None for a fingerprint.
        strangers: where independent models come from.
    """

    method: Method
    key: str
    place: Path
    save: Path | None
    strangers: Strangers


def own(config: Config, order: Order, session: Session, *, target: str) -> tuple[Report, str]:
    """Open model and data, mark the model or take its fingerprint, ask independent models, and write it all down.

    Args:
        config: the settings in force; their attack parameters are those of the mark.
        order: what to make.
        session: budget, seed, policy and stores.
        target: the model as it was typed, for the advice.

    Returns:
        The report, and how to load what was saved (empty for a fingerprint).

    Raises:
        SubjectError: the model or the data cannot be opened, or do not fit.
        UsageError: a mark cannot be put in, or a file not written.
        BudgetSpent: too little for the mark and its independent models.
    """
    since = Clock.now()
    load_allowed(config.settings.plugins.allow)
    key = key_from(order.key)
    params = MarkParams.of(config.settings.attack.params)
    inputs = inputs_of(config)
    test = inputs.role("test")
    subject = subject_of(config, inputs)
    with released(subject):
        _check(order, subject)
        if order.method == "fingerprint":
            owned = fingerprinted(subject, inputs, key, params, session)
        else:
            owned = marked(subject, inputs, key, order.method, params, session)
        owned = with_strangers(owned, order.strangers, config, subject, inputs, session)
        finding = finding_of(owned, subject, test, params)
        advice = save_weights(owned.subject, subject, order.save, target, _story(owned)) if order.save else ""
        told, points = ownership_of(owned, subject, inputs, points_file=order.place.with_suffix(".npz").name)
        if points:
            _keep(points, order.place.with_suffix(".npz"))
        write(told, order.place)
    asked = {
        "method": order.method,
        "independent": order.strangers.train + len(order.strangers.files),
        "commitment": told.commitment,
        "measured": named(config),
    }
    notes = notes_of(config)
    return reported(RULE, (finding,), owned.subject.ref, inputs, session, since=since, asked=asked, notes=notes), advice


def _check(order: Order, subject: Subject) -> None:
    if not order.place.parent.is_dir():
        raise UsageError(f"there is no folder {str(order.place.parent)!r} to write into")
    if order.save is not None:
        check_place(order.save, subject)


def _story(owned: Owned) -> dict[str, str]:
    return {"rule": RULE.id, "name": "mark", "note": owned.note}


def _keep(points: bytes, place: Path) -> None:
    """Write the points of a fingerprint, readable by their owner alone: whoever knows them can train them away."""
    import os

    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(points)
    except OSError as err:
        raise UsageError(f"cannot write {str(place)!r}: {err.strerror}") from err

"""Make a detector ready for one model: fit it, calibrate it on rows of normal use, and keep it as a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core import catalogue
from redan.core.errors import Unreadable, UsageError
from redan.core.plugins import load_allowed
from redan.runner.opening import inputs_of, released, subject_of, target_file

if TYPE_CHECKING:
    from redan.core.catalogue import Entry
    from redan.core.config import Config
    from redan.core.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What was made.

    Attributes:
        monitor: the catalogue's entry.
        path: the file.
        subject: name of the model that it stands in front of.
        words: what its file says, as JSON values.
    """

    monitor: Entry
    path: Path
    subject: str
    words: dict[str, object]


def calibrate(config: Config, name: str, place: Path, *, rate: float, budget_us: float | None) -> Calibrated:
    """Open model and data, prepare a monitor, and write its file.

    Args:
        config: names model, test data (rows of normal use) and training data.
        name: of the monitor.
        place: where the file goes.
        rate: false-alarm rate that is asked for.
        budget_us: most microseconds of CPU a request; None for any.

    Raises:
        UnknownName: no such monitor.
        UsageError: it cannot be prepared from what is given, or costs more than is allowed.
        SubjectError: model or data cannot be opened.
    """
    from redan.subjects.detectors.opening import save
    from redan.subjects.detectors.served import Asked, served

    load_allowed(config.settings.plugins.allow)
    entry = catalogue.entry("monitor", name)
    kind = catalogue.load(entry)
    if not hasattr(kind, "prepared"):
        raise UsageError(f"{entry.name} needs no preparation: it is used as it is")
    if not place.parent.is_dir():
        raise UsageError(f"there is no folder {str(place.parent)!r} to write into")
    inputs = inputs_of(config)
    subject = subject_of(config, inputs)
    with released(subject):
        front = served(subject, inputs.role("test").x[:2], digest=_digest(config, subject))
        front = replace(front, name=_served_name(config) or front.name)
        ready = kind.prepared(front, inputs, Asked(rate=rate, budget_us=budget_us, seed=config.settings.run.seed))
        save(ready, place)
    return Calibrated(monitor=entry, path=place, subject=front.name, words=dict(ready.kept()[1]))


def _served_name(config: Config) -> str:
    """Return what the gateway of this project calls the model, as its findings do; empty if it does not serve it."""
    model = config.settings.model
    same = (
        each.name
        for each in config.settings.serve.models
        if (each.target, each.weights) == (model.target, model.weights)
    )
    return next(same, "")


def _digest(config: Config, subject: Subject) -> str:
    """Return the digest that statements about the model name; empty where its parts are not all in one file or folder.

    What a factory builds is sealed as the folder of its code and weights, which is not the folder of redan.toml.
    """
    from redan.evidence.statements.resource import describe

    place = Path(target_file(config))
    if place.suffix == ".py":
        place = place.parent if config.settings.model.weights else config.root
    if subject.ref.binding.kind == "endpoint" or place == config.root:
        return ""
    try:
        about = describe(place)
    except Unreadable:
        return ""  # no statement can be about this folder either
    files = set(about.files.values())
    whole = all(part.sha256 in files for part in subject.ref.components)
    return next(iter(about.digest.values())) if whole else ""

"""From settings to data and subject."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.constraints import Rules
from redan.core.inputs import Dataset, Inputs

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.recipe import Recipe
    from redan.core.subject import Subject


SAMPLE_ROWS = 64
"""Rows shown to a model to learn what its answers are; fewer cannot tell a single logit from a probability."""


def dataset(
    data: Any,
    *,
    limit: int = 0,
    offset: int = 0,
    label: str = "",
    sensitive: tuple[str, ...] = (),
    aside: tuple[str, ...] = (),
) -> Dataset | None:
    """Load a data role from arrays, a torch Dataset, a built-in name or a path; None stays None.

    A `Dataset` stays as it is unless columns of it are named that describe people or that the model is not given.
    """
    if data is None or (isinstance(data, Dataset) and not (sensitive or aside)):
        return data
    from redan.subjects.data import load_dataset

    return load_dataset(data, limit=limit or None, offset=offset, label=label, sensitive=sensitive, aside=aside)


def inputs_of(config: Config, *, most: int = 0) -> Inputs:
    """Load the data roles that the settings name.

    Args:
        config: the settings.
        most: a further limit on the rows of test data; 0 means none.
    """
    data = config.settings.data
    limit = min(filter(None, (data.limit, most)), default=0)
    load = partial(dataset, label=data.label, sensitive=data.sensitive, aside=data.aside)
    test = load(_place(config, data.test), limit=limit, offset=data.offset)
    train, reference, canary = (load(_place(config, each)) for each in (data.train, data.reference, data.canary))
    rules = config.settings.constraints
    check_rules(rules, test)
    return Inputs(
        test=test,
        train=train,
        reference=reference,
        canary=canary,
        sensitive=data.sensitive,
        constraints=rules,
        recipe=_recipe(config, test or train),
    )


def _recipe(config: Config, data: Dataset | None) -> Recipe | None:
    """Open the owner's training function, where the settings name one."""
    model = config.settings.model
    if not model.recipe:
        return None
    from redan.subjects.options import Options
    from redan.subjects.recipes import own_recipe

    path, colon, function = model.recipe.rpartition(":")
    options = Options(
        name=model.name,
        classes=model.classes or (data.classes if data is not None else ()),
        bounds=model.bounds or (data.bounds if data is not None else None),
        mean=model.mean,
        std=model.std,
    )
    return own_recipe(f"{config.path(path)}{colon}{function}", options)


def check_rules(rules: Rules, test: Dataset | None) -> None:
    """See that the rules of a table speak of its columns, before anything is asked of a model.

    Raises:
        ShapeMismatch: the data are no table.
        UsageError: a rule names no column of it, or contradicts another.
    """
    if rules and test is not None:
        from redan.kernels.constraints.resolving import of_table

        of_table(rules, test)


def named(config: Config) -> dict[str, str]:
    """Return model and data as they were named, for whoever repeats or verifies the run; of a path its last parts."""
    model, data = config.settings.model, config.settings.data
    told = {"target": model.target, "weights": model.weights, "data": data.test, "label": data.label}
    return {name: _travelling(value) for name, value in told.items() if value}


def _travelling(value: str) -> str:
    """Make an absolute path relative to the working folder where it lies below; a report travels."""
    here = f"{Path.cwd()}/"
    return value.removeprefix(here)


def suggestions(data: str) -> Rules:
    """Return the rules that the rows of a table suggest.

    Raises:
        RedanError: it cannot be read as a table of numbers with a label.
    """
    from redan.kernels.constraints.inferring import suggest

    test = dataset(data)
    return suggest(test.x, test.columns) if test is not None and test.columns else Rules()


def _place(config: Config, value: str) -> str | None:
    """Resolve a path, or PATH:SPLIT, against the configuration; a name that is no path stays a name."""
    if not value:
        return None
    name, colon, split = value.rpartition(":")
    for place, rest in ((value, ""), (name, colon + split)):
        if place and config.path(place).exists():
            return f"{config.path(place)}{rest}"
    return value


def subject_of(config: Config, inputs: Inputs) -> Subject:
    """Open the model that the settings name, its file scanned before it is loaded, and see that the data fit it.

    Raises:
        UnsafeArtifact: the model's file is not safe to load.
        SubjectError: model or data cannot be measured, or do not fit together.
    """
    subject = _opened(config, inputs)
    with ExitStack() as stack:
        stack.enter_context(released(subject))
        fit(subject, inputs)
        stack.pop_all()  # it fits, so it stays open
    return subject


def fit(subject: Subject, inputs: Inputs) -> None:
    """Ask a model about a few rows of each data role.

    Raises:
        ShapeMismatch: model and data do not fit together.
        SubjectFailed: the model raised or answered nonsense.
    """
    from redan.subjects.fit import check_fit

    for data in (inputs.test, inputs.train):
        if data is not None and "labels" in subject.capabilities:
            check_fit(subject, data)


def _opened(config: Config, inputs: Inputs) -> Subject:
    from redan.subjects.open import open_subject

    model = config.settings.model
    test = inputs.test
    return open_subject(
        target_of(config),
        kind=model.kind,
        name=model.name,
        classes=model.classes or (test.classes if test is not None else ()),
        bounds=model.bounds or (test.bounds if test is not None else None),
        mean=model.mean,
        std=model.std,
        weights=str(config.path(model.weights)) if model.weights else "",
        trust=model.trust,
        endpoint=config.settings.endpoint,
        template=config.settings.endpoint.body,
        sample=None if test is None else test.x[:SAMPLE_ROWS],
    )


@contextmanager
def released(subject: Subject | None) -> Iterator[None]:
    """Give back what a subject holds open (a connection, a sandboxed process) when the work is over."""
    try:
        yield
    finally:
        close = getattr(subject, "close", None)
        if close is not None:
            close()


def target_of(config: Config) -> str:
    """Return the model's target with its path made absolute."""
    value = config.settings.model.target
    if "://" in value:
        return value
    path, colon, factory = value.rpartition(":")
    if colon and path.endswith(".py"):
        return f"{config.path(path)}:{factory}"
    return str(config.path(value))


def target_file(config: Config) -> str:
    """Return the file or folder behind the target, or an empty string for an endpoint."""
    value = target_of(config)
    if "://" in value:
        return ""
    path, colon, _ = value.rpartition(":")
    return path if colon and path.endswith(".py") else value

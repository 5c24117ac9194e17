"""Models that have nothing to do with the owner's: trained from fresh weights, or given as files."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from redan.core.errors import UsageError
from redan.core.progress import SILENT
from redan.core.seeds import derive
from redan.kernels.ownership.null import LEAST_MODELS
from redan.runner.opening import released, subject_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.core.config import Config
    from redan.core.inputs import Inputs
    from redan.core.subject import Subject
    from redan.runner.run import Session

WEIGHTS = (".pt", ".pth", ".safetensors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """Where independent models come from.

    Attributes:
        train: how many to train.
        files: models, or weights for the factory of the owner's, that somebody trained independently.
    """

    train: int = LEAST_MODELS
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no p-value can rest on.

        Raises:
            UsageError: too few.
        """
        if self.train < 0 or self.train + len(self.files) < LEAST_MODELS:
            raise UsageError(
                f"{self.train + len(self.files)} independent models; a p-value rests on {LEAST_MODELS} at least",
                hint=f"--independent {LEAST_MODELS} trains them, --independent-model FILE names one",
            )


def strangers(
    wanted: Strangers, config: Config, subject: Subject, inputs: Inputs, session: Session, told: list[str]
) -> Iterator[Subject]:
    """Give one independent model after another; each is closed when the next is asked for.

    Args:
        wanted: how many, from where.
        config: names the owner's model; files of weights go into its factory.
        subject: the owner's model as it was.
        inputs: training data, and the owner's recipe if there is one.
        session: budget and seed.
        told: gets a sentence on how they were made.

    Raises:
        SubjectError: one cannot be opened or trained.
        BudgetSpent: before all of them were trained.
        UsageError: there are no training data.
    """
    total = wanted.train + len(wanted.files)
    session.observe.started("independent models", total)
    if wanted.files:
        told.append(f"{len(wanted.files)} were given as files")
    for i, file in enumerate(wanted.files):
        with _given(file, config, inputs) as model:
            yield model
        session.observe.advanced("independent models", i + 1, total, "given")
    if wanted.train:
        yield from _trained(wanted, subject, inputs, session, told)
    session.observe.finished("independent models")


@contextmanager
def _given(file: str, config: Config, inputs: Inputs) -> Iterator[Subject]:
    settings = config.settings
    weights_only = file.endswith(WEIGHTS) and ".py:" in settings.model.target
    changed: dict[str, Any] = {"weights": file} if weights_only else {"target": file, "weights": ""}
    model = replace(settings.model, **changed)
    found = subject_of(replace(config, settings=replace(settings, model=model)), inputs)
    with released(found):
        yield found


def _trained(
    wanted: Strangers, subject: Subject, inputs: Inputs, session: Session, told: list[str]
) -> Iterator[Subject]:
    from redan.subjects.recipes import recipe_of

    recipe, sentence = recipe_of(subject, inputs)
    told.append(f"{wanted.train}: {sentence}")
    data, total = inputs.role("train"), wanted.train + len(wanted.files)
    for i in range(wanted.train):
        seed = derive(session.seed, "independent", i)
        model = recipe.fit(data, budget=session.budget, seed=seed, observe=SILENT)
        with released(model):
            yield model
        session.observe.advanced("independent models", len(wanted.files) + i + 1, total, "trained")

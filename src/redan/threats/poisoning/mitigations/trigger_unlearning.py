"""Adversarial unlearning: no perturbation that is the same for every row may lead to a class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import ShapeMismatch, UsageError
from redan.core.probe import Spec
from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.kernels.unlearning.universal import Perturbations
    from redan.subjects.teaching import Pupil, Teachable

LEAST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerUnlearningParams(core_params.Params):
    """Parameters of adversarial unlearning.

    Attributes:
        radius: of the perturbations, as a share of the median distance of two rows.
        epochs: passes over the clean rows, at least.
        least_batches: batches in all, at least: few rows are passed over more often.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
    """

    radius: float = 0.3
    epochs: int = 10
    least_batches: int = 160
    batch_size: int = 128
    learning_rate: float = 1e-3


@mitigation(
    Spec(
        id="RDN-POI-103",
        name="trigger-unlearning",
        threat="poisoning",
        title="Adversarial unlearning of triggers, with a few clean rows",
        source="Zeng et al. 2022, ICLR, section 3; Shafahi et al. 2020, AAAI, algorithm 3",
        needs=("gradients", "trainable"),
        data=("reference",),
        cost="seconds",
        references=("arxiv:2110.03735", "arxiv:1811.11304", "atlas:AML.M0003"),
        default=False,
    )
)
class TriggerUnlearning:
    """Teaches the network on a few clean rows that nothing added to all of them leads to a class.

    What it does:
        For each class one perturbation, the same for every row and within a Euclidean ball, learns to lead rows to the
        class, while the network learns the true labels of rows with and without it.

    Why it helps:
        A trigger is such a perturbation. What it stands on is unlearnt without anybody knowing it, the training rows,
        or whether there is one.

    Shapes:
        reference: (n, …) floating point, (n,) classes; clean rows, some hundreds or more.

    Units:
        ``radius`` is a share of the median distance of two rows.

    Cost:
        ``epochs`` passes of about three gradients over the clean rows.

    Sources:
        Zeng, Chen, Park, Mao, Jin & Jia 2022, "Adversarial unlearning of backdoors via implicit hypergradient";
        Shafahi, Najibi, Xu, Dickerson, Davis & Goldstein 2020, "Universal adversarial training".

    Limits:
        Poisoned rows among the reference rows teach the trigger again. A trigger larger than the radius, or one that
        is another for each row, is not reached. A point or two of accuracy are the price: the measured figures stand in
        docs/poisoning.md.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TriggerUnlearningParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: TriggerUnlearningParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the network after unlearning; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
            ShapeMismatch: model and rows do not fit together, or there are too few rows.
            UsageError: a parameter is out of range.
        """
        from redan.kernels.training.randomness import generator
        from redan.kernels.unlearning.universal import unlearning

        if not params.radius > 0 or params.least_batches < 0:
            raise UsageError(f"radius={params.radius:g}, least_batches={params.least_batches}; expected above 0")
        data = inputs.role("reference")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        a_pass = max(1, ceil(len(data) / params.batch_size))
        course = replace(course, epochs=max(params.epochs, ceil(params.least_batches / a_pass)))
        with lessons_of(subject, self.spec, seed):
            learner = pupil(subject, data)
            learner.net.requires_grad_(requires_grad=True)
            against = _perturbations(learner, data.bounds or subject.bounds, params.radius, seed)
            lesson = unlearning(learner.net, against, generator(seed, self.spec.id, "classes"))
            trained = taught(self.spec, learner, lesson, course, budget=budget, seed=seed, observe=observe)
        note = f"triggers unlearnt on {len(data)} clean rows, {told_of(trained, course, 'given', seed)}"
        return subject.rebuilt(learner.net, note=note)


def _perturbations(learner: Pupil, bounds: tuple[float, float] | None, share: float, seed: int) -> Perturbations:
    import torch

    from redan.kernels.odd_rows.repeated import typical_distance
    from redan.kernels.unlearning import universal

    if len(learner.inputs) < LEAST:
        raise ShapeMismatch(f"{len(learner.inputs)} clean rows; expected at least {LEAST}")
    flat = learner.inputs.flatten(1).cpu().numpy().astype(np.float32)
    learner.net.eval()
    with torch.no_grad():
        n_classes = learner.net(learner.inputs[:LEAST]).shape[1]
    held = torch.zeros(n_classes, *learner.inputs.shape[1:], dtype=learner.inputs.dtype, device=learner.inputs.device)
    low, high = bounds or (float(flat.min()), float(flat.max()))
    return universal.Perturbations(held=held, radius=share * typical_distance(flat, seed), bounds=(low, high))

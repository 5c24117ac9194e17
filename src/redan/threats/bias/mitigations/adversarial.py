"""Adversarial debiasing: the network is trained until its answers do not betray the group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.threats.bias.refitting import lesson_of

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.kernels.training.course import Batch
    from redan.subjects.teaching import Teachable


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialParams(core_params.Params):
    """Parameters of adversarial debiasing.

    Attributes:
        epochs: passes over the training rows.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
        strength: weight of the adversary in the network's gradient.
        constraint: what the adversary is told, and so what is made alike.
        start: weights that training starts from.
    """

    epochs: int = 20
    batch_size: int = 128
    learning_rate: float = 2e-3
    strength: float = 1.0
    constraint: Literal["equalised-odds", "demographic-parity"] = "equalised-odds"
    start: Literal["given", "scratch"] = "given"


@mitigation(
    Spec(
        id="RDN-BIA-105",
        name="adversarial-debiasing",
        threat="bias",
        title="Adversarial debiasing: answers that do not betray the group",
        source="Zhang, Lemoine & Mitchell 2018, AIES, section 3",
        needs=("trainable",),
        data=("train", "sensitive"),
        cost="minutes",
        references=("arxiv:1801.07593", "arxiv:1409.7495"),
    )
)
class Adversarial:
    """Trains the network against a small adversary that guesses the group from its answer.

    What it does:
        The adversary learns to tell the group from the probabilities, knowing the true class; the network learns the
        classes and gets the adversary's gradient reversed. The adversary is thrown away afterwards.

    Why it helps:
        Answers from which nobody can tell the group, the true class known, are answers with equalised odds. No
        sensitive column is needed when the model is asked.

    Shapes:
        train: (n, …) inputs, (n,) classes and (n,) groups by column, all sensitive columns together.

    Units:
        None.

    Cost:
        ``epochs`` of ordinary training. Answers cost what they cost before.

    Sources:
        Zhang, Lemoine & Mitchell 2018, "Mitigating unwanted biases with adversarial learning"; Ganin & Lempitsky 2015
        for the reversal of the gradient.

    Limits:
        Training of two opponents can swing: look at the gap after it, not at the strength. A group of few rows teaches
        the adversary little.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = AdversarialParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: AdversarialParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the trained subject; the one given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
            UsageError: a parameter that means nothing, or no sensitive column was named.
            ShapeMismatch: model and data do not fit together.
        """
        import torch

        from redan.kernels.fairness.adversary import Duel, seeded
        from redan.kernels.training.randomness import generator
        from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of

        if not params.strength > 0:
            raise UsageError(f"strength is {params.strength:g}; expected a positive number")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        lesson = lesson_of(subject, inputs, budget)
        with lessons_of(subject, self.spec, seed):
            learner = pupil(subject, lesson.data, params.start)
            groups = torch.as_tensor(lesson.groups.codes.astype(np.int64), device=learner.labels.device)
            k = int(learner.net(learner.inputs[:1]).shape[1])
            duel = seeded(
                Duel(
                    learner.net,
                    n_classes=k,
                    n_groups=len(lesson.groups.levels),
                    told_class=params.constraint == "equalised-odds",
                ),
                generator(seed, self.spec.id, "adversary"),
            ).to(learner.inputs.device, learner.inputs.dtype)

            def loss(batch: Batch) -> Any:
                # the adversary must know something before it is worth defeating
                strength = params.strength * min(1.0, 2 * batch.share)
                return duel.loss(batch.inputs, batch.labels, groups[batch.rows], strength)

            trained = taught(
                self.spec, replace(learner, net=duel), loss, course, budget=budget, seed=seed, observe=observe
            )
        note = f"{params.constraint} against an adversary of strength {params.strength:g}"
        made: Subject = subject.rebuilt(duel.net, note=f"{note}, {told_of(trained, course, params.start, seed)}")
        return made

"""Adversarial querying: a start for learning from a few rows, so that what is learnt withstands attacks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent, UsageError
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.subjects.teaching import course_of, lessons_of, pupil, told_of, watch_of
from redan.threats.evasion.setting import ball_of, setting

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.kernels.attacks.ball import Ball
    from redan.kernels.training.querying import Querying
    from redan.subjects.teaching import Teachable


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialQueryingParams(core_params.Params):
    """Parameters of adversarial querying.

    Attributes:
        norm: norm of the perturbation to withstand.
        eps: its radius on the inputs' own scale; the usual one for the norm when absent; 0 attacks nothing.
        ways: classes in an episode; the first outputs of the model stand for them.
        shots: rows of each class to learn from.
        queries: rows of each class to be asked about.
        inner_steps: gradient steps on the shots.
        inner_rate: their length.
        second_order: know how the steps depend on the start; exact, at about twice the cost.
        steps: attack steps on the queries.
        epochs: rounds of 20 episodes.
        batch_size: episodes for each step of the shared weights.
        learning_rate: Adam's, at its highest.
        start: train on from the weights given, or from fresh ones.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    ways: int = 2
    shots: int = 5
    queries: int = 10
    inner_steps: int = 5
    inner_rate: float = 0.4
    second_order: bool = True
    steps: int = 3
    epochs: int = 40
    batch_size: int = 4
    learning_rate: float = 1e-3
    start: Literal["given", "scratch"] = "given"


@mitigation(
    Spec(
        id="RDN-EVA-107",
        name="adversarial-querying",
        threat="evasion",
        title="Meta-learning on attacked queries, for models that learn from a few rows",
        source="Goldblum, Fowl & Goldstein 2020, NeurIPS, algorithm 2",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:1910.00982", "arxiv:1703.03400", "atlas:AML.M0003"),
        default=False,
    )
)
class AdversarialQuerying:
    """Trains a copy of the model to be the start from which a few gradient steps on a few rows lead to robustness.

    What it does:
        Each episode takes a few classes of the training data and numbers them anew. A few gradient steps on the shots
        adapt the weights; the queries are attacked with the adapted weights, and what they say goes to the shared
        weights. Shots are never attacked, so that whoever adapts the model later needs no attack.

    Why it helps:
        Adversarial training of the few rows at hand does not generalise; a robust start does, to classes that were
        never seen.

    Shapes:
        train: (n, …) floating point inside the bounds, (n,) classes, at least ``ways`` of them.

    Units:
        ε on the inputs' own scale.

    Cost:
        For each episode ``inner_steps`` gradients on the shots and ``steps + 1`` on the queries.

    Sources:
        Goldblum, Fowl & Goldstein 2020, "Adversarially robust few-shot learning: a meta-learning approach"; Finn,
        Abbeel & Levine 2017, "Model-agnostic meta-learning".

    Limits:
        The result is a start, no classifier: measure it with `redan.kernels.training.fewshot.measure` on classes held
        back, never by its answers as it stands.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = AdversarialQueryingParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: AdversarialQueryingParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return a trained copy; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first round was over.
            UsageError: too few classes or rows for an episode.
        """
        import torch

        from redan.kernels.training.querying import query

        data = inputs.role("train")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        with lessons_of(subject, self.spec, seed):
            # outputs stand for the classes of an episode, so there may be fewer than the data have
            learner = pupil(subject, replace(data, y=np.zeros_like(data.y)), params.start)
            labels = torch.as_tensor(np.asarray(data.y, np.int64))
            ball = None if params.eps == 0 else ball_of(setting(subject, data, params.norm, params.eps))
            plan = _plan(params, ball)
            observe.started(self.spec.name, course.epochs)
            trained = query(
                learner.net,
                learner.inputs,
                labels,
                plan,
                course,
                seed=derive(seed, self.spec.id),
                watch=watch_of(self.spec, budget, observe),
            )
        if trained.epochs == 0:
            raise BudgetSpent(f"{self.spec.name} did not finish its first round: {trained.reason}")
        observe.finished(self.spec.name, trained.reason or "")
        attacked = f"{ball.norm} {ball.eps:g}" if ball else "not attacked"
        note = f"adversarial querying, {params.ways} ways, {params.shots} shots, {attacked}"
        return subject.rebuilt(learner.net, note=f"{note}, {told_of(trained, course, params.start, seed)}")


def _plan(params: AdversarialQueryingParams, ball: Ball | None) -> Querying:
    from redan.kernels.training.adaptation import Adaptation
    from redan.kernels.training.adversary import Strength
    from redan.kernels.training.episodes import Task
    from redan.kernels.training.querying import Querying

    if params.ways < 2 or params.shots < 1 or params.queries < 1 or params.inner_steps < 0:
        raise UsageError(
            f"ways={params.ways}, shots={params.shots}, queries={params.queries}, inner_steps={params.inner_steps}; "
            "expected at least two ways, a shot and a query",
        )
    return Querying(
        task=Task(ways=params.ways, shots=params.shots, queries=params.queries),
        adaptation=Adaptation(
            ways=params.ways, steps=params.inner_steps, rate=params.inner_rate, second_order=params.second_order
        ),
        ball=ball,
        strength=Strength.usual(params.steps),
    )

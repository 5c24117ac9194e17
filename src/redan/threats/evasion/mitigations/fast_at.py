"""Fast adversarial training: one step from a random start, with a guard against its known way to fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.probe import Spec
from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of
from redan.threats.evasion.guarding import apart, guarding
from redan.threats.evasion.setting import ball_of, setting

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.subjects.teaching import Teachable


@dataclass(frozen=True, slots=True, kw_only=True)
class FastAtParams(core_params.Params):
    """Parameters of fast adversarial training.

    Attributes:
        norm: norm of the perturbation to withstand.
        eps: its radius on the inputs' own scale; the usual one for the norm when absent.
        epochs: passes over the training data.
        length: length of the step over eps.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
        start: train on from the weights given, or from fresh ones.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    epochs: int = 10
    length: float = 1.25
    batch_size: int = 256
    learning_rate: float = 3e-3
    start: Literal["given", "scratch"] = "given"


@mitigation(
    Spec(
        id="RDN-EVA-102",
        name="fast-at",
        threat="evasion",
        title="Fast adversarial training with a guard against catastrophic overfitting",
        source="Wong, Rice & Kolter 2020, ICLR, algorithm 3 and section 5.4",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:2001.03994", "atlas:AML.M0003"),
        default=False,
    )
)
class FastAt:
    """Trains a copy of the model on single-step attacks from random starts.

    What it does:
        For each batch one step of the sign of the gradient (for L2 its direction) from a random point of the ball.
        Twice an epoch a five-step attack on rows held out (128, or a fifth of few) tells whether the model still
        withstands more than the one step. When that accuracy falls by 15 points the weights of the last good moment
        come back, and from there each batch gets one more step.

    Why it helps:
        It is the cheapest adversarial training. Unguarded it may end with a model that withstands nothing but the
        single step it was trained with.

    Shapes:
        train: (n, …) floating point inside the bounds, (n,) classes.

    Units:
        ε on the inputs' own scale.

    Cost:
        About twice ordinary training; three times after a collapse.

    Sources:
        Wong, Rice & Kolter 2020, "Fast is better than free: revisiting adversarial training", algorithm 3.

    Limits:
        Weaker than several steps, or than one that goes on from epoch to epoch (RDN-EVA-101), at large ε.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = FastAtParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: FastAtParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return a trained copy; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
            ShapeMismatch: fewer than two rows.
        """
        from torch.nn import functional

        from redan.kernels.training.adversary import Adversary, Strength
        from redan.kernels.training.randomness import generator

        data = inputs.role("train")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        with lessons_of(subject, self.spec, seed):
            where = setting(subject, data, params.norm, params.eps)
            learner, held = apart(pupil(subject, data, params.start), self.spec, seed)
            draws = generator(seed, self.spec.id, "attack")
            foe = Adversary(learner.net, ball_of(where), Strength.usual(1, length=params.length), draws)
            guard = guarding(foe, learner, held, ball_of(where), course, self.spec, seed)
            trained = taught(
                self.spec,
                learner,
                lambda batch: functional.cross_entropy(learner.net(foe.worst(batch)), batch.labels),
                course,
                budget=budget,
                seed=seed,
                observe=observe,
                after_batch=guard.after_batch(observe),
            )
        note = f"fast adversarial training, {where.norm} {where.eps:g}, {foe.gradients} gradients of inputs"
        note += f", {guard.collapses} collapses undone" if guard.collapses else ""
        return subject.rebuilt(learner.net, note=f"{note}, {told_of(trained, course, params.start, seed)}")

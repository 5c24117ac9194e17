"""Training with dropped values: no single path through the network may be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.subjects.teaching import Teachable

_EXAMPLES = 2
"""Rows that tell which layers are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropoutParams(core_params.Params):
    """Parameters of dropout.

    Attributes:
        share: of the values that are dropped, in [0, 1).
        epochs: passes over the training data.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
        start: train on from the weights given, or from fresh ones.
    """

    share: float = 0.3
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 3e-3
    start: Literal["given", "scratch"] = "given"


@mitigation(
    Spec(
        id="RDN-EVA-123",
        name="dropout",
        threat="evasion",
        title="Training with dropout between the layers",
        source="Srivastava et al. 2014, JMLR, section 4",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="seconds",
        references=("arxiv:1207.0580",),
        default=False,
    )
)
class Dropout:
    """Trains a copy of the network in which values between layers are dropped at random.

    What it does:
        While it is trained, a share of what goes into every dense or convolutional layer but the first is set to zero.
        The layers are found by what one batch calls, so activations may be modules or functions. Nothing of it is left
        in the network that comes out.

    Why it helps:
        It prevents overfitting. As a defence it is an alternative to be measured: alone it seldom withstands an attack.

    Shapes:
        train: (n, …) floating point, (n,) classes.

    Units:
        A share of the values.

    Cost:
        As ordinary training.

    Sources:
        Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, "Dropout: a simple way to prevent neural
        networks from overfitting", section 4.

    Limits:
        Dropout inside attention and recurrent layers is their own affair. Dropping values in use, too, would be a
        random model, which hides its gradients; this does not.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DropoutParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: DropoutParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return a trained copy; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
            UsageError: the share is none, or the network has nothing to drop between layers.
        """
        from redan.kernels.training.inserted import dropout
        from redan.kernels.training.penalties import smoothed

        if not 0 <= params.share < 1:
            raise UsageError(f"share is {params.share:g}; expected a number from 0 up to, not including, 1")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        with lessons_of(subject, self.spec, seed):
            learner = pupil(subject, inputs.role("train"), params.start)
            with dropout(learner.net, learner.inputs[:_EXAMPLES], params.share) as layers:
                lesson = smoothed(learner.net, 0.0)
                trained = taught(self.spec, learner, lesson, course, budget=budget, seed=seed, observe=observe)
        note = f"training with dropout {params.share:g} before {layers} layers"
        return subject.rebuilt(learner.net, note=f"{note}, {told_of(trained, course, params.start, seed)}")

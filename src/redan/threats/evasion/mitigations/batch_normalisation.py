"""Training with batch normalisation that is folded into the weights afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
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
class BatchNormalisationParams(core_params.Params):
    """Parameters of batch normalisation.

    Attributes:
        epochs: passes over the training data.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
        start: train on from the weights given, or from fresh ones.
    """

    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 3e-3
    start: Literal["given", "scratch"] = "given"


@mitigation(
    Spec(
        id="RDN-EVA-124",
        name="batch-normalisation",
        threat="evasion",
        title="Training with batch normalisation between the layers",
        source="Ioffe & Szegedy 2015, ICML, algorithms 1 and 2",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="seconds",
        references=("arxiv:1502.03167", "arxiv:1905.02161"),
        default=False,
    )
)
class BatchNormalisation:
    """Trains a copy of the network whose layers' outputs are normalised over the batch.

    What it does:
        While it is trained, what comes out of every dense or convolutional layer but the last is normalised over the
        batch. In use that is a linear map, which is folded into the weights before it: the network that comes out has
        the same build and the same latency.

    Why it helps:
        It makes training faster and steadier. As a defence it is an alternative to be measured: studies found that it
        may make a network easier to turn.

    Shapes:
        train: (n, …) floating point, (n,) classes.

    Units:
        None.

    Cost:
        Somewhat more than ordinary training.

    Sources:
        Ioffe & Szegedy 2015, "Batch normalization: accelerating deep network training by reducing internal covariate
        shift", algorithms 1 and 2; Galloway, Golubeva, Tanay, Moussa & Taylor 2019, "Batch normalization is a cause of
        adversarial vulnerability".

    Limits:
        Networks that normalise batches already are refused, as are dense layers over sequences. Layers whose weights
        may not change are left alone.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = BatchNormalisationParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: BatchNormalisationParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return a trained copy; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
            UsageError: the network normalises batches already, or has no layer for it.
        """
        from redan.kernels.training.inserted import batch_normalisation
        from redan.kernels.training.penalties import smoothed

        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        with lessons_of(subject, self.spec, seed):
            learner = pupil(subject, inputs.role("train"), params.start)
            with batch_normalisation(learner.net, learner.inputs[:_EXAMPLES]) as layers:
                lesson = smoothed(learner.net, 0.0)
                trained = taught(self.spec, learner, lesson, course, budget=budget, seed=seed, observe=observe)
        note = f"training with batch normalisation after {layers} layers, folded"
        return subject.rebuilt(learner.net, note=f"{note}, {told_of(trained, course, params.start, seed)}")

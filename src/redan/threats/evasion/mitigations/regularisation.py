"""Training with a penalty instead of an attack: what makes answers change slowly makes them harder to turn."""

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
    from redan.kernels.training.course import Lesson
    from redan.subjects.teaching import Pupil, Teachable

_USUAL = {"input-gradient": 1.0, "spectral": 0.01, "weight-decay": 0.1, "label-smoothing": 0.2}
"""Strength of each penalty when none is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegularisationParams(core_params.Params):
    """Parameters of regularised training.

    Attributes:
        penalty: what is penalised: the loss's gradient by the input, the spectral norm of each layer, the size of the
            weights, or certainty.
        strength: its weight (for labels the share spread over all classes); the usual one for the penalty when absent.
        epochs: passes over the training data.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
        start: train on from the weights given, or from fresh ones.
    """

    penalty: Literal["input-gradient", "spectral", "weight-decay", "label-smoothing"] = "input-gradient"
    strength: float | None = None
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 3e-3
    start: Literal["given", "scratch"] = "given"


@mitigation(
    Spec(
        id="RDN-EVA-104",
        name="regularisation",
        threat="evasion",
        title="Training with a penalty on steep answers",
        source="Ross & Doshi-Velez 2018, AAAI, equation 6; Yoshida & Miyato 2017, algorithm 1",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="seconds",
        references=("arxiv:1711.09404", "arxiv:1705.10941", "arxiv:1512.00567", "arxiv:1711.05101"),
        default=False,
    )
)
class Regularisation:
    """Trains a copy of the model with one penalty, as an alternative to be measured.

    What it does:
        Adds to the cross-entropy the squared gradient by the input, or the squared spectral norm of each weight matrix
        (a bound of the Lipschitz constant is their product); or lets weights decay, or spreads labels over classes.

    Why it helps:
        It costs little and its price in accuracy is small; whether it helps at the ε that matters is what the
        measurement afterwards says. A small perturbation it often does withstand, a large one hardly ever.

    Shapes:
        train: (n, …) floating point, (n,) classes.

    Units:
        The strength of a gradient penalty goes with the square of the inputs' scale.

    Cost:
        As ordinary training; three times that for input gradients.

    Sources:
        Ross & Doshi-Velez 2018, "Improving the adversarial robustness and interpretability of deep neural networks by
        regularizing their input gradients"; Yoshida & Miyato 2017, "Spectral norm regularization for improving the
        generalizability of deep learning"; Szegedy et al. 2016, "Rethinking the inception architecture for computer
        vision", section 7; Loshchilov & Hutter 2019, "Decoupled weight decay regularization".

    Limits:
        Dropout and batch normalisation are mitigations of their own (RDN-EVA-123, RDN-EVA-124). Smooth labels may make
        gradients small without making the model robust: judge it by attacks on the margin.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = RegularisationParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: RegularisationParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return a trained copy; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
        """
        strength = _strength(params)
        course = course_of(
            epochs=params.epochs,
            batch_size=params.batch_size,
            learning_rate=params.learning_rate,
            weight_decay=strength if params.penalty == "weight-decay" else 0.0,
        )
        with lessons_of(subject, self.spec, seed):
            learner = pupil(subject, inputs.role("train"), params.start)
            lesson = _lesson(learner, params.penalty, strength, seed)
            trained = taught(self.spec, learner, lesson, course, budget=budget, seed=seed, observe=observe)
        note = f"training with {params.penalty} {strength:g}, {told_of(trained, course, params.start, seed)}"
        return subject.rebuilt(learner.net, note=note)


def _strength(params: RegularisationParams) -> float:
    strength = _USUAL[params.penalty] if params.strength is None else params.strength
    if not strength >= 0 or (params.penalty == "label-smoothing" and strength > 1):
        raise UsageError(f"strength is {strength:g}; expected a number from 0, for label-smoothing up to 1")
    return strength


def _lesson(learner: Pupil, penalty: str, strength: float, seed: int) -> Lesson:
    from redan.kernels.training.penalties import flat_inputs, smoothed, spectral
    from redan.kernels.training.randomness import generator

    if penalty == "input-gradient":
        return flat_inputs(learner.net, strength)
    if penalty == "spectral":
        return spectral(learner.net, strength, generator(seed, Regularisation.spec.id, "spectral"))
    return smoothed(learner.net, strength if penalty == "label-smoothing" else 0.0)

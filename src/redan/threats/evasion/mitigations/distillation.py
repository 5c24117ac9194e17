"""Knowledge distillation: a smaller, faster student that answers as the model does, under attack too where wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of
from redan.threats.evasion.setting import ball_of, setting

if TYPE_CHECKING:
    from torch import nn

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.kernels.training.adversary import Adversary
    from redan.subjects.teaching import Pupil, Teachable

_EXAMPLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationParams(core_params.Params):
    """Parameters of distillation.

    Attributes:
        width: share of each layer's outputs that the student keeps.
        temperature: what logits are divided by while the student learns.
        weight: share of the teacher's answers in the loss; the labels have the rest.
        steps: attack steps on the student for each batch; 0 distils accuracy only.
        norm: norm of the perturbation to withstand, where there are steps.
        eps: its radius on the inputs' own scale; the usual one for the norm when absent.
        epochs: passes over the training data.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
    """

    width: float = 0.5
    temperature: float = 3.0
    weight: float = 0.9
    steps: int = 0
    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    epochs: int = 8
    batch_size: int = 128
    learning_rate: float = 3e-3


@mitigation(
    Spec(
        id="RDN-EVA-105",
        name="distillation",
        threat="evasion",
        title="Distillation to a smaller, faster model",
        source="Hinton, Vinyals & Dean 2015, section 2; Goldblum et al. 2020, AAAI, equation 4",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:1503.02531", "arxiv:1905.09747"),
        default=False,
    )
)
class Distillation:
    """Trains a narrower network of the same build on what the model answers.

    What it does:
        Every dense, convolutional and normalising layer keeps a share of its outputs; fresh weights learn the model's
        softened answers and the labels. With attack steps the student learns at its own worst points within ε what
        the model answers at the inputs.

    Why it helps:
        A hardened model that is too slow is not used. The student costs about the square of its width, and keeps most
        of what its teacher knows; the teacher should be the hardened model.

    Shapes:
        train: (n, …) floating point, (n,) classes.

    Units:
        ε on the inputs' own scale.

    Cost:
        About that of training the student, times ``steps + 1``, and one pass of the teacher.

    Sources:
        Hinton, Vinyals & Dean 2015, "Distilling the knowledge in a neural network"; Goldblum, Fowl, Feizi & Goldstein
        2020, "Adversarially robust distillation".

    Limits:
        Layers with groups, attention and embeddings cannot be made narrower by rule, nor can a forward that writes
        widths out: then give the student to ``distilled``. Distilling accuracy alone gives no robustness.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DistillationParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: DistillationParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the student; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
            UsageError: no narrower network can be derived.
        """
        return distilled(subject, inputs.role("train"), params, budget=budget, seed=seed, observe=observe)


def distilled(
    subject: Teachable,
    data: Dataset,
    params: DistillationParams,
    *,
    budget: Budget,
    seed: int,
    observe: Observer,
    student: nn.Module | None = None,
) -> Subject:
    """Teach a student what the subject answers.

    Args:
        subject: the teacher.
        data: what it is asked about.
        params: see there.
        budget: asked before each batch.
        seed: root seed.
        observe: told about progress.
        student: a network from inputs on the owner's scale to (n, classes) logits, which is trained in place; derived
            when absent.

    Raises:
        BudgetSpent: before the first epoch was over.
        UsageError: no narrower network can be derived, or a parameter is out of range.
    """
    from redan.kernels.training.distil import answers, distil
    from redan.kernels.training.students import narrower, weights

    spec = Distillation.spec
    _check(params)
    course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
    with lessons_of(subject, spec, seed):
        teacher = pupil(subject, data)
        teacher.net.eval()
        before = weights(teacher.net)
        net = student or narrower(teacher.net, teacher.inputs[:1].repeat_interleave(_EXAMPLES, 0), params.width)
        learner = replace(teacher, net=net)
        told = answers(teacher.net, teacher.inputs, params.temperature)
        lesson = distil(
            net,
            told,
            temperature=params.temperature,
            weight=params.weight,
            adversary=_adversary(subject, data, learner, params, seed) if params.steps else None,
        )
        trained = taught(spec, learner, lesson, course, budget=budget, seed=seed, observe=observe)
    note = f"distillation from {before} to {weights(net)} weights, {told_of(trained, course, 'scratch', seed)}"
    return subject.rebuilt(net, note=note)


def _check(params: DistillationParams) -> None:
    if not 0 < params.width <= 1 or not params.temperature > 0 or not 0 <= params.weight <= 1 or params.steps < 0:
        raise UsageError(
            f"width={params.width:g}, temperature={params.temperature:g}, weight={params.weight:g}, "
            f"steps={params.steps}; expected shares of 1, a temperature above zero and no negative steps",
        )


def _adversary(subject: Subject, data: Dataset, learner: Pupil, params: DistillationParams, seed: int) -> Adversary:
    from redan.kernels.training.adversary import Adversary, Strength, offsets
    from redan.kernels.training.randomness import generator

    draws = generator(seed, Distillation.spec.id, "attack")
    ball = ball_of(setting(subject, data, params.norm, params.eps))
    kept = offsets(learner.inputs, ball, draws)
    return Adversary(learner.net, ball, Strength.usual(params.steps), draws, kept)

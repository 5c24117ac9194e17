"""Defensive distillation: a known defence that hides gradients rather than removing adversarial examples."""

from __future__ import annotations

from dataclasses import dataclass, replace
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

WARNING = "it hides gradients and has been broken; judge it by the masking verdict and by attacks on the margin"
"""What everybody must be told who uses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefensiveDistillationParams(core_params.Params):
    """Parameters of defensive distillation.

    Attributes:
        temperature: what logits are divided by while teacher and student learn; in use it is 1.
        epochs: passes over the training data, for the teacher and for the student each.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
        start: both train on from the weights given, or from fresh ones.
    """

    temperature: float = 20.0
    epochs: int = 5
    batch_size: int = 256
    learning_rate: float = 3e-3
    start: Literal["given", "scratch"] = "scratch"


@mitigation(
    Spec(
        id="RDN-EVA-106",
        name="defensive-distillation",
        threat="evasion",
        title="Defensive distillation, which hides gradients",
        source="Papernot et al. 2016, IEEE S&P, sections III.B and IV",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:1511.04508", "arxiv:1608.04644", "arxiv:1802.00420"),
        default=False,
    )
)
class DefensiveDistillation:
    """Trains the model twice at a high temperature, the second time on the first one's answers.

    What it does:
        A teacher of the same build learns the labels with its logits divided by the temperature; a student of the same
        build learns the teacher's softened answers at that temperature. In use the temperature is 1, so that the
        logits are larger by that factor and nearly every answer is certain.

    Why it helps:
        It hardly does, and is here because it is still used and cited: gradients of the cross-entropy vanish in
        floating point, so that attacks on it fail, while attacks on the margin of the logits succeed as before. The
        masking verdict tells the one from the other.

    Shapes:
        train: (n, …) floating point, (n,) classes.

    Units:
        The temperature divides logits.

    Cost:
        Twice ordinary training.

    Sources:
        Papernot, McDaniel, Wu, Jha & Swami 2016, "Distillation as a defense to adversarial perturbations against deep
        neural networks"; broken by Carlini & Wagner 2017, "Towards evaluating the robustness of neural networks",
        section VIII.

    Limits:
        It hides gradients and has been broken: a robustness figure of it means nothing without the masking verdict.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = DefensiveDistillationParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: DefensiveDistillationParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the student; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch of the student was over.
            UsageError: the temperature is not above zero.
        """
        from redan.kernels.training.distil import answers, distil, heated

        if not params.temperature > 0:
            raise UsageError(f"temperature is {params.temperature:g}; expected a number above zero")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        observe.note(f"defensive distillation: {WARNING}")
        with lessons_of(subject, self.spec, seed):
            teacher = pupil(subject, inputs.role("train"), params.start)
            lesson = heated(teacher.net, params.temperature)
            taught(self.spec, teacher, lesson, course, budget=budget, seed=seed, observe=observe, stage="teacher")
            student = replace(teacher, net=pupil(subject, inputs.role("train"), params.start).net)
            told = answers(teacher.net, teacher.inputs, params.temperature)
            lesson = distil(student.net, told, temperature=params.temperature, weight=1.0)
            trained = taught(
                self.spec, student, lesson, course, budget=budget, seed=seed, observe=observe, stage="student"
            )
        note = f"defensive distillation at {params.temperature:g}, {told_of(trained, course, params.start, seed)}"
        return subject.rebuilt(student.net, note=f"{note}; {WARNING}")

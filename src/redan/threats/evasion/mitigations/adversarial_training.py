"""Adversarial training: the model learns on its own worst inputs."""

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
    from redan.kernels.training.adversary import Adversary
    from redan.subjects.teaching import Pupil, Teachable
    from redan.threats.evasion.measured import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialTrainingParams(core_params.Params):
    """Parameters of adversarial training.

    Attributes:
        norm: norm of the perturbation to withstand.
        eps: its radius on the inputs' own scale; the usual one for the norm when absent.
        epochs: passes over the training data.
        steps: attack steps for each batch.
        length: length of a step over eps; the usual one for the number of steps when absent.
        keep: go on from what the last epoch found for each row; needs the memory of the training data once more.
        easy: rows whose class has at least this probability after a step take no further one; 1 lets all take all.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
        start: train on from the weights given, or from fresh ones.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    epochs: int = 10
    steps: int = 1
    length: float | None = None
    keep: bool = True
    easy: float = 1.0
    batch_size: int = 256
    learning_rate: float = 2e-3
    start: Literal["given", "scratch"] = "given"


@mitigation(
    Spec(
        id="RDN-EVA-101",
        name="adversarial-training",
        threat="evasion",
        title="Adversarial training by projected gradient descent",
        source="Madry et al. 2018, ICLR, equation 2.1 and section 4",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:1706.06083", "arxiv:1912.11969", "atlas:AML.M0003"),
    )
)
class AdversarialTraining:
    """Trains a copy of the model on the worst inputs within ε.

    What it does:
        For each batch an attack finds inputs with a high loss inside the ball and the box; the model learns on them.
        By default the attack of one epoch goes on where that of the epoch before ended, so that one step a batch is
        as good as several from a random start; ``keep=false steps=7`` is the recipe of the paper. The radius grows
        over the first tenth, the learning rate rises and falls, and the average of the last weights is the result.
        Twice an epoch a five-step attack on rows held out (128, or a fifth of few) tells whether the model still
        withstands more than what it is trained with; after a fall of 15 points the last good weights come back and
        each batch gets one more step.

    Why it helps:
        It is the defence that has withstood adaptive attacks best, and the price is visible: clean accuracy and
        training time.

    Shapes:
        train: (n, …) floating point inside the bounds, (n,) classes.

    Units:
        ε on the inputs' own scale.

    Cost:
        About ``steps + 1`` times ordinary training; ``easy`` below 1 saves steps where nothing is to be learnt.

    Sources:
        Madry, Makelov, Schmidt, Tsipras & Vladu 2018, "Towards deep learning models resistant to adversarial
        attacks", equation 2.1; Zheng, Zhang, Gu, Lee & Prakash 2020, "Efficient adversarial training with
        transferable adversarial examples", section 3.2 (attacks that go on).

    Limits:
        It helps against the norm and radius it was trained for, and usually costs some clean accuracy. Attacks that go
        on need the same rows each epoch, so nothing is augmented.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = AdversarialTrainingParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: AdversarialTrainingParams,
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

        data = inputs.role("train")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        with lessons_of(subject, self.spec, seed):
            where = setting(subject, data, params.norm, params.eps)
            learner, held = apart(pupil(subject, data, params.start), self.spec, seed)
            foe = _adversary(learner, where, params, seed)
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
        steps = f"{params.steps} {'kept' if params.keep else 'fresh'} steps"
        note = f"adversarial training, {where.norm} {where.eps:g}, {steps}, {foe.gradients} gradients of inputs"
        note += f", {guard.collapses} collapses undone" if guard.collapses else ""
        return subject.rebuilt(learner.net, note=f"{note}, {told_of(trained, course, params.start, seed)}")


def _adversary(learner: Pupil, where: Setting, params: AdversarialTrainingParams, seed: int) -> Adversary:
    from redan.kernels.training.adversary import Adversary, Strength, offsets
    from redan.kernels.training.randomness import generator

    draws = generator(seed, AdversarialTraining.spec.id, "attack")
    ball = ball_of(where)
    strength = Strength.usual(params.steps, length=params.length, easy=params.easy)
    kept = offsets(learner.inputs, ball, draws) if params.keep else None
    return Adversary(learner.net, ball, strength, draws, kept)

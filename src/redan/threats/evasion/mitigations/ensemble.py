"""Several networks instead of one: what turns one of them need not turn the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import UsageError
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of
from redan.threats.evasion.setting import ball_of, setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.kernels.ensembles.network import Ensemble as Joined
    from redan.kernels.training.course import Batch
    from redan.subjects.teaching import Pupil, Teachable
    from redan.threats.evasion.measured import Setting

_MOST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleParams(core_params.Params):
    """Parameters of an ensemble.

    Attributes:
        members: networks.
        answer: the mean of their logits, or those of one that is drawn at each call.
        learn: on the inputs as they are, or on worst inputs of the whole ensemble.
        diversity: price on members whose gradients by the input point the same way.
        norm: norm of the worst inputs.
        eps: their radius on the inputs' own scale; the usual one for the norm when absent.
        epochs: passes over the training data.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
    """

    members: int = 3
    answer: Literal["mean", "random"] = "mean"
    learn: Literal["clean", "worst"] = "worst"
    diversity: float = 0.0
    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 2e-3


@mitigation(
    Spec(
        id="RDN-EVA-116",
        name="ensemble",
        threat="evasion",
        title="Ensemble of networks trained together",
        source="Kariyappa & Qureshi 2019, equations 4 and 5; Madry et al. 2018, equation 2.1",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:1901.09981", "arxiv:1706.06083", "arxiv:1706.04701", "atlas:AML.M0006"),
        default=False,
    )
)
class Ensemble:
    """Trains several copies of the network, from different weights, and lets them answer together.

    What it does:
        The first member starts from the weights given, every other from weights drawn anew. All learn on the same
        batches: on worst inputs of the whole ensemble, one step a batch that goes on from epoch to epoch, or on the
        inputs as they are. ``diversity`` adds the smooth maximum over pairs of the cosine between their gradients by
        the input. The answer is the mean of the logits, or with ``random`` the logits of one member drawn at each call.

    Why it helps:
        The mean of several networks errs less than one of them, with and without an attack. Members that are turned by
        the same changes add little; hence the price on that.

    Shapes:
        train: (n, …) floating point inside the bounds, (n,) classes.

    Units:
        ε on the inputs' own scale.

    Cost:
        ``members`` times the training, the memory and, with the mean, the latency of one; the price on diversity
        doubles the training again.

    Sources:
        Kariyappa & Qureshi 2019, "Improving adversarial robustness of ensembles with diversity training", equations 4
        and 5; He, Wei, Chen, Carlini & Song 2017, "Adversarial example defenses: ensembles of weak defenses are not
        strong".

    Limits:
        Members that learnt on clean inputs only fall together to an attack on their mean. A random member is no
        protection beyond that of the mean: judge it by the masking verdict, which attacks the expectation.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = EnsembleParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: EnsembleParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return the ensemble; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
            UsageError: fewer than two members, or a negative price.
        """
        from redan.kernels.ensembles.lessons import jointly
        from redan.kernels.ensembles.network import Ensemble as Joined

        _check(params)
        data = inputs.role("train")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        with lessons_of(subject, self.spec, seed):
            where = setting(subject, data, params.norm, params.eps)
            learner = pupil(subject, data)
            joined = Joined(_members(subject, learner, params.members))
            learner = replace(learner, net=joined)
            lesson = jointly(joined, _points(learner, joined, where, params, seed), params.diversity)
            trained = taught(self.spec, learner, lesson, course, budget=budget, seed=seed, observe=observe)
        answering = Joined(list(joined.members), answer=params.answer, seed=derive(seed, self.spec.id, "answers"))
        learnt = f"worst inputs of {where.norm} {where.eps:g}" if params.learn == "worst" else "clean inputs"
        note = f"{params.answer} of {params.members} members, {learnt}, diversity {params.diversity:g}"
        return subject.rebuilt(answering.eval(), note=f"{note}, {told_of(trained, course, 'given', seed)}")


def _check(params: EnsembleParams) -> None:
    if not 2 <= params.members <= _MOST or not params.diversity >= 0:
        told = f"members is {params.members} and diversity {params.diversity:g}"
        raise UsageError(f"{told}; expected 2 to {_MOST} members and a price from 0")


def _members(subject: Teachable, learner: Pupil, count: int) -> list[nn.Module]:
    from redan.kernels.training.fresh import fresh

    others = [fresh(subject.module).to(learner.inputs.device) for _ in range(count - 1)]
    return [learner.net, *others]


def _points(
    learner: Pupil, joined: Joined, where: Setting, params: EnsembleParams, seed: int
) -> Callable[[Batch], Tensor]:
    """What a batch is learnt on."""
    from redan.kernels.training.adversary import Adversary, Strength, offsets
    from redan.kernels.training.randomness import generator

    if params.learn == "clean":
        return lambda batch: batch.inputs
    draws = generator(seed, Ensemble.spec.id, "attack")
    ball = ball_of(where)
    return Adversary(joined, ball, Strength.usual(1), draws, offsets(learner.inputs, ball, draws)).worst

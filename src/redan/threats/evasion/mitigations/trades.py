"""TRADES: clean accuracy and stability in one objective, weighed by one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.probe import Spec
from redan.subjects.teaching import course_of, lessons_of, pupil, taught, told_of
from redan.threats.evasion.setting import ball_of, setting

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject
    from redan.subjects.teaching import Teachable


@dataclass(frozen=True, slots=True, kw_only=True)
class TradesParams(core_params.Params):
    """Parameters of TRADES.

    Attributes:
        norm: norm of the perturbation to withstand.
        eps: its radius on the inputs' own scale; the usual one for the norm when absent.
        beta: weight of stability beside clean accuracy; larger is more robust and less accurate.
        epochs: passes over the training data.
        steps: attack steps for each batch.
        keep: go on from what the last epoch found for each row; needs the memory of the training data once more.
        batch_size: rows in a batch.
        learning_rate: Adam's, at its highest.
        start: train on from the weights given, or from fresh ones.
    """

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    beta: float = 6.0
    epochs: int = 10
    steps: int = 2
    keep: bool = True
    batch_size: int = 256
    learning_rate: float = 3e-3
    start: Literal["given", "scratch"] = "given"


@mitigation(
    Spec(
        id="RDN-EVA-103",
        name="trades",
        threat="evasion",
        title="Adversarial training that weighs accuracy against stability",
        source="Zhang et al. 2019, ICML, equation 5 and algorithm 1",
        needs=("gradients", "trainable"),
        data=("train",),
        cost="minutes",
        references=("arxiv:1901.08573", "atlas:AML.M0003"),
        default=False,
    )
)
class Trades:
    """Trains a copy of the model to be right on the inputs and to answer alike within ε of them.

    What it does:
        The loss is the cross-entropy at the input plus β times the divergence between the answers there and at the
        point within ε where they differ most, which an attack of a few steps looks for.

    Why it helps:
        β chooses the place between accuracy and robustness, which plain adversarial training leaves to chance.

    Shapes:
        train: (n, …) floating point inside the bounds, (n,) classes.

    Units:
        ε on the inputs' own scale; β has none.

    Cost:
        About ``steps + 2`` times ordinary training.

    Sources:
        Zhang, Yu, Jiao, Xing, El Ghaoui & Jordan 2019, "Theoretically principled trade-off between robustness and
        accuracy", equation 5.

    Limits:
        Random starts are uniform in the ball instead of close to the input, and by default the attack goes on from
        epoch to epoch, as in RDN-EVA-101.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = TradesParams

    def apply(
        self,
        subject: Teachable,
        inputs: Inputs,
        params: TradesParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return a trained copy; the subject given stays as it was.

        Raises:
            BudgetSpent: before the first epoch was over.
        """
        from redan.kernels.training.adversary import Adversary, Strength, offsets
        from redan.kernels.training.randomness import generator
        from redan.kernels.training.trades import trades

        data = inputs.role("train")
        course = course_of(epochs=params.epochs, batch_size=params.batch_size, learning_rate=params.learning_rate)
        with lessons_of(subject, self.spec, seed):
            learner = pupil(subject, data, params.start)
            where = setting(subject, data, params.norm, params.eps)
            ball, draws = ball_of(where), generator(seed, self.spec.id, "attack")
            kept = offsets(learner.inputs, ball, draws) if params.keep else None
            foe = Adversary(learner.net, ball, Strength.usual(params.steps), draws, kept)
            trained = taught(
                self.spec,
                learner,
                trades(learner.net, foe, params.beta),
                course,
                budget=budget,
                seed=seed,
                observe=observe,
            )
        note = f"TRADES, {where.norm} {where.eps:g}, beta {params.beta:g}, {foe.gradients} gradients of inputs"
        return subject.rebuilt(learner.net, note=f"{note}, {told_of(trained, course, params.start, seed)}")

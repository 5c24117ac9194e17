"""A lower bound on a training's ε from a single training with canaries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import BudgetSpent, CapabilityMissing, ShapeMismatch, Skipped, UsageError
from redan.core.finding import Finding, Location, Quantity, Severity, Table
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.kernels.dp.audit import LEAST_CANARIES, Guesses, epsilon_shown, guess
from redan.kernels.draws import sample_keys, uniform
from redan.kernels.membership import loss_scores
from redan.kernels.statistics import clopper_pearson
from redan.subjects.recipes import Pace, recipe_of
from redan.threats.privacy.threat import THREAT
from redan.threats.privacy.victims import victims

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Scores, Subject

    class Scored(Subject, Scores):
        """A subject with scores."""


BATCH = 1024
MOST_CANARIES = 100_000
REMEDIES = (
    "train with differential privacy: redan harden --against privacy --mitigation dp-sgd",
    "test the training step itself with the probe dp-step: a bound above the claimed ε is a bug",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRunAuditParams(core_params.Params):
    """Parameters of the audit, all fixed before the training.

    Attributes:
        delta: the δ that is claimed; 0 for none.
        claimed_epsilon: the ε that is claimed at this δ; 0 for none.
        epochs: of the training, where the recipe is ours.
    """

    delta: float = 1e-5
    claimed_epsilon: float = 0.0
    epochs: int = 20


@probe(
    Spec(
        id="RDN-PRI-020",
        name="one-run-audit",
        threat="privacy",
        title="Lower bound on ε from one training with canaries",
        source="Steinke, Nasr & Jagielski 2023, algorithm 1 and theorem 5.2",
        needs=("scores",),
        data=("train", "canary"),
        cost="minutes",
        references=("atlas:AML.T0024.000", "arxiv:2305.08846"),
        default=False,
    )
)
class OneRunAudit:
    """Measures how much privacy a training loses at least, from a single training.

    What it measures:
        The largest ε that the guesses about canaries refute with 95 % confidence. A training with a smaller ε at this δ
        would let nobody guess so well. No guess better than a coin's gives 0, which proves nothing.

    Why it matters:
        A claimed ε below the bound is wrong: the implementation, the accounting or the sampling has a bug. Without a
        claim the bound says how far from private the training is.

    How:
        Each canary is included by the toss of a fair coin, and the model is trained once, by the owner's recipe, on the
        training data and the included canaries. The tenth of canaries with the least loss is guessed to be in, the
        tenth with the greatest to be out. How many are guessed follows from their number alone, before anything is
        seen.

    Shapes:
        train: (n, …) and canary: (m, …) inputs with their classes, m >= 10. Hundreds are needed to show an ε above 1.

    Units:
        ε, dimensionless.

    Error of the estimate:
        One-sided: a true ε is exceeded in at most 5 of 100 runs. Choosing the number of guesses afterwards, as a
        published tool does, raises false alarms from 5 to 38 of 100 (114 of 300).

    Cost:
        One training and one forward pass over the canaries.

    Sources:
        Steinke, Nasr & Jagielski 2023, "Privacy auditing with one (1) training run".

    Limits:
        It audits the training, not the weights that were given. A bound from outside with ordinary records is far below
        the true ε; mislabelled canaries show more. The recipe must not depend on the number of records.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = OneRunAuditParams

    def run(
        self,
        subject: Scored,
        inputs: Inputs,
        params: OneRunAuditParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Toss coins, train once, guess, and yield one finding."""
        _check(params)
        canaries = victims(inputs.role("canary"), MOST_CANARIES, least=LEAST_CANARIES)
        train = inputs.role("train")
        keys = sample_keys(seed, self.spec.id, canaries.indices)
        included = uniform(keys, (), stream=0) < 0.5
        try:
            recipe, told = recipe_of(subject, inputs, Pace(epochs=params.epochs))
        except CapabilityMissing as err:
            raise Skipped(f"no training to audit: {err.message}", hint=err.hint) from err
        if why := budget.stop():
            raise BudgetSpent(why)
        observe.started("one-run-audit", 2)
        together = _with(train, canaries.rows(included))
        model = recipe.fit(together, budget=budget, seed=derive(seed, self.spec.id), observe=observe)
        observe.advanced("one-run-audit", 1, 2, "trained")
        scores = _scores(model, canaries, budget)
        observe.finished("one-run-audit")
        yield _finding(subject, params, canaries, guess(scores, included), told)


def _check(params: OneRunAuditParams) -> None:
    if not 0 <= params.delta < 1:
        raise UsageError(f"delta is {params.delta:g}; expected 0 or a number below 1")
    if not params.claimed_epsilon >= 0:
        raise UsageError(f"claimed_epsilon is {params.claimed_epsilon:g}; expected 0 for none, or a number above")
    if params.epochs < 1:
        raise UsageError(f"epochs is {params.epochs}; expected at least 1")


def _with(train: Dataset, canaries: Dataset) -> Dataset:
    """Return the training data with canaries behind them.

    Raises:
        ShapeMismatch: they are of another shape or have classes that the training data do not know.
    """
    if train.x.shape[1:] != canaries.x.shape[1:] or not len(train):
        raise ShapeMismatch(
            f"canaries are of shape {canaries.x.shape[1:]}, {len(train)} training records of {train.x.shape[1:]}"
        )
    return replace(
        train,
        x=np.concatenate([train.x, canaries.x.astype(train.x.dtype)]),
        y=np.concatenate([train.y, canaries.y.astype(train.y.dtype)]),
        indices=np.concatenate([train.indices, train.indices.max() + 1 + np.arange(len(canaries))]),
        groups={},
    )


def _scores(model: Any, canaries: Dataset, budget: Budget) -> NDArray[np.float64]:
    if "scores" not in model.capabilities:
        raise CapabilityMissing(f"what the recipe trained ({model.ref.kind}) gives no scores")
    parts = []
    for start in range(0, len(canaries), BATCH):
        rows = canaries.rows(slice(start, start + BATCH))
        budget.charge(queries=len(rows))
        parts.append(loss_scores(model.scores(rows.x), np.asarray(rows.y), kind=model.score_kind))
    found = np.concatenate(parts)
    # a probability of 0 or of nothing at all ranks lowest
    return np.where(np.isnan(found), -np.inf, found)


def _finding(subject: Scored, params: OneRunAuditParams, canaries: Dataset, found: Guesses, told: str) -> Finding:
    shown = epsilon_shown(found, params.delta)
    bound = Quantity(
        name="epsilon_shown", value=shown, unit="epsilon", n=found.canaries, low=shown, high=shown, better="lower"
    )
    low, high = clopper_pearson(found.right, found.made)
    rate = Quantity(
        name="guesses_right",
        value=found.right / found.made,
        unit="fraction",
        n=found.made,
        low=low,
        high=high,
        better="lower",
    )
    refuted = bool(params.claimed_epsilon) and shown > params.claimed_epsilon
    claim = f"; the claimed {params.claimed_epsilon:g} is refuted" if refuted else ""
    nothing = "" if shown else "That shows no leak, and proves none absent. "
    return Finding(
        rule=OneRunAudit.spec.id,
        threat=OneRunAudit.spec.threat,
        subject=subject.ref.name,
        title=f"ε is at least {shown:.2f} at δ = {params.delta:g} (95 % confidence){claim}",
        severity=Severity.HIGH if refuted else THREAT.severity(bound),
        detail=(
            f"{found.right} of {found.made} guesses about {found.canaries} canaries were right. A training with a "
            f"smaller ε allows that in less than 5 of 100 runs. {nothing}"
            f"{told[:1].upper()}{told[1:]}."
        ),
        params=params.as_dict(),
        quantities=(bound, rate),
        tables=(_reach(found, params.delta),),
        locations=(Location(uri=canaries.name),),
        remedies=REMEDIES if shown else (),
        references=OneRunAudit.spec.references,
    )


def _reach(found: Guesses, delta: float) -> Table:
    """Return what more right guesses would have shown, so that a low bound is not taken for a private training."""
    counts = sorted({round(found.made * share) for share in (0.6, 0.7, 0.8, 0.9, 1.0)} | {found.right})
    rows = tuple((f"{v} of {found.made}", epsilon_shown(replace(found, right=v), delta)) for v in counts)
    return Table(name="epsilon_by_right_guesses", columns=("right guesses", "epsilon shown"), rows=rows)

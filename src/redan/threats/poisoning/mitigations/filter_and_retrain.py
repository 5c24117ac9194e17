"""Suspicious training rows are taken out, and the model is trained again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np

from redan.core import params as core_params
from redan.core.catalogue import mitigation
from redan.core.errors import BudgetSpent, Skipped, UsageError
from redan.core.probe import Spec
from redan.core.subject import require
from redan.subjects.recipes import Pace, recipe_of
from redan.threats.poisoning.layers import layer_columns, readable
from redan.threats.poisoning.probes.label_errors import suspects

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.budget import Budget
    from redan.core.inputs import Dataset, Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Subject, Trainable

FOLDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterAndRetrainParams(core_params.Params):
    """Parameters of filtering and retraining.

    Attributes:
        by: what makes a row suspicious: its label, what the layers say about it, or either.
        most_by_label: share of each class that its labels may cost; the worst rows go first.
        epochs: passes over the data, where the recipe is Redan's own.
    """

    by: Literal["labels", "activations", "both"] = "both"
    most_by_label: float = 0.1
    epochs: int = 10


@mitigation(
    Spec(
        id="RDN-POI-101",
        name="filter-and-retrain",
        threat="poisoning",
        title="Suspicious rows taken out, trained again",
        source="Tran, Li & Madry 2018, NeurIPS, algorithm 1 (filter, retrain); Northcutt et al. 2021 (labels)",
        needs=("labels",),
        data=("train",),
        cost="minutes",
        references=("arxiv:1811.00636", "arxiv:1911.00068", "atlas:AML.M0007"),
        default=False,
    )
)
class FilterAndRetrain:
    """Takes out training rows that look planted or mislabelled, and trains again on the rest.

    What it does:
        Rows whose activations form a second cluster within their class, and rows whose label is probably wrong, are
        left out; the owner's training function trains on the others, or Redan's own course where none is given.

    Why it helps:
        What was never learnt need not be unlearnt.

    Shapes:
        train: (n, …) with (n,) classes, as the model was trained on.

    Units:
        None.

    Cost:
        One pass over the rows to judge them, and one training.

    Sources:
        Tran, Li & Madry 2018, "Spectral signatures in backdoor attacks", algorithm 1; Northcutt, Jiang & Chuang 2021
        for labels.

    Limits:
        Rows that neither test flags stay. Taking out hard rows that are right costs accuracy on their kind. Models that
        are no torch network show no activations: there only labels are judged.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = FilterAndRetrainParams

    def apply(
        self,
        subject: Subject,
        inputs: Inputs,
        params: FilterAndRetrainParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Subject:
        """Return a model trained on the rows that are left.

        Raises:
            BudgetSpent: before a model was trained.
            ShapeMismatch: rows do not fit the model.
            CapabilityMissing: the model can be neither trained nor fitted, and no recipe was given.
        """
        data = inputs.role("train")
        if not 0 <= params.most_by_label < 1:
            raise UsageError(f"most_by_label={params.most_by_label:g}; expected a share of 1")
        recipe, _ = recipe_of(subject, inputs, Pace(epochs=params.epochs))
        removed, told = flagged(subject, data, params, budget=budget, seed=seed)
        if reason := budget.stop():
            raise BudgetSpent(f"the rows were not all judged: {reason}", hint="give a larger budget")
        observe.note(f"{told} of {len(data)} rows taken out")
        made = recipe.fit(data.rows(~removed), budget=budget, seed=seed, observe=observe)
        return _descending(subject, made, f"trained without {told} of {len(data)} rows, seed {seed}")


def flagged(
    subject: Any, data: Dataset, params: FilterAndRetrainParams, *, budget: Budget, seed: int
) -> tuple[NDArray[np.bool_], str]:
    """Tell which rows of a data set are taken out, (n,) in its own order, and how many by what.

    Raises:
        CapabilityMissing: activations alone are to decide, and the model shows none.
        Skipped: the same, with too few rows of each class.
        ShapeMismatch: the rows do not fit the model.
    """
    place = np.argsort(data.indices, kind="stable")
    removed, told = np.zeros(len(data), bool), []
    if params.by == "activations":
        require(subject, "gradients", "trainable")
    if params.by != "labels" and {"gradients", "trainable"} <= subject.capabilities:
        by_layers = _by_layers(subject, data, params.by == "activations", budget)
        removed[place[: len(by_layers)]] = by_layers
        told.append(f"{int(by_layers.sum())} by activations")
    if params.by != "activations":
        by_label = _by_label(subject, data, params.most_by_label, budget, seed)
        told.append(f"{int(by_label.sum())} by label")
        removed[place[: len(by_label)]] |= by_label
    return removed, " and ".join(told)


def _by_layers(subject: Any, data: Dataset, alone: bool, budget: Budget) -> NDArray[np.bool_]:
    """Judge rows, in the order of their indices, by activations; none where there are too few and labels decide too."""
    from redan.kernels.backdoors.likelihood import LEAST_ROWS
    from redan.kernels.backdoors.rows import planted

    try:
        ordered = readable(subject, data, least=LEAST_ROWS)
    except Skipped:
        if alone:
            raise
        return np.zeros(0, bool)
    features = layer_columns(subject, ordered, budget, last=False)
    return np.zeros(0, bool) if budget.stop() else planted(features, ordered.y).flagged


def _by_label(subject: Any, data: Dataset, most: float, budget: Budget, seed: int) -> NDArray[np.bool_]:
    """Judge rows, in the order of their indices, by label: the worst of each class, up to a share of it."""
    found = suspects(subject, data, FOLDS, budget=budget, seed=seed)
    if found is None:
        return np.zeros(0, bool)
    rows, suspected = found
    chosen = np.zeros(len(rows.labels), bool)
    for label in range(len(rows.present)):
        own = np.flatnonzero(rows.labels == label)
        worst = own[np.argsort(suspected.quality[own], kind="stable")][: int(most * len(own))]
        chosen[worst] = suspected.flagged[worst]
    return chosen


def _descending(subject: Subject, made: Subject, note: str) -> Subject:
    """Return the model with the one given in its lineage, and what was done; an estimator of a recipe says its own."""
    if not {"trainable"} <= subject.capabilities & made.capabilities:
        return made
    return cast("Trainable", subject).rebuilt(cast("Trainable", made).module, note=note)

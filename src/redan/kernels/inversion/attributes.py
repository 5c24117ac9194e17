"""An unknown attribute guessed from what is known of a row, with a model's answers and without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.seeds import derive

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
LEAF = 3
_MOST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guesses:
    """Guesses of one attribute, each made by a classifier that has not seen the row.

    Attributes:
        truth: (n,) values as places among the values that occur.
        imputed: (n,) guesses from the known columns alone.
        attacked: (n,) guesses from the known columns and the model's answers.
        lowest_loss: (n,) the candidate under which the model errs least; the imputed one where several do. Empty where
            no candidates were tried.
    """

    truth: NDArray[np.int64]
    imputed: NDArray[np.int64]
    attacked: NDArray[np.int64]
    lowest_loss: NDArray[np.int64]


def guess(
    known: NDArray[Any],
    answers: NDArray[Any],
    truth: NDArray[np.int64],
    keys: NDArray[np.integer],
    *,
    candidate_loss: NDArray[Any] | None,
    trees: int,
    seed: int,
) -> Guesses:
    """Guess every row's value by cross-validation, with the same classifier on both sides.

    Args:
        known: (n, k) what the attacker knows of each row.
        answers: (n, a) what the model says about it.
        truth: (n,) values, as places among those that occur.
        keys: (n,) number of each row; its fold and the order of rows depend on nothing else.
        candidate_loss: (n, values) loss of the model on each row completed by each candidate value.
        trees: in each forest.
        seed: root of the draws.

    Source: Fredrikson et al. 2014, "Privacy in pharmacogenetics", section 3 (the attack from candidates and known
    label); Yeom et al. 2018, section 4 (the least loss, and members beside others). The forest as the attacker is ours.
    """
    places = _folds(keys, seed)
    imputed = _crossed(known, truth, places, trees, derive(seed, "imputation") % _MOST_SEED)
    attacked = _crossed(np.hstack([known, answers]), truth, places, trees, derive(seed, "attack") % _MOST_SEED)
    least = np.zeros(0, np.int64) if candidate_loss is None else _least(candidate_loss, imputed)
    return Guesses(truth=truth, imputed=imputed, attacked=attacked, lowest_loss=least)


def _folds(keys: NDArray[np.integer], seed: int) -> NDArray[np.int64]:
    """Deal rows into folds of equal size in the order of a hash of their number."""
    order = sorted(range(len(keys)), key=lambda row: derive(seed, "fold", int(keys[row])))
    places = np.empty(len(keys), np.int64)
    places[order] = np.arange(len(keys)) % FOLDS
    return places


def _crossed(
    x: NDArray[Any], truth: NDArray[np.int64], places: NDArray[np.int64], trees: int, state: int
) -> NDArray[np.int64]:
    from sklearn.ensemble import RandomForestClassifier

    guesses = np.zeros(len(truth), np.int64)
    for fold in np.unique(places).tolist():
        held = places == fold
        forest = RandomForestClassifier(trees, min_samples_leaf=LEAF, random_state=state, n_jobs=1)
        guesses[held] = forest.fit(x[~held], truth[~held]).predict(x[held])
    return guesses


def _least(loss: NDArray[Any], imputed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the candidate of least loss, the imputed one where it ties with others."""
    ties = loss <= loss.min(axis=1, keepdims=True) + 1e-12
    several = (ties.sum(axis=1) > 1) & ties[np.arange(len(loss)), imputed]
    return np.where(several, imputed, loss.argmin(axis=1)).astype(np.int64)

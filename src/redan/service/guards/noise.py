"""Answers with differential privacy for the training data, paid for from the ledger before the model is asked.

Two models that were trained on data sets that differ in one person may answer any two probability vectors, which lie at
most 2 apart in L1. Scores are put on a grid of `GRID` steps, which adds at most one step a class to that distance, and
every one gets two-sided geometric noise of that scale: each row then costs epsilon, whatever the model is (Ghosh,
Roughgarden & Sundararajan 2009, "Universally utility-maximizing privacy mechanisms", section 2; whole numbers leave
no trace of floating point, Mironov 2012). The label is the class with the highest noisy score. The bound holds for any
model, and that is its price: below an epsilon of about 10 a row little of the scores is left.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ConfigError, RedanError, UsageError
from redan.evidence.privacy_ledger.book import Cost, Ledger, Overspent
from redan.service.gateway.refusal import BUDGET, FAILED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from redan.service.gateway.call import Batch, Call
    from redan.service.models.served import Served

GRID = 1024
BLOCK_ROWS = 64
"""Rows that are paid for at once; what a client does not ask before the gateway stops stays paid."""
MOST_CLIENTS = 10_000


def account_of(served: Served) -> str:
    """Return the ledger's name of what a model tells about its training data."""
    return f"model:{served.settings.name}"


class Noise:
    """Pays for each row and answers with noise; whoever has nothing left is refused.

    Args:
        served: answers probabilities.
        epsilon: cost of one row.
        ledger: file with an account for the model.

    Raises:
        ConfigError: the ledger has no account for this model.
    """

    name = "dp-noise"

    def __init__(self, served: Served, epsilon: float, ledger: Path) -> None:
        self._ledger, self._epsilon, self._account = Ledger(path=ledger), epsilon, account_of(served)
        try:
            self._ledger.balance(self._account)
        except RedanError as err:
            raise ConfigError(
                f"[serve.guards] dp_epsilon: {err.message}",
                hint=f"redan data allow {self._account} --epsilon 100 --ledger {ledger}",
            ) from err
        self._paid: OrderedDict[str, int] = OrderedDict()

    def before(self, batch: Batch) -> None:
        """Refuse calls that cannot be paid for."""
        for call in batch.calls:
            if call.refusal is None:
                self._pay(call)

    def after(self, batch: Batch) -> None:
        """Put noise on scores, and take labels from them."""
        if batch.scores is None:
            batch.refuse(np.ones(len(batch.x), bool), FAILED)
            return
        batch.scores = noisy(batch.scores, self._epsilon)
        batch.labels = batch.scores.argmax(axis=1)

    def _pay(self, call: Call) -> None:
        client, rows = call.principal.id, len(call.x)
        left = self._paid.pop(client, 0)
        if left < rows:
            left += self._bought(client, rows - left)
        if left < rows:
            call.refusal = BUDGET
        else:
            left -= rows
        self._paid[client] = left
        if len(self._paid) > MOST_CLIENTS:
            self._paid.popitem(last=False)

    def _bought(self, client: str, rows: int) -> int:
        """Pay for a block, or else for these rows alone; 0 when not even they can be paid."""
        for wanted in dict.fromkeys((max(rows, BLOCK_ROWS), rows)):
            try:
                self._ledger.spend(
                    self._account, client, Cost(epsilon=self._epsilon * wanted), f"{wanted} rows answered with noise"
                )
            except (Overspent, UsageError):
                continue
            return wanted
        return 0


def noisy(scores: NDArray[Any], epsilon: float) -> NDArray[np.float64]:
    """Return (n, k) probabilities with noise, each row at the cost of epsilon; they may be below 0 and above 1."""
    steps = np.rint(np.clip(np.asarray(scores, np.float64), 0, 1) * GRID)
    most_apart = 2 * GRID + steps.shape[1]
    return np.asarray((steps + _two_sided(steps.shape, most_apart / epsilon)) / GRID)


def _two_sided(shape: tuple[int, ...], scale: float) -> NDArray[np.float64]:
    """Draw two-sided geometric noise with the system's randomness: the difference of two geometric numbers."""
    n = 2 * math.prod(shape)
    uniform = (np.frombuffer(os.urandom(8 * n), np.uint64) >> np.uint64(11)).astype(np.float64) + 0.5
    drawn = np.floor(-np.log(uniform * 2.0**-53) * scale).reshape(2, *shape)
    return np.asarray(drawn[0] - drawn[1])

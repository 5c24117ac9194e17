"""Splitting test rows when nobody gave training data: what trains is never what is measured."""

from __future__ import annotations

from dataclasses import replace

from redan.core.errors import UsageError
from redan.core.inputs import Inputs
from redan.core.seeds import derive

_LEAST = 20


def held_out(inputs: Inputs, seed: int) -> tuple[Inputs, tuple[str, ...]]:
    """Return inputs with training and test rows apart, and what a reader must know about it.

    Each row goes to one side by a draw that depends only on the seed and the row's index in its source.

    Raises:
        UsageError: too few rows to split.
    """
    if inputs.train is not None:
        return inputs, ()
    test = inputs.role("test")
    if len(test) < _LEAST:
        raise UsageError(
            f"{len(test)} rows are too few to train on one half and measure on the other; expected at least {_LEAST}",
            hint="give the training data: redan.subject(model, data=…, train=…)",
        )
    trains = [derive(seed, "held-out", int(index)) & 1 == 0 for index in test.indices]
    train = test.rows([i for i, side in enumerate(trains) if side])
    rest = test.rows([i for i, side in enumerate(trains) if not side])
    note = (
        f"no training data was given: hardened on {len(train)} rows of the test data, measured on the other {len(rest)}"
    )
    return replace(inputs, train=train, test=rest), (note,)

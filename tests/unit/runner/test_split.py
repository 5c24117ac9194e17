"""What trains is never what is measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from redan.core.errors import UsageError
from redan.core.inputs import Inputs
from redan.runner.split import held_out


def test_rows_go_to_one_side_each_with_their_labels_and_indices(inputs: Any) -> None:
    split, (note,) = held_out(inputs, seed=0)
    sides = [set(split.train.indices.tolist()), set(split.test.indices.tolist())]
    assert sides[0].isdisjoint(sides[1])
    assert sides[0] | sides[1] == set(range(40))
    for side in (split.train, split.test):
        np.testing.assert_array_equal(side.x, inputs.test.x[side.indices])
        np.testing.assert_array_equal(side.y, inputs.test.y[side.indices])
        assert 8 <= len(side) <= 32
    assert note.startswith(f"no training data was given: hardened on {len(split.train)} rows")
    assert f"the other {len(split.test)}" in note


def test_a_row_stays_on_its_side_whatever_comes_with_it(inputs: Any) -> None:
    whole, _ = held_out(inputs, seed=0)
    order = list(reversed(range(0, 40, 2))) + list(range(1, 12, 2))
    part, _ = held_out(replace(inputs, test=inputs.test.rows(order)), seed=0)
    assert set(part.train.indices.tolist()) == set(whole.train.indices.tolist()) & set(order)


def test_another_seed_splits_otherwise(inputs: Any) -> None:
    first, other = (held_out(inputs, seed=s)[0].train.indices.tolist() for s in (0, 1))
    assert first != other
    assert first == held_out(inputs, seed=0)[0].train.indices.tolist()


def test_training_data_that_was_given_stays(inputs: Any) -> None:
    given = Inputs(test=inputs.test, train=inputs.test)
    assert held_out(given, seed=0) == (given, ())


def test_too_few_rows_are_not_split(inputs: Any) -> None:
    few = replace(inputs, test=inputs.test.rows(range(19)))
    with pytest.raises(UsageError, match="19 rows are too few"):
        held_out(few, seed=0)
    held_out(replace(inputs, test=inputs.test.rows(range(20))), seed=0)


def test_without_any_data_the_role_is_named() -> None:
    with pytest.raises(UsageError, match="this needs test data"):
        held_out(Inputs(), seed=0)

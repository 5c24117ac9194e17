"""Answers told less exactly: what a client sees, what stays, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import redan
from redan.core.budget import Budget, Limits
from redan.core.errors import BudgetSpent, UsageError
from redan.core.inputs import Inputs
from redan.core.progress import SILENT
from redan.threats.theft.mitigations.labels_only import LabelsOnly
from redan.threats.theft.mitigations.rounded_answers import RoundedAnswers


def model() -> Any:
    x, y = load_digits(return_X_y=True)
    net = LogisticRegression(max_iter=200).fit(x[:600] / 16, y[:600])
    return redan.subject(net, data=(x[600:] / 16, y[600:]), bounds=(0, 1)).subject


def applied(kind: Any, budget: Budget | None = None, **params: Any) -> Any:
    made = kind.Params.of(params)
    return kind().apply(model(), Inputs(), made, budget=budget or Budget(), seed=0, observe=SILENT)


X = load_digits().data[600:700] / 16


def test_probabilities_have_few_digits_and_classes_stay() -> None:
    told = applied(RoundedAnswers).scores(X)
    assert np.array_equal(told, told.round(1))
    assert np.array_equal(applied(RoundedAnswers).labels(X), model().labels(X))
    assert len(np.unique(applied(RoundedAnswers, digits=3).scores(X))) > len(np.unique(told))


def test_labels_only_tells_one_and_zeros() -> None:
    told = applied(LabelsOnly).scores(X)
    assert set(np.unique(told)) == {0.0, 1.0}
    assert (told.sum(axis=1) == 1).all()
    assert np.array_equal(told.argmax(axis=1), model().labels(X))


def test_digits_that_mean_nothing_and_an_empty_budget_are_refused() -> None:
    with pytest.raises(UsageError, match="digits is -1"):
        applied(RoundedAnswers, digits=-1)
    for kind in (RoundedAnswers, LabelsOnly):
        with pytest.raises(BudgetSpent):
            applied(kind, Budget(limits=Limits(queries=0)))

"""How reference models are trained: by the owner's function, from fresh weights, or fitted anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from redan.core.budget import Budget, Limits
from redan.core.errors import BudgetSpent, CapabilityMissing, SubjectFailed, UsageError
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.callable import CallableSubject
from redan.subjects.options import Options
from redan.subjects.recipes import Pace, own_recipe, recipe_of
from redan.subjects.sklearn import SklearnSubject
from redan.subjects.torch import TorchSubject


@pytest.fixture(scope="module")
def digits() -> Dataset:
    x, y = load_digits(return_X_y=True)
    return Dataset(
        x=(x[:600] / 16).astype(np.float32), y=y[:600], name="digits", sha256="", indices=np.arange(600), bounds=(0, 1)
    )


def net() -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))


def test_a_network_is_trained_from_fresh_weights_and_repeats_by_its_seed(digits: Dataset) -> None:
    subject = TorchSubject(net(), options=Options(bounds=(0, 1)), sample=digits.x[:2])
    recipe, told = recipe_of(subject, Inputs(), Pace(epochs=15, batch_size=32, learning_rate=5e-3))
    made = [recipe.fit(digits, budget=Budget(), seed=s, observe=SILENT) for s in (0, 0, 1)]
    digests = [m.ref.digest for m in made]
    assert digests[0] == digests[1] != digests[2]
    assert subject.ref.digest in made[0].ref.lineage
    assert (made[0].labels(digits.x) == digits.y).mean() > 0.9
    assert "guess" in told


def test_an_estimator_is_fitted_anew_with_its_own_parameters(digits: Dataset) -> None:
    subject = SklearnSubject(LogisticRegression(C=0.5, max_iter=300).fit(digits.x, digits.y))
    recipe, _ = recipe_of(subject, Inputs())
    made = recipe.fit(digits.rows(slice(0, 300)), budget=Budget(), seed=0, observe=SILENT)
    assert made.estimator.C == 0.5
    assert made.ref.digest != subject.ref.digest


def test_the_owners_function_comes_first(digits: Dataset) -> None:
    seen = []

    def fit(x, y, seed):
        seen.append((x.shape, seed))
        return LogisticRegression(max_iter=200).fit(x, y)

    own = own_recipe(fit, Options(name="mine"))
    subject = CallableSubject(lambda x: np.zeros(len(x), int), options=Options(), sample=digits.x[:2])
    recipe, told = recipe_of(subject, Inputs(recipe=own))
    made = recipe.fit(digits, budget=Budget(), seed=7, observe=SILENT)
    assert seen == [((600, 64), 7)]
    assert made.ref.name == "mine"
    assert "owner" in told


def test_what_cannot_be_trained_asks_for_a_recipe(digits: Dataset) -> None:
    subject = CallableSubject(lambda x: np.zeros(len(x), int), options=Options(), sample=digits.x[:2])
    with pytest.raises(CapabilityMissing, match="no recipe was given") as caught:
        recipe_of(subject, Inputs())
    assert "[model] recipe" in caught.value.hint


def test_a_function_that_raises_is_a_subject_that_failed(digits: Dataset) -> None:
    own = own_recipe(lambda x, y, seed: 1 / 0, Options())
    with pytest.raises(SubjectFailed, match="ZeroDivisionError"):
        own.fit(digits, budget=Budget(), seed=0, observe=SILENT)
    with pytest.raises(BudgetSpent):
        own.fit(digits, budget=Budget(limits=Limits(queries=0)), seed=0, observe=SILENT)


def test_a_function_is_found_in_a_file_and_its_code_is_digested(tmp_path, digits: Dataset) -> None:
    (tmp_path / "train.py").write_text(
        "from sklearn.dummy import DummyClassifier\ndef fit(x, y, seed):\n    return DummyClassifier().fit(x, y)\n"
    )
    own = own_recipe(f"{tmp_path}/train.py:fit", Options())
    assert own.name == "train.py:fit"
    assert len(own.code_sha256) == 64
    assert own.fit(digits, budget=Budget(), seed=0, observe=SILENT).labels(digits.x[:5]).shape == (5,)
    with pytest.raises(UsageError, match="no training function"):
        own_recipe("train.py", Options())

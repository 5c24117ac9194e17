"""Attribute inference beside imputation, on models that know a person and models that do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from redan.core.budget import Budget
from redan.core.errors import Skipped, UnknownName
from redan.core.finding import Finding, Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.options import Options
from redan.subjects.sklearn import SklearnSubject
from redan.threats.privacy.probes.attribute_inference import AttributeInference, AttributeInferenceParams

COLUMNS = ("one", "two", "three", "secret")


def people(n: int, seed: int, start: int) -> Dataset:
    """Three columns of noise, a secret that no column tells, and a class that is noise, too."""
    draws = np.random.default_rng(seed)
    x = np.column_stack([draws.normal(size=(n, 3)), draws.integers(0, 2, n)])
    return Dataset(
        x=x,
        y=draws.integers(0, 2, n),
        name=f"people-{seed}",
        sha256="",
        indices=np.arange(start, start + n),
        columns=COLUMNS,
    )


def inputs(n: int = 300) -> Inputs:
    return Inputs(train=people(n, 1, 0), test=people(n, 2, n), sensitive=("secret",))


def run(model: object, given: Inputs, **params: object) -> list[Finding]:
    subject = SklearnSubject(model, options=Options(name="model"))
    settings = AttributeInferenceParams(trees=25, **params)
    return list(AttributeInference().run(subject, given, settings, budget=Budget(), seed=3, observe=SILENT))


def value(found: Finding, name: str) -> float:
    quantity = found.quantity(name)
    assert quantity is not None
    return quantity.value


def test_a_model_that_learnt_rows_by_heart_tells_the_secret_of_members_only() -> None:
    given = inputs()
    sides = [replace(d, x=d.x * [1, 1, 1, 50]) for d in (given.train, given.test) if d is not None]
    model = KNeighborsClassifier(1).fit(sides[0].x, sides[0].y)
    (found,) = run(model, replace(given, train=sides[0], test=sides[1]))
    assert found.params["attribute"] == "secret"
    assert abs(value(found, "imputation_accuracy") - 0.5) < 0.1
    # with the true value a member is always recognised, with the other one half of the time by luck
    assert value(found, "lowest_loss_accuracy") > 0.68
    assert value(found, "attribute_advantage") > 0.05
    assert value(found, "member_gap") > 0.05
    assert found.severity >= Severity.MEDIUM


def test_a_model_that_uses_the_secret_for_its_class_adds_what_it_knows() -> None:
    given = inputs(400)
    known = [replace(d, y=(d.x[:, 3] > 0).astype(int)) for d in (given.train, given.test) if d is not None]
    model = LogisticRegression().fit(known[0].x, known[0].y)
    (found,) = run(model, replace(given, train=known[0], test=known[1]))
    # the class says it already, so that the model adds nothing to imputation that knows the class
    assert value(found, "imputation_accuracy") > 0.95
    assert abs(value(found, "attribute_advantage")) < 0.05
    assert found.severity == Severity.INFO


def test_answers_about_a_group_that_is_no_input_are_attacked_too() -> None:
    given = inputs(400)
    assert given.train is not None
    assert given.test is not None
    draws = np.random.default_rng(5)
    sides = []
    for data in (given.train, given.test):
        group = draws.integers(0, 2, len(data))
        x = data.x.copy()
        # only an odd combination of three columns tells the group, which the model was trained to see
        x[:, 0] = np.where((np.sign(x[:, 1] * x[:, 2]) > 0) == (group > 0), 1, -1) * np.abs(x[:, 0])
        sides.append(replace(data, x=x, y=group, groups={"sex": np.array(["f", "m"])[group]}))
    model = RandomForestClassifier(30, random_state=0).fit(sides[0].x, sides[0].y)
    noise = [replace(d, y=draws.integers(0, 2, len(d))) for d in sides]
    (found,) = run(model, Inputs(train=noise[0], test=noise[1]))
    assert found.params["attribute"] == "sex"
    assert found.severity >= Severity.MEDIUM
    assert value(found, "attribute_advantage") > 0.05
    advantage = found.quantity("attribute_advantage")
    assert advantage is not None
    assert advantage.low > 0


def test_models_of_noise_seldom_alarm() -> None:
    alarms = 0
    for seed in range(6):
        train, test = people(150, 100 + seed, 0), people(150, 200 + seed, 150)
        model = LogisticRegression().fit(train.x, train.y)
        (found,) = run(model, Inputs(train=train, test=test, sensitive=("secret",)))
        alarms += found.severity > Severity.INFO
    assert alarms <= 1


def test_what_cannot_be_guessed_is_skipped_and_said() -> None:
    given = inputs()
    model = LogisticRegression().fit(given.train.x, given.train.y) if given.train is not None else None
    with pytest.raises(UnknownName, match="secrte"):
        run(model, given, attribute="secrte")
    with pytest.raises(Skipped, match="2 to 8 values"):
        run(model, given, attribute="one")
    (found,) = run(model, replace(given, sensitive=()))
    assert found.params["attribute"] == "secret"

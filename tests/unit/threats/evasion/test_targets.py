"""Targets as people write them, and what a targeted finding says."""

from __future__ import annotations

import numpy as np
import pytest

from redan.core.errors import UsageError
from redan.core.inputs import Dataset
from redan.threats.evasion.measured import Attacked, Setting, quantities
from redan.threats.evasion.setting import usual_radius
from redan.threats.evasion.targets import aim

NAMES = ("cat", "dog", "cow")
Y = np.array([0, 1, 2, 1])
DATA = Dataset(x=np.zeros((4, 2), np.float32), y=Y, name="d", sha256="", indices=np.arange(10, 14))


def lowest(data):
    return (np.asarray(data.y) + 1) % 3


def test_any_wrong_class_is_no_aim():
    assert aim(-1, DATA, NAMES, lowest) is None


@pytest.mark.parametrize("target", [1, "dog"])
def test_rows_of_the_target_are_left_out(target):
    found = aim(target, DATA, NAMES, lowest)
    assert found.data.indices.tolist() == [10, 12]
    assert found.classes.tolist() == [1, 1]
    assert found.name == "class dog"


def test_the_least_likely_class_keeps_every_row():
    found = aim("least-likely", DATA, (), lowest)
    assert found.classes.tolist() == [1, 2, 0, 2]
    assert len(found.data) == 4


@pytest.mark.parametrize(("target", "names"), [(3, NAMES), (-2, ()), ("bird", NAMES), ("bird", ())])
def test_an_unknown_target_is_refused(target, names):
    with pytest.raises(UsageError, match="target"):
        aim(target, DATA, names, lowest)


def test_a_target_that_every_row_has_is_refused():
    only = Dataset(x=DATA.x, y=np.ones(4, int), name="d", sha256="", indices=DATA.indices)
    with pytest.raises(UsageError, match="every row"):
        aim(1, only, NAMES, lowest)


def test_a_targeted_figure_has_a_name_of_its_own():
    found = Attacked(
        adversarial=DATA.x,
        success=np.array([True, False, False, True]),
        distance=np.array([0.0, 2.0, np.inf, 0.5]),
        stages=(("clean", 1), ("fmn", 1)),
        forward=4,
        gradient=4,
    )
    setting = Setting(norm="l2", eps=1.0, bounds=(0.0, 1.0), classes=NAMES, target="class dog")
    first, second = quantities(found, setting)[:2]
    assert (first.name, first.value, first.n) == ("targeted_robustness", 0.5, 4)
    assert (second.name, second.value) == ("clean_unlike_target", 0.75)


@pytest.mark.parametrize(
    ("norm", "width", "values", "radius"),
    [
        ("linf", 255.0, 9, 8.0),
        ("l2", 2.0, 9, 1.0),
        ("l1", 1.0, 3072, 12.0),
        ("l0", 255.0, 784, 8.0),
        ("l0", 1.0, 4, 1.0),
    ],
)
def test_usual_radii(norm, width, values, radius):
    assert usual_radius(norm, width, values) == pytest.approx(radius)

"""Corruptions, rotations and shifts on models whose weakness is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.threats.evasion.small_images import by_halves, halves, number, only

from redan.core.budget import Budget, Limits
from redan.core.errors import BudgetSpent, ShapeMismatch, Skipped, UsageError
from redan.core.finding import Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.callable import CallableSubject
from redan.subjects.options import Options
from redan.threats.evasion.probes.corruptions import Corruptions, CorruptionsParams
from redan.threats.evasion.probes.spatial import Spatial


def table(n: int = 60) -> Dataset:
    x = np.random.default_rng(0).normal(size=(n, 3))
    return Dataset(x=x, y=(x[:, 0] > 0).astype(np.int64), name="table", sha256="", indices=np.arange(n))


def test_a_model_of_coarse_structure_withstands_noise_and_its_numbers_are_whole() -> None:
    found = only(Corruptions, by_halves(), Inputs(test=halves(40)))
    assert number(found, "clean_accuracy") == 1
    assert number(found, "corrupted_accuracy") > 0.85
    heat = found.tables[0]
    assert heat.draw == "heat"
    assert len(heat.rows) == 16
    by_name = {row[0]: row[1:] for row in heat.rows}
    assert by_name["gaussian noise"] == (1.0, 1.0, 1.0)
    curve = found.curve("accuracy_by_severity")
    assert curve is not None
    assert list(curve.n) == [40, 40, 40]


def test_a_model_that_needs_exact_values_loses_beyond_noise_and_is_told_so() -> None:
    data = halves(60)
    known = {row.tobytes(): int(y) for row, y in zip(data.x, data.y, strict=True)}
    brittle = CallableSubject(
        lambda x: np.array([known.get(row.tobytes(), 1 - i % 2) for i, row in enumerate(x)]),
        options=Options(name="memory", answers="labels", bounds=(0.0, 1.0)),
    )
    found = only(Corruptions, brittle, Inputs(test=data))
    drop = found.quantity("accuracy_drop")
    assert drop is not None
    assert drop.low > 0.8
    assert "beyond noise" in found.detail
    assert found.severity == Severity.HIGH


def test_no_drop_is_called_noise() -> None:
    constant = CallableSubject(
        lambda x: np.zeros(len(x), np.int64), options=Options(name="constant", answers="labels", bounds=(0.0, 1.0))
    )
    found = only(Corruptions, constant, Inputs(test=halves(40)))
    assert number(found, "accuracy_drop") == 0
    assert "within noise" in found.detail


def test_tables_meet_their_own_corruptions() -> None:
    sign = CallableSubject(lambda x: (x[:, 0] > 0).astype(np.int64), options=Options(name="sign", answers="labels"))
    found = only(Corruptions, sign, Inputs(test=table()))
    assert [row[0] for row in found.tables[0].rows] == ["noise", "missing", "rounding", "units", "drift"]
    assert number(found, "corrupted_accuracy") < 1
    units = next(row for row in found.tables[0].rows if row[0] == "units")
    assert units[1:] == (1.0, 1.0, 1.0)  # a factor changes no sign


def test_inputs_that_are_neither_images_nor_rows_are_skipped_with_their_shape() -> None:
    data = halves(4)
    odd = replace(data, x=np.zeros((4, 2, 3, 4, 5), np.float32))
    with pytest.raises(Skipped, match=r"\(2, 3, 4, 5\)"):
        only(Corruptions, by_halves(), Inputs(test=odd))
    with pytest.raises(Skipped, match="expected an image"):
        only(Spatial, by_halves(), Inputs(test=table()))
    with pytest.raises(ShapeMismatch, match="finite"):
        only(Corruptions, by_halves(), Inputs(test=replace(data, x=np.full_like(data.x, np.nan))))


def test_a_budget_that_ends_midway_marks_what_it_says() -> None:
    budget = Budget(limits=Limits(queries=400))
    run = Corruptions().run(
        by_halves(), Inputs(test=halves(40)), CorruptionsParams(), budget=budget, seed=0, observe=SILENT
    )
    found = next(run)
    assert found.quantities[0].partial
    assert "cut short" in found.detail
    nothing = Budget(limits=Limits(queries=0))
    with pytest.raises(BudgetSpent):
        next(
            Corruptions().run(
                by_halves(), Inputs(test=halves(4)), CorruptionsParams(), budget=nothing, seed=0, observe=SILENT
            )
        )


def test_half_a_turn_defeats_a_model_of_left_and_right() -> None:
    found = only(Spatial, by_halves(), Inputs(test=halves(30)), degrees=180.0, plan="quick")
    assert number(found, "spatial_accuracy") == 0
    assert number(found, "clean_accuracy") == 1
    assert number(found, "mean_spatial_accuracy") > 0.2
    heat = {row[0]: row[1:] for row in found.tables[0].rows}
    assert heat["0°"][0] == 1.0
    assert heat["180°"][0] == 0.0
    assert sum(e.media_type == "image/png" for e in found.evidence) == 4


def test_small_shifts_do_not_defeat_it_and_nonsense_is_refused() -> None:
    found = only(Spatial, by_halves(), Inputs(test=halves(30)), degrees=5.0, shift=0.05, plan="quick")
    assert number(found, "spatial_accuracy") == 1
    assert found.severity == Severity.INFO
    with pytest.raises(UsageError, match="degrees"):
        only(Spatial, by_halves(), Inputs(test=halves(4)), degrees=400.0)

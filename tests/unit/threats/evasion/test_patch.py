"""Patches against models whose weak place is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.threats.evasion.small_images import by_halves_net, by_one_pixel, halves, number, only

from redan.core.errors import Skipped, UsageError
from redan.core.inputs import Inputs
from redan.threats.evasion.probes.patch import Patch, _split


def test_a_patch_finds_the_corner_that_decides_and_grey_ones_are_told_apart() -> None:
    found = only(Patch, by_one_pixel(), Inputs(test=halves(30), train=halves(60, start=100)), area=0.03, plan="quick")
    assert number(found, "clean_accuracy") > 0.9
    assert number(found, "patch_accuracy") < 0.6
    gain = found.quantity("adversarial_loss")
    assert gain is not None
    assert gain.value == pytest.approx(number(found, "occlusion_accuracy") - number(found, "patch_accuracy"), abs=1e-9)
    heat = next(table for table in found.tables if table.draw == "heat")
    assert min(heat.rows[0][1:]) == heat.rows[0][1]  # the top left corner is the worst place
    assert heat.rows[-1][-1] > heat.rows[0][1]


def test_a_small_patch_cannot_turn_a_model_that_looks_at_everything() -> None:
    found = only(Patch, by_halves_net(), Inputs(test=halves(30), train=halves(60, start=100)), area=0.03, plan="quick")
    assert number(found, "patch_accuracy") == 1
    assert "within noise" in found.detail


def test_without_training_data_half_of_the_test_images_are_kept_for_training() -> None:
    found = only(Patch, by_halves_net(), Inputs(test=halves(30)), plan="quick")
    assert found.quantities[0].n == 15


def test_a_patch_as_large_as_the_image_and_data_without_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="area"):
        only(Patch, by_halves_net(), Inputs(test=halves(4)), area=0.9)
    flat = halves(4)
    with pytest.raises(Skipped, match="image"):
        only(Patch, by_halves_net(), Inputs(test=replace(flat, x=flat.x.reshape(4, -1))))


def test_rows_of_one_source_are_never_both_trained_on_and_measured() -> None:
    data = replace(halves(60), sha256="0" * 64)
    training, measured = _split(Inputs(test=data, train=data), 30)
    assert len(training) == len(measured) == 30
    assert not set(training.indices) & set(measured.indices)
    other = replace(data, sha256="1" * 64)
    assert len(_split(Inputs(test=data, train=other), 30)[0]) == 60

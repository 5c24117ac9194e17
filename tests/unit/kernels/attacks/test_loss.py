"""Losses on logits worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from redan.kernels.attacks import loss

LOGITS = torch.tensor([[4.0, 1.0, 3.0, -2.0], [0.0, 5.0, 2.0, 1.0]])
LABELS = torch.tensor([0, 2])


def test_rival_is_the_best_other_class():
    assert loss.rival(LOGITS, LABELS).tolist() == [2, 1]


def test_margin_is_negative_exactly_when_the_model_errs():
    assert loss.margin(LOGITS, LABELS).tolist() == [1.0, -3.0]
    assert loss.margin(LOGITS, LABELS, torch.tensor([1, 3])).tolist() == [3.0, 1.0]


def test_cross_entropy_is_the_log_probability_of_the_label():
    expected = math.log(math.exp(4) / sum(math.exp(v) for v in (4, 1, 3, -2)))
    assert loss.cross_entropy(LOGITS, LABELS)[0].item() == pytest.approx(expected)


def test_dlr_divides_by_the_gap_of_first_and_third():
    assert loss.dlr(LOGITS, LABELS).tolist() == pytest.approx([1 / 3, -3 / 4])


def test_targeted_dlr_divides_by_the_gap_to_third_and_fourth():
    found = loss.targeted_dlr(LOGITS, LABELS, torch.tensor([1, 0]))
    assert found.tolist() == pytest.approx([3 / 4.5, 2 / 4.5])


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_dlr_does_not_feel_the_scale_of_the_logits(factor):
    assert torch.allclose(loss.dlr(LOGITS * factor, LABELS), loss.dlr(LOGITS, LABELS))


def test_too_few_classes_are_refused():
    with pytest.raises(ValueError, match="at least 3"):
        loss.dlr(LOGITS[:, :2], torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="at least 4"):
        loss.targeted_dlr(LOGITS[:, :3], LABELS, LABELS)

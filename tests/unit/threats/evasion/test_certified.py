"""Certified accuracy and smoothing on models whose true radii are known."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from tests.unit.threats.evasion.small_images import SIDE, by_halves, by_halves_net, halves, number, only

from redan.core.budget import Budget, Limits
from redan.core.errors import BudgetSpent, Skipped, UsageError
from redan.core.finding import Severity
from redan.core.inputs import Inputs
from redan.core.progress import SILENT
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject
from redan.threats.evasion.mitigations.randomised_smoothing import RandomisedSmoothing, RandomisedSmoothingParams
from redan.threats.evasion.probes.certified import Certified
from redan.threats.evasion.probes.smoothing import SmoothingProbe


def true_radii(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Linf distance to the boundary of the rule of halves, where the box does not bind: half the gap of the means."""
    gap = x[..., SIDE // 2 :].mean(axis=(1, 2, 3)) - x[..., : SIDE // 2].mean(axis=(1, 2, 3))
    return np.abs(gap) / 2


def test_a_linear_model_is_certified_exactly_as_far_as_it_is_robust() -> None:
    data = halves(20)
    radii = true_radii(data.x, data.y)
    middle = float(np.sort(radii)[9:11].mean())
    found = only(Certified, by_halves_net(), Inputs(test=data), eps=middle, plan="quick")
    blob = found.blob("certified")
    assert blob is not None
    assert blob.payload is not None
    certified = np.load(io.BytesIO(blob.payload))
    # pixels near 0 or 1 meet the box before ε, which only adds to what withstands
    assert certified[radii > middle * 1.001].all()
    assert number(found, "certified_accuracy") + number(found, "fell") + number(found, "undecided") == pytest.approx(1)
    assert found.severity is Severity.INFO
    assert "not broken" in found.detail


def test_the_curve_falls_and_passes_through_the_certified_share() -> None:
    found = only(Certified, by_halves_net(), Inputs(test=halves(16)), eps=0.2, plan="standard")
    curve = found.curve("certified_by_eps")
    assert curve is not None
    assert list(curve.y) == sorted(curve.y, reverse=True)
    assert curve.x_unit == "linf"
    assert curve.y[10] == pytest.approx(number(found, "certified_accuracy"))
    assert curve.x[10] == pytest.approx(0.2)


def test_no_input_is_both_certified_and_fallen_and_misclassified_ones_are_neither() -> None:
    data = halves(16)
    wrong = data.y.copy()
    wrong[:4] = 1 - wrong[:4]
    found = only(Certified, by_halves_net(), Inputs(test=type(data)(**{**vars_of(data), "y": wrong})), eps=0.1)
    assert number(found, "clean_accuracy") == 0.75
    assert number(found, "certified_accuracy") == 0.75
    assert number(found, "fell") == 0
    assert number(found, "undecided") == 0


def vars_of(data):
    """Fields of a data set."""
    return {name: getattr(data, name) for name in ("x", "y", "name", "sha256", "indices", "bounds")}


def test_a_normalised_model_with_probabilities_is_certified_like_the_bare_one() -> None:
    inner = torch.nn.Sequential(by_halves_net().module.inner, torch.nn.Softmax(dim=1))
    inner[0][1].weight.data *= 0.5
    options = Options(name="normalised", bounds=(0.0, 1.0), mean=(0.5,), std=(0.5,))
    subject = TorchSubject(inner, options=options, sample=halves(2).x)
    bare = only(Certified, by_halves_net(), Inputs(test=halves(12)), eps=0.25)
    both = only(Certified, subject, Inputs(test=halves(12)), eps=0.25)
    assert number(both, "certified_accuracy") == number(bare, "certified_accuracy")


def test_an_unknown_layer_and_a_large_network_are_skipped_by_name() -> None:
    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(SIDE * SIDE, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.sin(x.flatten(1)))

    with pytest.raises(Skipped, match="'sin'"):
        only(Certified, TorchSubject(Odd().eval(), options=Options(bounds=(0.0, 1.0))), Inputs(test=halves(4)))
    with pytest.raises(Skipped, match="numbers between its layers"):
        only(Certified, by_halves_net(), Inputs(test=halves(4)), max_units=10)


def test_a_spent_budget_is_said_before_and_shown_in_the_middle() -> None:
    budget = Budget(limits=Limits(queries=1))
    with pytest.raises(BudgetSpent, match="no input"):
        run(Certified, by_halves_net(), budget, eps=0.1)
    with pytest.raises(BudgetSpent, match="no input"):
        run(SmoothingProbe, by_halves(), Budget(limits=Limits(queries=0)), eps=0.5)
    partial = run(SmoothingProbe, by_halves(), Budget(limits=Limits(queries=4000)), eps=0.5)
    assert partial.quantities[0].partial
    assert "cut short" in partial.detail


def run(probe, subject, budget, **params):
    """The one finding of a probe within a budget."""
    inputs = Inputs(test=halves(8))
    (found,) = probe().run(subject, inputs, probe.Params.of(params), budget=budget, seed=0, observe=SILENT)
    return found


def test_smoothing_certifies_a_model_that_gives_labels_alone() -> None:
    data = halves(6)
    found = only(SmoothingProbe, by_halves(), Inputs(test=data), eps=0.5, sigma=0.5, copies=400)
    assert number(found, "certified_accuracy") == 1.0
    curve, median = found.curve("certified_by_eps"), found.quantity("median_certified_radius")
    assert curve is not None
    assert median is not None
    # the rule's normal has the length 2 / side, so the true Euclidean radius is the gap of the means times side / 2
    truth = float(np.median(true_radii(data.x, data.y))) * SIDE
    assert 0.5 < median.value <= truth
    assert curve.x_unit == "l2"
    assert "bare model" in found.detail


def test_smoothing_refuses_what_means_nothing() -> None:
    with pytest.raises(UsageError, match="alpha"):
        only(SmoothingProbe, by_halves(), Inputs(test=halves(4)), alpha=2.0)


@pytest.mark.parametrize("make", [by_halves_net, by_halves])
def test_the_smoothed_subject_answers_alike_and_has_another_digest(make) -> None:
    data, given = halves(20), make()
    made = RandomisedSmoothing().apply(
        given, Inputs(), RandomisedSmoothingParams(sigma=0.3), budget=Budget(), seed=0, observe=SILENT
    )
    assert (made.labels(data.x) == data.y).all()
    assert made.ref.digest != given.ref.digest
    assert ("gradients" in made.capabilities) == ("gradients" in given.capabilities)
    # the same input has the same answer whatever comes with it
    assert made.labels(data.x[7:9]).tolist() == made.labels(data.x)[7:9].tolist()


def test_a_smoothed_network_gives_the_gradient_of_what_it_answers() -> None:
    made = RandomisedSmoothing().apply(
        by_halves_net(0.2), Inputs(), RandomisedSmoothingParams(sigma=0.2), budget=Budget(), seed=0, observe=SILENT
    )
    x = torch.from_numpy(halves(1).x).requires_grad_()
    logits = made.logits(x)
    (slope,) = torch.autograd.grad(logits[0, 0] - logits[0, 1], x)
    assert slope[..., : SIDE // 2].mean() > 0 > slope[..., SIDE // 2 :].mean()
    assert made.score_kind == "logits"

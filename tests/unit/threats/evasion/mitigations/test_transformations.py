"""Transformed inputs around real models: what attacks report that know them or do not, and the verdict on both."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn

from redan.core.budget import Budget
from redan.core.errors import BudgetSpent, MissingDependency, ShapeMismatch, UsageError
from redan.core.inputs import Dataset, Inputs
from redan.core.progress import SILENT
from redan.subjects.callable import CallableSubject
from redan.subjects.options import Options
from redan.subjects.sklearn import SklearnSubject
from redan.subjects.torch import TorchSubject
from redan.testing.spending import StopAfter
from redan.threats.evasion import transforming
from redan.threats.evasion.mitigations.batch_normalisation import BatchNormalisation
from redan.threats.evasion.mitigations.bit_depth import BitDepth
from redan.threats.evasion.mitigations.dropout import Dropout
from redan.threats.evasion.mitigations.ensemble import Ensemble
from redan.threats.evasion.mitigations.feature_squeezing import FeatureSqueezing
from redan.threats.evasion.mitigations.jpeg_like import BlockRounding
from redan.threats.evasion.mitigations.random_resizing import RandomResizing
from redan.threats.evasion.mitigations.spatial_smoothing import SpatialSmoothing
from redan.threats.evasion.mitigations.total_variation import TotalVariation
from redan.threats.evasion.probes.cascade import Cascade
from redan.threats.evasion.probes.masking import GradientMasking

EPS = 0.12
ON_IMAGES = (BlockRounding, FeatureSqueezing, RandomResizing, SpatialSmoothing, TotalVariation)
WRAPPERS = (BitDepth, *ON_IMAGES)


def digits(start, stop, *, flat=False):
    x, y = load_digits(return_X_y=True)
    x = (x[start:stop] / 16).astype(np.float32)
    return Dataset(
        x=x if flat else x.reshape(-1, 1, 8, 8),
        y=y[start:stop].astype(np.int64),
        name="digits",
        sha256="",
        indices=np.arange(start, stop),
        bounds=(0.0, 1.0),
    )


@cache
def weights():
    net, data = network(), digits(0, 800)
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(80):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    return net.state_dict()


def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def subject():
    net = network()
    net.load_state_dict(weights())
    return TorchSubject(net, options=Options(name="net", bounds=(0.0, 1.0)), sample=digits(0, 2).x)


def made(mitigation, given=None, inputs=None, budget=None, seed=0, **params):
    return mitigation().apply(
        given or subject(),
        inputs or Inputs(train=digits(0, 800), test=digits(1000, 1024)),
        mitigation.Params.of(params),
        budget=budget or Budget(),
        seed=seed,
        observe=SILENT,
    )


def finding(probe, given, **params):
    run = probe().run(
        given,
        Inputs(test=digits(1000, 1024)),
        probe.Params.of({"eps": EPS, **params}),
        budget=Budget(),
        seed=0,
        observe=SILENT,
    )
    return next(iter(run))


def robust(given):
    return finding(Cascade, given, plan="quick").quantity("robust_accuracy").value


def test_gradients_go_through_the_rounding_so_that_the_first_number_is_the_adaptive_one():
    hidden = robust(made(BitDepth, gradient="own"))
    open_ = robust(made(BitDepth))
    assert hidden > open_ + 0.3
    assert open_ <= robust(subject()) + 0.1


def test_the_masking_verdict_breaks_a_rounding_that_hides_its_gradient():
    found = finding(GradientMasking, made(BitDepth, gradient="own"), rows=12, eps=0.25)
    assert found.title.startswith("Masked gradients")
    assert found.quantity("repaired_accuracy").value < found.quantity("usual_accuracy").value - 0.2


@pytest.mark.slow
def test_a_random_place_is_told_as_random_and_attacked_by_expectation():
    found = finding(GradientMasking, made(RandomResizing, answer="random", copies=3), rows=10, eps=0.25)
    assert found.title.startswith("Masked gradients")
    assert "expectation over" in found.detail
    assert found.quantity("repaired_accuracy").value < found.quantity("usual_accuracy").value


@pytest.mark.parametrize("mitigation", WRAPPERS, ids=lambda one: one.__name__)
def test_a_transformed_network_still_answers_well_with_gradients(mitigation):
    given = subject()
    better = made(mitigation, given)
    data = digits(1000, 1200)
    assert given.ref.digest != better.ref.digest
    assert {"gradients", "trainable"} <= better.capabilities
    assert (better.labels(data.x) == data.y).mean() > 0.6
    leaf = torch.from_numpy(data.x[:8]).requires_grad_(True)
    better.logits(leaf).sum().backward()
    assert leaf.grad.flatten(1).any(dim=1).all()
    assert np.array_equal(better.scores(data.x[:8]), better.scores(data.x[:8]))


@cache
def estimator():
    data = digits(0, 800, flat=True)
    return LogisticRegression(max_iter=100, tol=0.1).fit(data.x, data.y)


@pytest.mark.parametrize("mitigation", WRAPPERS, ids=lambda one: one.__name__)
def test_models_without_gradients_are_asked_about_the_same_transformed_inputs(mitigation):
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    linear[1].weight.data = torch.from_numpy(estimator().coef_).float()
    linear[1].bias.data = torch.from_numpy(estimator().intercept_).float()
    options = Options(name="net", bounds=(0.0, 1.0))
    network_ = made(mitigation, TorchSubject(linear, options=options, sample=digits(0, 2).x))
    fitted = made(mitigation, SklearnSubject(estimator(), options=options))
    x = digits(1000, 1200).x
    agree = np.mean(network_.labels(x) == fitted.labels(x))
    # of several views a network averages probabilities and the other counts votes
    assert agree == 1 if mitigation is not RandomResizing else agree > 0.85
    assert fitted.capabilities == {"labels", "scores"}
    np.testing.assert_array_equal(fitted.scores(x).argmax(1), fitted.labels(x))


def test_a_model_that_answers_labels_only_is_put_behind_a_transformation_too():
    def predict(x):
        return (x.reshape(len(x), -1).mean(axis=1) > 0.3).astype(np.int64)

    given = CallableSubject(predict, options=Options(name="labels", answers="labels", bounds=(0.0, 1.0)))
    x = digits(0, 50).x
    assert made(BitDepth, given, bits=1).capabilities == {"labels"}
    np.testing.assert_array_equal(made(BitDepth, given, bits=1).labels(x), predict(np.round(x)))
    random = made(RandomResizing, given, answer="random", copies=16, smallest=0.5)
    assert len({random.labels(x).tobytes() for _ in range(10)}) > 1


@pytest.mark.parametrize("mitigation", ON_IMAGES, ids=lambda one: one.__name__)
def test_rows_of_a_table_are_no_images(mitigation):
    with pytest.raises(ShapeMismatch, match="images"):
        made(mitigation, inputs=Inputs(train=digits(0, 20, flat=True)))


@pytest.mark.parametrize(
    ("mitigation", "params", "words"),
    [
        (BitDepth, {"bits": 0}, "bits"),
        (BlockRounding, {"step": 0.0}, "step"),
        (SpatialSmoothing, {"size": 4}, "odd"),
        (TotalVariation, {"iterations": 0}, "iterations"),
        (TotalVariation, {"weight": float("nan")}, "weight"),
        (RandomResizing, {"copies": 0}, "copies"),
        (FeatureSqueezing, {"size": 1}, "odd"),
        (Ensemble, {"members": 1}, "members"),
        (Ensemble, {"diversity": -1.0}, "diversity"),
        (Dropout, {"share": 1.0}, "share"),
    ],
)
def test_numbers_that_mean_nothing_are_refused_with_what_was_expected(mitigation, params, words):
    with pytest.raises(UsageError, match=words):
        made(mitigation, **params)


def test_without_bounds_there_are_no_levels():
    data = Dataset(x=np.zeros((2, 3)), y=np.zeros(2, int), name="d", sha256="", indices=np.arange(2))
    given = SklearnSubject(estimator(), options=Options(name="net"))
    with pytest.raises(UsageError, match="bounds"):
        made(BitDepth, given, inputs=Inputs(test=data))


def test_without_torch_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="torch"):
        transforming.need_torch("bit-depth")


@pytest.mark.parametrize("mitigation", [BitDepth, Ensemble], ids=lambda one: one.__name__)
def test_with_nothing_to_spend_nothing_is_made(mitigation):
    with pytest.raises(BudgetSpent):
        made(mitigation, budget=StopAfter(0))


def test_an_ensemble_that_learnt_on_worst_inputs_withstands_what_one_that_did_not_does_not():
    training = {"epochs": 8, "batch_size": 64, "learning_rate": 5e-3, "members": 2, "eps": EPS}
    clean = made(Ensemble, learn="clean", **training)
    worst = made(Ensemble, learn="worst", **training)
    assert robust(worst) > robust(clean) + 0.15
    data = digits(1000, 1200)
    assert (worst.labels(data.x) == data.y).mean() > 0.85


def test_a_random_member_is_told_as_random():
    two = made(Ensemble, learn="clean", answer="random", members=2, epochs=2, batch_size=64)
    x = digits(1000, 1100).x
    assert len({two.scores(x).tobytes() for _ in range(10)}) == 2


@pytest.mark.parametrize("mitigation", [Dropout, BatchNormalisation], ids=lambda one: one.__name__)
def test_layers_for_the_training_leave_a_network_of_the_same_build(mitigation):
    better = made(mitigation, epochs=4, batch_size=64)
    assert set(better.module.state_dict()) == set(subject().module.state_dict())
    data = digits(1000, 1200)
    assert (better.labels(data.x) == data.y).mean() > 0.85
    assert better.ref.digest != subject().ref.digest

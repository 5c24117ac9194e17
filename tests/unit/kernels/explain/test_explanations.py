"""Explanations say what the model does, and a judge that knows the truth tells the good from the random."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from redan.kernels.draws import sample_keys, uniform
from redan.kernels.explain.attribution import importance
from redan.kernels.explain.deletion import deletion, left_at_random
from redan.kernels.explain.drawing import sheet
from redan.kernels.explain.networks import grad_cam, integrated_gradients, last_convolution, occlusion, saliency
from redan.kernels.explain.regions import carried, strongest
from redan.kernels.explain.single_columns import alone
from redan.kernels.explain.surrogates import scorecard, tree
from redan.kernels.explain.tables import kernel_shap, lime, permutation_shap, tree_shap
from redan.kernels.probabilities import probabilities_of


@pytest.fixture(scope="module")
def cancer():
    x, y = load_breast_cancer(return_X_y=True)
    return (x - x.mean(axis=0)) / x.std(axis=0), y


@pytest.fixture(scope="module")
def convolution():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 6, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(384, 10)
        )
        x, y = load_digits(return_X_y=True)
        x = torch.tensor(x / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
        optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
        for _ in range(40):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(x[:1000]), torch.tensor(y[:1000])).backward()
            optimiser.step()
    return net.eval(), x[1000:1040]


def test_integrated_gradients_add_up_to_the_difference_of_the_scores(convolution) -> None:
    net, x = convolution
    classes, baseline = net(x).argmax(1), torch.zeros(1, 1, 8, 8)
    told = integrated_gradients(net, x, classes, baseline=baseline)
    rows = torch.arange(len(x))
    moved = (net(x)[rows, classes] - net(baseline)[0, classes]).detach().numpy()
    assert np.allclose(told.values.sum(axis=(1, 2, 3)), moved, atol=0.05 * np.abs(moved).max())


def test_on_images_what_is_called_important_makes_the_answer_fall(convolution) -> None:
    net, x = convolution
    classes, baseline = net(x).argmax(1), x.mean(dim=0, keepdim=True)
    told = {
        "ig": integrated_gradients(net, x, classes, baseline=baseline),
        "occlusion": occlusion(net, x, classes, baseline=baseline, window=2),
        "cam": grad_cam(net, x, classes, layer=last_convolution(net)),
        "saliency": saliency(net, x, classes),
    }
    ask = lambda v: probabilities_of(net(torch.tensor(v, dtype=torch.float32)).detach().numpy(), "logits")  # noqa: E731
    keys, wide = sample_keys(0, "t", np.arange(len(x))), x.numpy().astype(np.float64)
    random = left_at_random(ask, wide, classes.numpy(), baseline.numpy()[0], keys=keys)
    found = {
        name: deletion(ask, wide, classes.numpy(), one.values, baseline.numpy()[0], random=random).faithfulness
        for name, one in told.items()
    }
    assert found["ig"][1] > 0.1
    assert found["occlusion"][1] > 0.1
    noise = uniform(keys, x.shape[1:], stream=99).astype(np.float64)
    value, low, high = deletion(ask, wide, classes.numpy(), noise, baseline.numpy()[0], random=random).faithfulness
    assert low < 0 < high or abs(value) < 0.05, "noise explains nothing"
    assert all(one.values.shape == x.shape for one in told.values())


def test_shapley_values_of_a_linear_model_are_its_terms(cancer) -> None:
    x, _ = cancer
    weights = np.linspace(-1, 1, x.shape[1])
    ask = lambda v: np.stack([-(v @ weights), v @ weights], axis=1)  # noqa: E731
    background = x[200:240]
    for explain in (permutation_shap, kernel_shap):
        told = explain(ask, x[:4], np.ones(4, int), background, seed=0)
        assert np.allclose(told.values, (x[:4] - background.mean(axis=0)) * weights, atol=1e-6), told.method
        assert told.calls > 4


def test_lime_points_the_same_way_as_a_linear_models_terms(cancer) -> None:
    x, y = cancer
    model = LogisticRegression(max_iter=500).fit(x, y)
    classes = model.predict(x[:6])
    told = lime(model.predict_proba, x[:6], classes, x[100:200], seed=0)
    truth = np.where(classes == 1, 1, -1)[:, None] * (x[:6] - x[100:200].mean(axis=0)) * model.coef_[0]
    assert np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(told.values, truth, strict=True)]) > 0.7


@pytest.mark.parametrize("kind", [RandomForestClassifier, GradientBoostingClassifier, DecisionTreeClassifier])
def test_tree_shap_adds_up_for_the_class_that_was_answered(cancer, kind) -> None:
    x, y = cancer
    model = kind(random_state=0).fit(x, y)
    told = tree_shap(model, x[:10], np.ones(10, int))
    other = tree_shap(model, x[:10], np.zeros(10, int))
    assert np.allclose(told.values, -other.values, atol=1e-8), "two classes speak against each other"
    scored = (
        model.decision_function(x[:10]) if hasattr(model, "decision_function") else model.predict_proba(x[:10])[:, 1]
    )
    base = scored - told.values.sum(axis=1)
    assert base.std() < 1e-6, "what is left over is the same for every row"


def test_boosters_explain_themselves_as_shap_does(cancer) -> None:
    import shap
    from lightgbm import LGBMClassifier
    from xgboost import XGBClassifier

    x, y = cancer
    for model in (LGBMClassifier(n_estimators=10, verbose=-1), XGBClassifier(n_estimators=10)):
        model.fit(x, y)
        told = tree_shap(model, x[:8], np.ones(8, int))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # shap tells of its own changes
            theirs = np.asarray(shap.TreeExplainer(model).shap_values(x[:8]))
        theirs = theirs[1] if theirs.ndim == 3 and len(theirs) == 2 else theirs
        assert np.allclose(told.values, theirs, atol=1e-4), type(model).__name__


def test_explaining_leaves_the_global_random_state_alone(cancer) -> None:
    x, y = cancer
    model = LogisticRegression(max_iter=500).fit(x, y)
    np.random.seed(5)  # noqa: NPY002 - the stream that must be left alone
    expected = np.random.RandomState(5).rand(3)
    first = permutation_shap(model.predict_proba, x[:2], np.ones(2, int), x[:20], seed=1)
    lime(model.predict_proba, x[:2], np.ones(2, int), x[:20], seed=1)
    again = permutation_shap(model.predict_proba, x[:2], np.ones(2, int), x[:20], seed=1)
    assert np.array_equal(np.random.rand(3), expected)  # noqa: NPY002
    assert np.array_equal(first.values, again.values)


def test_a_small_tree_is_its_own_surrogate_and_says_its_rules(cancer) -> None:
    x, y = cancer
    model = DecisionTreeClassifier(max_leaf_nodes=4, random_state=0).fit(x, y)
    columns, told = [f"c{i}" for i in range(30)], model.predict(x)
    found = tree(x[:400], told[:400], x[400:], told[400:], leaves=8, columns=columns, classes=("bad", "good"), seed=0)
    assert found.agrees.mean() > 0.98
    assert "class: good" in found.text
    assert found.size <= 8


def test_a_scorecard_adds_whole_points_to_the_models_answers(cancer) -> None:
    x, y = cancer
    told = LogisticRegression(max_iter=500).fit(x[:, :4], y).predict(x[:, :4])
    found = scorecard(
        x[:400, :4], told[:400], x[400:, :4], told[400:], columns=["a", "b", "c", "d"], classes=("bad", "good")
    )
    assert found.agrees.mean() > 0.85
    lines = found.text.splitlines()
    assert lines[0] == "points for good"
    assert all(line.rpartition(": ")[2].lstrip("+-").isdigit() for line in lines[1:])


def test_a_column_that_knows_the_answer_is_found_among_noise() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600)
    x = rng.normal(size=(600, 6))
    x[:, 4] = np.where(y == 2, 1.0, 0.0) + rng.normal(scale=0.01, size=600)
    found = alone(x, y, seed=0)
    assert (found[0].column, found[0].of_class) == (4, 2)
    assert found[0].auc.low > 0.99
    assert found[1].auc.value < 0.62


def test_a_region_that_decides_is_told_from_one_that_does_not() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((60, 1, 12, 12)) * 0.5
    x[:10, :, 9:12, 9:12] = 1.0
    labels = lambda v: np.where(v[:, 0, 9:12, 9:12].min(axis=(1, 2)) >= 1, 3, (v.sum(axis=(1, 2, 3)) > 36) * 1)  # noqa: E731
    values = np.zeros_like(x)
    values[:, :, 9:12, 9:12] = 1.0
    corner = strongest(values, 3)
    assert (corner == 9).all()
    found = carried(labels, x, labels(x), corner, size=3, keys=sample_keys(0, "t", np.arange(60)))
    assert (found.taken[:10] == found.hosts).all()
    assert (found.random[:10] < found.hosts).mean() > 0.8
    assert (found.taken[10:] < found.hosts).mean() > 0.9


def test_importance_is_the_mean_size_and_the_sheet_is_a_picture() -> None:
    values = np.array([[[1.0, -3.0]], [[-1.0, 1.0]]])
    assert importance(values).tolist() == [1.0, 2.0]
    drawn = sheet(np.zeros((2, 1, 8, 8)), [np.ones((2, 1, 8, 8))], low=0, high=1)
    assert drawn.startswith(b"\x89PNG")

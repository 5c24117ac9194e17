"""Each detector's number against its definition, and torch's version against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter
from scipy.spatial.distance import cdist
from torch import nn

from redan.core.errors import ShapeMismatch
from redan.kernels.attacks.ball import Box
from redan.kernels.detectors import adaptive, mahalanobis, neighbours
from redan.kernels.detectors.penultimate import penultimate
from redan.kernels.detectors.squeezing import fewer_levels, median, squeezing

RNG = np.random.default_rng(0)
LABELS = np.arange(600) % 3
FEATURES = RNG.normal(size=(600, 5)) @ RNG.normal(size=(5, 5)) + LABELS[:, None] * 3.0
OTHERS = RNG.normal(size=(50, 5)) * 4


def test_mahalanobis_is_the_distance_under_the_shared_covariance() -> None:
    detector = mahalanobis.fit(FEATURES, LABELS)
    means = np.stack([FEATURES[k == LABELS].mean(0) for k in range(3)])
    shared = np.cov((FEATURES - means[LABELS]).T, bias=True)
    shared += mahalanobis.RIDGE * np.trace(shared) / 5 * np.eye(5)
    far = [cdist(OTHERS, mean[None], "mahalanobis", VI=np.linalg.inv(shared))[:, 0] ** 2 for mean in means]
    assert detector.scores(OTHERS) == pytest.approx(np.min(far, axis=0))


def test_scores_do_not_depend_on_the_batch() -> None:
    one, other = mahalanobis.fit(FEATURES, LABELS), neighbours.fit(FEATURES, k=3, seed=0)
    for detector in (one, other):
        alone = np.concatenate([detector.scores(row[None]) for row in FEATURES])
        assert detector.scores(FEATURES) == pytest.approx(alone, rel=1e-5, abs=1e-3)


def test_neighbours_is_the_exact_distance_to_the_kth_row() -> None:
    detector = neighbours.fit(FEATURES, k=4, seed=0)
    far = cdist(neighbours.unit_rows(OTHERS), neighbours.unit_rows(FEATURES))
    assert detector.scores(OTHERS) == pytest.approx(np.sort(far, axis=1)[:, 3], abs=1e-3)


def test_neighbours_keeps_a_sample_that_the_seed_draws() -> None:
    first, again, other = (neighbours.fit(FEATURES, k=1, seed=s, most=100) for s in (0, 0, 1))
    assert first.kept.shape == (100, 5)
    assert (first.kept == again.kept).all()
    assert not (first.kept == other.kept).all()


def test_what_is_no_number_is_infinitely_suspicious() -> None:
    rows = np.full((2, 5), np.nan)
    assert np.isinf(mahalanobis.fit(FEATURES, LABELS).scores(rows)).all()
    assert np.isinf(neighbours.fit(FEATURES, k=1, seed=0).scores(rows)).all()


@pytest.mark.parametrize("rows", [np.zeros((2, 4)), np.zeros(5)])
def test_other_widths_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match=r"\(n, 5\) are expected"):
        mahalanobis.fit(FEATURES, LABELS).scores(rows)
    with pytest.raises(ShapeMismatch, match=r"\(n, 5\) are expected"):
        neighbours.fit(FEATURES, k=1, seed=0).scores(rows)


def test_squeezing_rounds_and_smooths_as_defined() -> None:
    pictures = RNG.random((2, 1, 6, 7)).astype(np.float32)
    assert sorted(np.unique(fewer_levels(pictures, 0, 1, 1))) == [0.0, 1.0]
    smooth = median(pictures, 3)
    assert smooth[0, 0] == pytest.approx(median_filter(pictures[0, 0], size=3, mode="mirror"))


def test_squeezing_is_the_largest_distance_of_probabilities() -> None:
    rows = RNG.random((4, 6)).astype(np.float32)
    detector = squeezing(Box(low=0, high=1), bits=1)

    def probabilities(x: np.ndarray) -> np.ndarray:
        first = x[:, :1].astype(float)
        return np.concatenate([first, 1 - first], axis=1)

    expected = 2 * np.abs(rows[:, 0] - np.rint(rows[:, 0]))
    assert detector.scores(rows, probabilities) == pytest.approx(expected, abs=1e-6)


def net() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5), nn.ReLU(), nn.Linear(5, 3))


def test_the_hook_reads_what_enters_the_last_layer_and_goes_away() -> None:
    model, rows = net(), torch.rand(4, 1, 6, 6)
    read = penultimate(model, model, rows)
    assert torch.allclose(model[-1](read(rows)), model(rows))
    assert read(rows.requires_grad_(True)).requires_grad
    assert not any(layer._forward_pre_hooks for layer in model.modules())


def test_a_net_without_such_a_layer_is_refused() -> None:
    model = nn.Flatten()
    with pytest.raises(ShapeMismatch, match="no linear or convolutional layer"):
        penultimate(model, model, torch.rand(1, 2))


def test_torch_scores_are_numpys() -> None:
    model, rows = net().eval(), torch.rand(30, 1, 6, 6, generator=torch.Generator().manual_seed(1))
    read = penultimate(model, model, rows)
    features = read(rows).detach().numpy()
    one, other = mahalanobis.fit(features, np.arange(30) % 3), neighbours.fit(features, k=2, seed=0)
    squeezed = squeezing(Box(low=0, high=1))

    def probabilities(x: np.ndarray) -> np.ndarray:
        return model(torch.from_numpy(x)).softmax(1).detach().numpy()

    pairs = [
        (adaptive.mahalanobis(one, read), one.scores(features)),
        (adaptive.neighbours(other, read), other.scores(features)),
        (adaptive.squeezing(squeezed, model), squeezed.scores(rows.numpy(), probabilities)),
    ]
    for suspicion, expected in pairs:
        assert suspicion(rows).detach().numpy() == pytest.approx(expected, rel=1e-3, abs=1e-3)
        leaf = rows.clone().requires_grad_(True)
        suspicion(leaf).sum().backward()
        assert leaf.grad is not None
        assert float(leaf.grad.abs().sum()) > 0


def test_the_wrapped_model_errs_exactly_where_the_model_errs_undetected() -> None:
    rows = torch.rand(400, 2, generator=torch.Generator().manual_seed(0)) * 4 - 2
    both = adaptive.undetected(
        lambda x: torch.cat([x, x[:, :1] * 0], 1), lambda x: x[:, 1], threshold=0.5, label=0, weight=3
    )
    fell = both(rows).argmax(1) != 0
    errs = torch.cat([rows, rows[:, :1] * 0], 1).argmax(1) != 0
    silent = rows[:, 1] <= 0.5
    assert (fell == (errs & silent)).all()
    assert 0 < int(fell.sum()) < int(errs.sum())

"""Planted rows among drawn activations: found where they are, and not where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from redan.kernels.backdoors.likelihood import INDEX_BAR, index, scan
from redan.kernels.backdoors.rows import planted
from redan.kernels.backdoors.spectral import removed, spectrum

CLASSES, EACH, COLUMNS = 6, 300, 20


def drawn(seed: int, *, away: float = 0.0, count: int = 25) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal activations around a centre for each class; some rows of class 2 lie further along a fixed line."""
    draws = np.random.default_rng(seed)
    y = np.repeat(np.arange(CLASSES), EACH)
    mixing = draws.normal(size=(COLUMNS, COLUMNS))
    x = 5 * draws.normal(size=(CLASSES, COLUMNS))[y] + draws.normal(size=(len(y), COLUMNS)) @ mixing
    mask = np.zeros(len(y), bool)
    mask[2 * EACH : 2 * EACH + count] = away > 0
    # a distance that no scale or turn of the columns changes
    x[mask] += away * (draws.normal(size=COLUMNS) / COLUMNS**0.5) @ mixing
    return np.exp(x / 20), y, mask


@pytest.mark.parametrize("seed", range(5))
def test_planted_rows_are_found_and_few_others(seed: int) -> None:
    x, y, mask = drawn(seed, away=14)
    found = planted([x[:, ::2], x], y)
    assert found.alarmed.tolist() == [2]
    assert found.flagged[mask].mean() >= 0.9
    assert mask[found.flagged].mean() >= 0.9
    assert found.score[mask].min() > np.median(found.score[y == 2])


@pytest.mark.parametrize("seed", range(20))
def test_clean_classes_raise_no_alarm(seed: int) -> None:
    x, y, _ = drawn(seed)
    found = planted([x], y)
    assert found.alarmed.tolist() == []
    assert not found.flagged.any()


def test_a_split_that_every_class_shows_is_no_alarm() -> None:
    x, y, _ = drawn(0)
    x[::7] += 30
    assert scan(x, y).index.max() < INDEX_BAR


def test_columns_on_other_scales_change_nothing() -> None:
    x, y, mask = drawn(1, away=14)
    scaled = np.concatenate([x, np.zeros((len(x), 3))], axis=1)
    assert (planted([scaled], y).flagged == planted([x], y).flagged).all()
    assert mask.any()


def test_small_classes_are_left_out_and_one_class_is_too_few() -> None:
    x, y, _ = drawn(2)
    keep = (y != 0) | (np.arange(len(y)) < 10)
    found = planted([x[keep]], y[keep])
    assert 0 not in found.classes
    assert np.isneginf(found.score[y[keep] == 0]).all()
    with pytest.raises(ValueError, match="1 classes have 200 rows or more"):
        scan(x[y == 1], y[y == 1])


def test_a_group_that_trusted_rows_show_too_is_natural() -> None:
    x, y, mask = drawn(5, away=14)
    half = np.arange(len(y)) % 2 == 0
    assert planted([x], y, ([x[~mask]], y[~mask])).alarmed.tolist() == [2]
    wide, labels = np.concatenate([x] * 2), np.concatenate([y] * 2)
    found = planted([wide], labels, ([x[half]], y[half]))
    assert found.alarmed.tolist() == []
    assert found.natural[found.classes == 2].all()
    assert found.highest < INDEX_BAR


def test_constant_activations_raise_no_alarm() -> None:
    _, y, _ = drawn(0)
    assert scan(np.zeros((len(y), 5)), y).index.max() < INDEX_BAR


def test_the_index_is_relative_to_the_other_classes() -> None:
    assert index(np.asarray([5.0, 5.1, 4.9, 5.0, 10.0]))[-1] > INDEX_BAR
    assert index(np.asarray([10.0, 10.0, 10.0])).tolist() == [0, 0, 0]


def test_spectral_scores_centre_each_class_and_put_planted_rows_first() -> None:
    x, y, mask = drawn(3, away=30)
    found = spectrum(x, y)
    own = y == 2
    assert mask[own][np.argsort(-found.score[own])[: mask.sum()]].mean() >= 0.9
    shifted = spectrum(x + 100 * y[:, None], y)
    assert np.allclose(shifted.score, found.score, rtol=1e-5)


def test_spectral_removal_takes_as_many_of_each_class_and_never_more_than_half() -> None:
    x, y, _ = drawn(4)
    marked = removed(spectrum(x, y), y, 0.01)
    assert [int(marked[y == c].sum()) for c in range(CLASSES)] == [round(1.5 * 0.01 * len(y))] * CLASSES
    assert removed(spectrum(x, y), y, 0.4).mean() == pytest.approx(0.5)

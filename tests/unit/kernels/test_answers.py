"""Answers that are told less exactly keep their top class and tell no more than they should."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from redan.kernels import answers
from redan.kernels.draws import content, sample_keys


def drawn(seed: int) -> np.ndarray:
    """Return 12 rows of 5 probabilities, some of them very sure."""
    rng = np.random.default_rng(seed)
    return answers.probabilities(rng.normal(0, 4, (12, 5)), kind="logits")


@given(st.integers(0, 2**32 - 1))
def test_every_change_keeps_the_top_class_or_ties_for_it(seed: int) -> None:
    p = drawn(seed)
    top, keys = p.argmax(axis=1), sample_keys(0, "rule", np.arange(12))
    changed = (
        answers.rounded(p, 1),
        answers.tempered(p, 5.0),
        answers.shortened(p, 2),
        answers.noised(p, keys, 3.0),
    )
    for one in changed:
        told = answers.topped(one, top)
        assert (told[np.arange(12), top] == told.max(axis=1)).all()
        assert np.isfinite(told).all()


def test_a_change_that_moves_the_top_is_mended_by_changing_places() -> None:
    told = answers.topped(np.array([[0.2, 0.5, 0.3]]), np.array([2]))
    assert told.tolist() == [[0.2, 0.3, 0.5]]


def test_shortened_answers_tell_k_numbers_and_spread_the_rest() -> None:
    p = np.array([[0.5, 0.3, 0.15, 0.05]])
    np.testing.assert_allclose(answers.shortened(p, 2), [[0.5, 0.3, 0.1, 0.1]])
    assert answers.shortened(p, 4) is p


def test_temperature_one_changes_nothing_and_a_high_one_flattens() -> None:
    p = drawn(3)
    np.testing.assert_allclose(answers.tempered(p, 1.0), p, atol=1e-9)
    assert answers.tempered(p, 1e5).max() < 0.201


def test_noise_is_the_same_for_the_same_values() -> None:
    x = np.arange(24.0).reshape(12, 2)
    p = drawn(1)
    one = answers.noised(p, sample_keys(0, "rule", content(x)), 1.0)
    again = answers.noised(p[::-1], sample_keys(0, "rule", content(x[::-1])), 1.0)
    np.testing.assert_array_equal(one, again[::-1])
    other = answers.noised(p, sample_keys(1, "rule", content(x)), 1.0)
    assert np.abs(one - other).max() > 0.01

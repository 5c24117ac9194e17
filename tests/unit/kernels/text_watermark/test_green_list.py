"""A mark that the key reads, that nobody else's text carries, and that fades as words are replaced."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.kernels.text_watermark.generating import Marking
from redan.kernels.text_watermark.green_list import Mark, at_least, green, pushed, read

KEY = bytes(range(32))
VOCABULARY = 500


def written(mark: Mark | None, length: int, seed: int) -> list[int]:
    """A text of a bigram model: after each token some are likelier, as in language."""
    rng = np.random.default_rng(seed)
    habits = np.random.default_rng(1).normal(scale=1.5, size=(VOCABULARY, VOCABULARY))
    tokens = [int(rng.integers(VOCABULARY))]
    while len(tokens) < length:
        logits = habits[tokens[-1]]
        if mark is not None:
            logits = pushed(mark, tokens, logits)
        weights = np.exp(logits - logits.max())
        tokens.append(int(rng.choice(VOCABULARY, p=weights / weights.sum())))
    return tokens


def test_the_key_reads_a_mark_of_two_hundred_tokens() -> None:
    found = [read(Mark(key=KEY), written(Mark(key=KEY), 200, seed)) for seed in range(10)]
    assert max(one.p_value for one in found) < 1e-6


def test_another_key_and_an_unmarked_text_read_nothing() -> None:
    marked = written(Mark(key=KEY), 200, 0)
    assert read(Mark(key=KEY[::-1]), marked).p_value > 1e-3
    assert read(Mark(key=KEY), written(None, 200, 0)).p_value > 1e-3


def test_false_alarms_over_many_keys_are_as_rare_as_the_p_value_says() -> None:
    text = written(None, 150, 3)
    texts = 2000
    found = np.array([read(Mark(key=i.to_bytes(16, "big")), text).p_value for i in range(texts)])
    for level in (0.05, 0.01, 0.001):
        # never more than the level, up to four deviations of the count
        assert (found <= level).sum() <= texts * level + 4 * math.sqrt(texts * level), level
    assert (found <= 0.2).mean() > 0.1, "a p-value that never falls proves nothing either"


def test_a_repeated_phrase_counts_once() -> None:
    mark = Mark(key=KEY)
    once = read(mark, [1, 2, 3, 4, 5])
    assert read(mark, [1, 2, 3, 4, 5] * 30).n == once.n + 1


def test_the_mark_fades_as_tokens_are_replaced() -> None:
    mark, rng = Mark(key=KEY), np.random.default_rng(0)
    text = written(mark, 400, 5)
    readings = []
    for share in (0.0, 0.1, 0.3, 0.9):
        changed = [int(rng.integers(VOCABULARY)) if rng.random() < share else token for token in text]
        readings.append(read(mark, changed).p_value)
    assert readings == sorted(readings)
    assert readings[2] < 1e-4
    assert readings[3] > 1e-3


def test_the_step_of_generation_raises_what_the_reader_calls_green() -> None:
    mark = Mark(key=KEY, push=3.0)
    scores = torch.zeros(2, VOCABULARY)
    moved = Marking(mark)(torch.tensor([[4, 7], [4, 9]]), scores)
    for row, last in enumerate((7, 9)):
        assert np.array_equal(moved[row].numpy() == 3.0, green(mark, [last], np.arange(VOCABULARY)))
    assert 0.15 < float((moved > 0).float().mean()) < 0.35
    assert torch.equal(Marking(Mark(key=KEY, context=3))(torch.tensor([[1]]), scores[:1]), scores[:1])


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 60), share=st.floats(0.05, 0.95), data=st.data())
def test_the_p_value_is_the_sum_of_the_binomial_tail(n: int, share: float, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    tail = sum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(hits, n + 1))
    assert at_least(hits, n, share) == pytest.approx(max(tail, 1e-300), rel=1e-6)


@pytest.mark.parametrize("wrong", [{"key": b"short"}, {"share": 1.0}, {"push": -1.0}, {"context": 0}])
def test_what_is_no_mark_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"key|numbers"):
        Mark(**{"key": KEY, **wrong})

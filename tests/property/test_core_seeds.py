"""A draw belongs to its key: not to a moment, an order or a neighbour."""

from __future__ import annotations

from collections import Counter

from hypothesis import assume, given
from hypothesis import strategies as st

from redan.core.seeds import derive

KEYS = st.lists(st.one_of(st.text(st.characters(codec=None, exclude_categories=())), st.integers()), max_size=4)
TRICKY = st.lists(st.one_of(st.text("|:0123456789strint\x1f", max_size=12), st.integers(0, 20)), max_size=4)


@given(st.integers(), st.one_of(KEYS, TRICKY))
def test_a_seed_is_64_bits_and_always_the_same(seed: int, keys: list[str | int]) -> None:
    assert 0 <= derive(seed, *keys) < 2**64
    assert derive(seed, *keys) == derive(seed, *keys)


@given(st.integers(), TRICKY, TRICKY)
def test_different_keys_give_different_seeds(seed: int, one: list[str | int], other: list[str | int]) -> None:
    assume(one != other)
    assert derive(seed, *one) != derive(seed, *other)


@given(st.integers(), st.integers(), KEYS)
def test_different_roots_give_different_seeds(one: int, other: int, keys: list[str | int]) -> None:
    assume(one != other)
    assert derive(one, *keys) != derive(other, *keys)


def test_a_key_cannot_hold_another_keys_text() -> None:
    assert derive(0, "a\x1fstr:b") != derive(0, "a", "b")
    assert derive(0, "a|str:1:b") != derive(0, "a", "b")
    assert derive(0, "7") != derive(0, 7)
    assert derive(1, 2) != derive(12)


def test_order_of_drawing_changes_nothing() -> None:
    forwards = {i: derive(3, "RDN-EVA-001", i) for i in range(100)}
    backwards = {i: derive(3, "RDN-EVA-001", i) for i in reversed(range(100))}
    assert forwards == backwards
    assert derive(3, 1, 2) != derive(3, 2, 1)


def test_bits_are_balanced() -> None:
    # 1000 fair bits stay within 5 standard deviations (79) of 500 in each of 64 places
    seeds = [derive(0, "balance", i) for i in range(1000)]
    ones = [sum(seed >> bit & 1 for seed in seeds) for bit in range(64)]
    assert all(abs(count - 500) < 79 for count in ones)
    assert max(Counter(seeds).values()) == 1

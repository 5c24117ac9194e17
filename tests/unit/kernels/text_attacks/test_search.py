"""Words, edits, and the search for the few that count."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.small_texts import pipeline, text_rows

from redan.kernels.draws import sample_keys
from redan.kernels.text_attacks.asking import Asking
from redan.kernels.text_attacks.characters import KINDS, misspelt
from redan.kernels.text_attacks.search import Limits, search
from redan.kernels.text_attacks.slots import MOST_SLOTS, edit_distance, edits_between, slots

KEY = sample_keys(0, "test", [3])[0]


def asking(*, graded=True, left=None, stop=None):
    """Ask the small pipeline."""
    model = pipeline()
    return Asking(
        lambda x: np.searchsorted(model.classes_, model.predict(x)),
        (lambda x: np.log(model.predict_proba(x))) if graded else None,
        charge=lambda n: None,
        stop=stop or (lambda: None),
        left=lambda: left,
    )


def propose(word, key, place):
    return misspelt(word, key, place, kinds=KINDS, edits=1, tries=2)


def attack(rows, **more):
    """Attack rows with edits of characters."""
    access = asking(**more)
    keys = list(sample_keys(0, "test", rows.indices))
    walkers = search(access, rows.x.tolist(), rows.y.tolist(), keys, propose, Limits(words=4, share=0.5))
    return walkers, access


@given(st.text())
@settings(max_examples=60, deadline=None)
def test_a_text_without_changes_comes_back_as_it_was(text):
    assert slots(text).joined({}) == text


def test_words_behind_the_last_slot_stay_as_they_are():
    text = "ab " * (MOST_SLOTS + 5)
    parts = slots(text)
    assert len(parts.words) == MOST_SLOTS
    assert parts.joined({0: "x"}) == "x " + text[3:]


@given(st.text(max_size=12), st.text(max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_edit_distance_is_a_distance(one, other):
    found = edits_between(one, other)
    assert found == edits_between(other, one)
    assert (found == 0) == (one == other)
    assert abs(len(one) - len(other)) <= found <= max(len(one), len(other))


@given(st.from_regex(r"[a-zA-Z]{1,14}", fullmatch=True), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_forms_of_a_word_keep_the_limit_of_edits(word, edits):
    forms = misspelt(word, KEY, 5, kinds=KINDS, edits=edits, tries=2)
    # a swap of two letters is one slip and two edits of Levenshtein's
    assert all(0 < edits_between(word, form) <= 2 * edits for form in forms)
    assert forms == misspelt(word, KEY, 5, kinds=KINDS, edits=edits, tries=2)
    assert len(word) >= 3 or not forms


def test_what_is_found_makes_the_model_err_within_the_limits():
    rows, model = text_rows(2000, 2040), pipeline()
    walkers, access = attack(rows)
    fell = [w for w in walkers if w.best]
    assert len(fell) > 10
    for w in fell:
        assert len(w.best) <= w.allowed <= 4
        assert edit_distance(w.text, w.best) <= 2 * len(w.best)
        assert model.predict([w.text.joined(w.best)])[0] != model.classes_[w.truth]
    assert access.calls <= 1 + 1 + 4 * 6 + 4


def test_no_change_of_a_found_text_can_be_taken_back():
    rows, model = text_rows(2000, 2040), pipeline()
    walkers, _ = attack(rows)
    for w in (w for w in walkers if w.best and len(w.best) > 1):
        for at in w.best:
            kept = {place: word for place, word in w.best.items() if place != at}
            assert model.predict([w.text.joined(kept)])[0] == model.classes_[w.truth]


def test_a_text_is_attacked_alike_alone_and_among_others():
    rows = text_rows(2000, 2012)
    together, _ = attack(rows)
    for number in (0, 5, 11):
        alone, _ = attack(text_rows(2000 + number, 2001 + number))
        assert alone[0].best == together[number].best


def test_labels_alone_find_some_and_never_more_than_scores_could():
    rows = text_rows(2000, 2040)
    blind, _ = attack(rows, graded=False)
    seeing, _ = attack(rows)
    assert 0 < sum(bool(w.best) for w in blind) <= sum(bool(w.best) for w in seeing)


def test_too_few_queries_end_the_search_before_they_are_asked():
    walkers, access = attack(text_rows(2000, 2010), left=10)
    assert access.queries == 10
    assert access.answered is not None
    assert "10 queries are left" in access.reason
    assert not any(w.best for w in walkers)


def test_texts_without_words_are_left_alone():
    access = asking()
    walkers = search(access, ["", "?!"], [0, 1], list(sample_keys(0, "t", [0, 1])), propose, Limits())
    assert all(not w.best for w in walkers)

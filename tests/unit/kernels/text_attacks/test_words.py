"""Look-alikes and the way back, words of the same company, triggers."""

from __future__ import annotations

import numpy as np
import pytest
from tests.small_texts import TELLING, text_rows
from tests.unit.kernels.text_attacks.test_search import asking

from redan.kernels.text_attacks.lookalikes import BESIDE, HIDDEN, LOOKS, plain
from redan.kernels.text_attacks.mending import mender
from redan.kernels.text_attacks.neighbours import leanings, like_case, vectors
from redan.kernels.text_attacks.triggers import trigger


@pytest.mark.parametrize(("letter", "look"), LOOKS.items())
def test_every_lookalike_comes_back(letter, look):
    assert not look.isascii()
    assert plain(f"x{look}yz") == f"x{letter}yz"


def test_hidden_signs_and_compatibility_forms_go():
    assert plain("ca" + HIDDEN + "t") == "cat"
    assert plain("ﬁne ｔｅｘｔ") == "fine text"


def test_words_of_another_script_stay():
    assert plain("привет мир") == "привет мир"


def test_keys_lie_beside_one_another_both_ways():
    assert all(key in BESIDE[near] for key, all_near in BESIDE.items() for near in all_near)
    assert set(BESIDE["s"]) == set("adwezx")


@pytest.mark.parametrize("slip", ["enigne", "engne", "enngine", "engone", "eng\u200bine", "engіne"])
def test_one_slip_in_a_known_word_is_mended(slip):
    known = mender(["the engine is an engine", "a circuit"])
    assert known.mended(f"The {slip}, runs") == "The engine, runs"


def test_known_words_and_distant_ones_are_left_alone():
    known = mender(["engine engine", "engines"])
    assert known.mended("engines gearbox egnnie") == "engines gearbox egnnie"


def test_words_of_one_kind_stand_near_one_another():
    texts = text_rows(0, 400).x.tolist()
    space = vectors(texts)
    near = space.near("engine", most=4, least=0.2)
    assert len(set(near) & set(TELLING[0])) >= 3
    assert not set(near) & set(TELLING[1])
    assert space.cosine(texts[0], texts[0]) == pytest.approx(1)


def test_vectors_do_not_depend_on_the_order_of_texts():
    texts = text_rows(0, 100).x.tolist()
    one, other = vectors(texts), vectors(texts[::-1])
    assert one.words == other.words
    assert np.allclose(one.rows, other.rows)


def test_texts_too_few_for_vectors_have_no_neighbours():
    assert vectors(["one word"]).near("one", most=3, least=0) == ()


def test_telling_words_lean_and_plain_words_do_not():
    rows = text_rows(0, 400)
    found = leanings(rows.x.tolist(), rows.y.tolist())
    assert found["engine"][0] > 0.5 > -0.5 > found["engine"][1]
    assert abs(found["yesterday"][0]) < 0.2


def test_capitals_are_kept():
    assert [like_case("good", word) for word in ("fine", "Fine", "FINE")] == ["good", "Good", "GOOD"]


def test_a_trigger_pushes_texts_to_the_other_class():
    rows = text_rows(0, 40)
    chosen = np.flatnonzero(rows.y == 0)
    found = trigger(asking(), rows.x[chosen].tolist(), [0] * len(chosen), [*TELLING[1], "the", "said"], length=4)
    assert set(found.words) <= set(TELLING[1])
    assert found.fooled > 0.5


def test_a_trigger_cut_short_has_no_words():
    found = trigger(asking(left=5), ["the engine", "a motor"], [0, 0], ["goal", "coach", "match"], length=2)
    assert found.words == ()

"""FF1 gives the published sample values, turns back, and refuses domains that can be guessed through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.core.errors import ShapeMismatch, Unreadable, UsageError
from redan.kernels.pseudonyms import ALPHABETS, FF1, Preserving, column_key, one_way, token, value_of

KEY = "2B7E151628AED2A6ABF7158809CF4F3C"
LONGER = KEY + "EF4359D8D580AA4F"
LONGEST = LONGER + "7F036D6F04FC6A94"
TEN, WORD = "0123456789", "0123456789abcdefghi"
TWEAK, WIDE = "39383736353433323130", "3737373770717273373737"
SAMPLES = [
    (KEY, 10, "", TEN, "2433477484"),
    (KEY, 10, TWEAK, TEN, "6124200773"),
    (KEY, 36, WIDE, WORD, "a9tv40mll9kdu509eum"),
    (LONGER, 10, "", TEN, "2830668132"),
    (LONGER, 10, TWEAK, TEN, "2496655549"),
    (LONGER, 36, WIDE, WORD, "xbj3kv35jrawxv32ysr"),
    (LONGEST, 10, "", TEN, "6657667009"),
    (LONGEST, 10, TWEAK, TEN, "1001623463"),
    (LONGEST, 36, WIDE, WORD, "xs8a0azh2avyalyzuwd"),
]
"""Samples 1 to 9 that NIST publishes for FF1: key, radix, tweak, plaintext, ciphertext."""


@pytest.mark.parametrize(("key", "radix", "tweak", "plain", "hidden"), SAMPLES)
def test_the_published_samples_come_out(key: str, radix: int, tweak: str, plain: str, hidden: str) -> None:
    cipher = FF1(bytes.fromhex(key), radix)
    signs = ALPHABETS["lower"][:radix]
    numerals = [signs.index(sign) for sign in plain]
    encrypted = cipher.encrypt(numerals, bytes.fromhex(tweak))
    assert "".join(signs[each] for each in encrypted) == hidden
    assert cipher.decrypt(encrypted, bytes.fromhex(tweak)) == numerals


@settings(max_examples=60, deadline=None)
@given(
    radix=st.integers(2, 65536),
    tweak=st.binary(max_size=40),
    data=st.data(),
)
def test_whatever_goes_in_comes_back(radix: int, tweak: bytes, data: st.DataObject) -> None:
    least = 2
    while radix**least < 1_000_000:
        least += 1
    numerals = data.draw(st.lists(st.integers(0, radix - 1), min_size=least, max_size=least + 12))
    cipher = FF1(bytes(range(32)), radix)
    encrypted = cipher.encrypt(numerals, tweak)
    assert len(encrypted) == len(numerals)
    assert all(0 <= each < radix for each in encrypted)
    assert cipher.decrypt(encrypted, tweak) == numerals


def test_every_six_digit_number_has_a_different_image() -> None:
    cipher = FF1(bytes(16), 10)
    numbers = range(0, 1_000_000, 997)
    images = {tuple(cipher.encrypt([int(sign) for sign in f"{number:06d}"])) for number in numbers}
    assert len(images) == len(numbers)


@pytest.mark.parametrize(
    ("radix", "numerals"), [(10, [1, 2, 3, 4, 5]), (2, [0, 1] * 9), (10, [1, 2, 3, 4, 5, 10]), (10, [-1] * 8), (10, [])]
)
def test_a_small_domain_or_a_strange_numeral_is_refused(radix: int, numerals: list[int]) -> None:
    with pytest.raises(ShapeMismatch):
        FF1(bytes(16), radix).encrypt(numerals)


@pytest.mark.parametrize(("key", "radix"), [(bytes(15), 10), (bytes(16), 1), (bytes(16), 65537)])
def test_a_wrong_key_or_radix_is_refused(key: bytes, radix: int) -> None:
    with pytest.raises(UsageError):
        FF1(key, radix)


def test_punctuation_stays_and_the_rest_changes_within_its_alphabet() -> None:
    cipher = Preserving(bytes(32), "digits")
    hidden = cipher.encrypt("536-22-8726", b"ssn")
    assert hidden != "536-22-8726"
    assert [sign == "-" for sign in hidden] == [sign == "-" for sign in "536-22-8726"]
    assert cipher.decrypt(hidden, b"ssn") == "536-22-8726"
    assert cipher.encrypt("536-22-8726", b"other") != hidden


def test_a_short_value_is_refused_without_being_shown() -> None:
    with pytest.raises(ShapeMismatch) as caught:
        Preserving(bytes(32), "digits").encrypt("4-2-7-7-1")
    assert "42771" not in str(caught.value)
    assert "4-2-7-7-1" not in str(caught.value)


@given(value=st.text(max_size=40))
def test_a_token_turns_back_only_with_its_key(value: str) -> None:
    key, other = column_key(bytes(32), "name", "token"), column_key(bytes(32), "city", "token")
    made = token(key, value, prefix="p_")
    assert made == token(key, value, prefix="p_")
    assert value_of(key, made, prefix="p_") == value
    with pytest.raises(Unreadable):
        value_of(other, made, prefix="p_")


def test_one_way_tokens_differ_between_columns_and_tell_no_length() -> None:
    keys = [column_key(bytes(32), column, "one-way") for column in ("name", "city")]
    made = {one_way(key, value) for key in keys for value in ("a", "a" * 100)}
    assert len(made) == 4
    assert {len(each) for each in made} == {32}


@pytest.mark.parametrize("text", ["", "!", "aaaa", "p_zzzz", "é"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        value_of(bytes(32), text)

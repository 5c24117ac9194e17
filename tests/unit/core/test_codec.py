"""Records to and from JSON values: names, kinds and words are checked, with the nearest name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isnan, nan
from typing import Any, Literal

import pytest

from redan.core.codec import convert, decode, encode
from redan.core.errors import ConfigError
from redan.core.finding import Evidence, Finding, Scalar, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A record inside a record."""

    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """One field of each kind."""

    name: str
    count: int = 0
    share: float = 0.0
    flag: bool = False
    level: Severity = Severity.LOW
    norm: Literal["linf", "l2"] = "linf"
    pair: tuple[float, float] | None = None
    inner: Inner = field(default_factory=Inner)
    table: Mapping[str, int] = field(default_factory=dict)
    scalar: Scalar = None
    label: tuple[float | str, ...] = ()
    secret: bytes | None = field(default=None, metadata={"serialise": False})


def test_encoding_keeps_order_words_and_leaves_out_what_is_not_serialised() -> None:
    found = encode(Outer(name="n", level=Severity.HIGH, pair=(0.0, 1.0), table={"a": 1}, secret=b"x"))
    assert list(found) == [
        "name",
        "count",
        "share",
        "flag",
        "level",
        "norm",
        "pair",
        "inner",
        "table",
        "scalar",
        "label",
    ]
    assert found["level"] == "high"
    assert found["pair"] == [0.0, 1.0]
    assert found["inner"] == {"words": []}


@pytest.mark.parametrize(("value", "word"), [(inf, "Infinity"), (-inf, "-Infinity")])
def test_infinities_travel_as_words(value: float, word: str) -> None:
    assert encode(value) == word
    assert decode(Outer, {"name": "n", "share": word}).share == value
    assert decode(Outer, {"name": "n", "scalar": word}).scalar == value
    assert decode(Outer, {"name": "n", "label": [word]}).label == (value,)
    assert decode(Outer, {"name": word}).name == word


def test_nan_travels_as_a_word() -> None:
    assert encode(nan) == "NaN"
    assert isnan(decode(Outer, {"name": "n", "share": "NaN"}).share)


def test_whole_numbers_are_numbers_and_booleans_are_not() -> None:
    found = decode(Outer, {"name": "n", "share": 3, "scalar": True})
    assert (found.share, type(found.share)) == (3.0, float)
    assert found.scalar is True
    assert decode(Outer, {"name": "n", "scalar": 3}).scalar == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "name is int 3; expected str"),
        ({"count": "3"}, "count is str '3'; expected int"),
        ({"count": 3.5}, "count is float 3.5; expected int"),
        ({"count": True}, "count is True; expected int"),
        ({"share": "much"}, "share is str 'much'; expected float"),
        ({"share": False}, "share is False; expected float"),
        ({"flag": 1}, "flag is int 1; expected bool"),
        ({"level": "grave"}, "level: 'grave' is no severity; expected info, low, medium, high, critical"),
        ({"level": 3}, "level is int 3; expected Severity"),
        ({"norm": "l1"}, "norm is 'l1'; expected one of 'linf', 'l2'"),
        ({"norm": ["l2"]}, "norm is ['l2']; expected one of 'linf', 'l2'"),
        ({"pair": [1.0]}, "pair is [1.0]; expected tuple or nothing"),
        ({"inner": 3}, "inner is int 3; expected a table of settings"),
        ({"inner": {"words": "abc"}}, "inner.words is str 'abc'; expected a list"),
        ({"inner": {"words": ["a", 1]}}, "inner.words[1] is int 1; expected str"),
        ({"table": []}, "table is list []; expected a table"),
        ({"table": {"a": "b"}}, "table.a is str 'b'; expected int"),
        ({"name": None}, "name is nothing; expected str"),
        ({"secret": "x"}, "unknown key 'secret'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_kinds_are_named_with_their_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(Outer, {"name": "n", **change})
    assert caught.value.message == message


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'inner\.wrods'") as caught:
        decode(Outer, {"name": "n", "inner": {"wrods": []}})
    assert caught.value.hint == "did you mean 'words'?"
    with pytest.raises(ConfigError, match="unknown key 'zzz'") as caught:
        decode(Inner, {"zzz": 1})
    assert caught.value.hint == "known here: words"


def test_a_missing_key_and_a_document_that_is_no_table() -> None:
    with pytest.raises(ConfigError, match=r"^Outer lacks 'name', which has no default$"):
        decode(Outer, {})
    with pytest.raises(ConfigError, match=r"^Outer is list .*; expected a table of settings$"):
        decode(Outer, ["name"])


def test_a_pair_has_two_entries() -> None:
    with pytest.raises(ConfigError, match="x has 3 entries; expected 2"):
        convert(tuple[float, float], [1, 2, 3], "x")


def test_undecodable_text_survives_json() -> None:
    finding = Finding(rule="R", threat="t", subject="\udc80", title="模型 \u202e", severity=Severity.LOW)
    text = json.dumps(encode(finding), ensure_ascii=True)
    assert text.isascii()
    assert decode(Finding, json.loads(text)) == finding


def test_evidence_never_carries_its_bytes() -> None:
    blob = Evidence.of("x", b"secret bytes", "text/plain")
    assert "payload" not in encode(blob)
    assert decode(Evidence, encode(blob)).payload is None

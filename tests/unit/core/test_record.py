"""Records behave as the standard library's dataclasses do."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from redan.core.finding import Evidence, Location, Quantity
from redan.core.record import dataclass


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """The standard library's own."""

    a: int
    b: str = "x"
    c: bytes | None = dataclasses.field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The same fields, made by our decorator."""

    a: int
    b: str = "x"
    c: bytes | None = dataclasses.field(default=None, repr=False, compare=False)


def test_repr_equality_and_hash_are_the_standard_ones() -> None:
    for values in ({"a": 1}, {"a": 1, "b": "y"}, {"a": 2, "c": b"z"}):
        ours, theirs = Ours(**values), Standard(**values)
        assert repr(ours) == repr(theirs).replace("Standard", "Ours")
        assert hash(ours) == hash(theirs)
        assert ours == Ours(**{**values, "c": b"other"})
        assert ours != theirs
    assert Ours(a=1) != Ours(a=2)
    assert (Ours(a=1) == "text") is False


def test_records_are_frozen_have_slots_and_survive_a_copy() -> None:
    place = Location(uri="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        place.uri = "b"  # type: ignore[misc]  # that is what must fail
    assert not hasattr(place, "__dict__")
    assert pickle.loads(pickle.dumps(place)) == place
    assert dataclasses.replace(place, uri="b") == Location(uri="b")


def test_what_the_fields_leave_out_stays_out() -> None:
    blob = Evidence.of("a", b"bytes", "text/plain")
    assert blob == blob.stored()
    assert "payload" not in repr(blob)
    q = Quantity(name="n", value=1.0, unit="count", n=1, low=1.0, high=1.0)
    assert repr(q).startswith("Quantity(name='n', value=1.0")

"""Records behave as the standard library's dataclasses do."""

from __future__ import annotations

import copy
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked(Ours):
    """A record that inherits and looks at its values."""

    more: list[int] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if self.a < 0:
            raise ValueError("a is negative")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heir(Ours):
    """The standard library's decorator on top of ours, as a plugin would write it."""

    d: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """A record without fields."""


def test_records_inherit_from_records_and_standard_ones_from_ours() -> None:
    one, two = Checked(a=1), Checked(a=1, more=[2])
    assert (one.more, two.more, one == two) == ([], [2], False)
    assert Checked(a=1).more is not one.more
    with pytest.raises(ValueError, match="negative"):
        Checked(a=-1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        two.a = 5  # type: ignore[misc]  # that is what must fail
    assert (Heir(a=1).d, Heir(a=1, d=4).a) == (3, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Heir(a=1).d = 5  # type: ignore[misc]  # that is what must fail
    assert Empty() == Empty()
    assert copy.deepcopy(two) == two


@pytest.mark.parametrize("again", [False, True])
def test_wrong_arguments_are_refused_by_the_first_object_and_by_later_ones(again: bool) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Fresh:
        """A record of which no object was made yet."""

        a: int
        b: int = 2

    if again:
        assert Fresh(a=1).b == 2
    for values in ({}, {"a": 1, "z": 2}):
        with pytest.raises(TypeError):
            Fresh(**values)
    with pytest.raises(TypeError):
        Fresh(1)  # type: ignore[misc]  # that is what must fail


def test_anything_but_a_record_is_left_to_the_standard_library() -> None:
    with pytest.raises(TypeError, match="use dataclasses"):
        dataclass(frozen=False, slots=True, kw_only=True)

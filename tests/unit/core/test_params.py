"""Parameter sets: names and kinds are checked, and what belongs to other probes is left to them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import Any, Literal

import pytest

from redan.core.errors import UnknownName, UsageError
from redan.core.params import Params


@dataclass(frozen=True, slots=True, kw_only=True)
class Some(Params):
    """One of each kind."""

    norm: Literal["linf", "l2"] = "linf"
    eps: float | None = None
    steps: int = 10
    rate: float = 0.5
    targeted: bool = False
    name: str = ""


def test_defaults_names_and_values() -> None:
    assert Some.names() == ["norm", "eps", "steps", "rate", "targeted", "name"]
    assert Some.defaults() == Some().as_dict()
    assert Some.of({"eps": 0.1, "norm": "l2"}).as_dict() == {**Some.defaults(), "eps": 0.1, "norm": "l2"}


def test_whole_numbers_become_floats_where_floats_are_wanted() -> None:
    found = Some.of({"eps": 1, "rate": 2, "steps": 3})
    assert [type(value) for value in (found.eps, found.rate, found.steps)] == [float, float, int]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"norm": "l1"}, "parameter 'norm' is 'l1'; expected 'linf' or 'l2'"),
        ({"eps": "0.1"}, "parameter 'eps' is '0.1'; expected float or nothing"),
        ({"eps": True}, "parameter 'eps' is True; expected float or nothing"),
        ({"steps": 1.5}, "parameter 'steps' is 1.5; expected int"),
        ({"steps": None}, "parameter 'steps' is None; expected int"),
        ({"targeted": 1}, "parameter 'targeted' is 1; expected bool"),
        ({"name": 3}, "parameter 'name' is 3; expected str"),
    ],
)
def test_wrong_kinds(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Some.of(values)
    assert caught.value.message == message


def test_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no parameter named 'step'") as caught:
        Some.of({"step": 3})
    assert caught.value.hint == "did you mean 'steps'?"


def test_a_subset_leaves_other_names_to_other_probes_and_still_checks_its_own() -> None:
    assert Some.subset({"steps": 3, "max_queries": 7}) == Some(steps=3)
    with pytest.raises(UsageError, match="parameter 'steps' is 'three'"):
        Some.subset({"steps": "three", "max_queries": 7})


def test_a_set_without_parameters() -> None:
    assert Params.of({}).as_dict() == {}
    with pytest.raises(UnknownName) as caught:
        Params.of({"x": 1})
    assert caught.value.hint == "known: none"


def test_parameters_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Some().steps = 3  # type: ignore[misc]  # that it is refused is the point

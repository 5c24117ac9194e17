"""Changes that hold over views."""

from __future__ import annotations

import pytest
from tests.unit.threats.evasion.small_images import by_halves_net, halves, number, only

from redan.core.errors import UsageError
from redan.core.inputs import Inputs
from redan.threats.evasion.probes.eot import Eot


def test_within_the_difference_of_the_halves_no_view_is_fooled_and_beyond_it_all_are() -> None:
    weak = only(Eot, by_halves_net(), Inputs(test=halves(20)), plan="quick", eps=0.1)
    strong = only(Eot, by_halves_net(), Inputs(test=halves(20)), plan="quick", eps=0.5)
    assert number(weak, "viewed_accuracy") > 0.95
    assert "within noise" in weak.detail
    assert number(strong, "viewed_accuracy") < 0.1
    drop = strong.quantity("viewed_drop")
    assert drop is not None
    assert drop.low > 0.5
    assert drop.n == 20
    assert [row[0] for row in strong.tables[0].rows] == ["no change", "attacked without views", "attacked over views"]


def test_no_change_allowed_leaves_the_views_as_they_are() -> None:
    found = only(Eot, by_halves_net(), Inputs(test=halves(12)), plan="quick", eps=1e-9)
    assert number(found, "viewed_drop") == pytest.approx(0, abs=1e-9)
    assert "within noise" in found.detail


def test_views_that_do_not_exist_are_refused() -> None:
    with pytest.raises(UsageError, match="zoom"):
        only(Eot, by_halves_net(), Inputs(test=halves(4)), zoom=0.5)

"""Heat, scatter, band and histogram: what is drawn, and that no text gets out of it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from redan.core.finding import Finding, Series, Severity, Table
from redan.reports.html.scatter import Spot, front, scatter
from redan.reports.html.series import figures
from redan.reports.html.tables import tabulated
from redan.reports.tables import cell, number

CURVE = Series(name="accuracy_by_eps", x=(0.0, 0.1, 0.2), y=(0.9, 0.5, 0.1), x_unit="linf", y_unit="fraction")
CERTIFIED = replace(CURVE, name="certified_by_eps", y=(0.9, 0.2, 0.0))
ATTACK = Finding(
    rule="RDN-EVA-001",
    threat="evasion",
    subject="net",
    title="t",
    severity=Severity.LOW,
    params={"norm": "linf", "eps": 0.1},
    series=(CURVE,),
)
POINTS = Table(
    name="alternatives",
    columns=("candidate", "clean %", "robust %"),
    rows=(("a", 90.0, 1.0), ("b", 80.0, 60.0), ("c", 79.0, 50.0), ("<b>x</b>", None, 2.0)),
    draw="scatter",
)


def test_the_darkest_cell_is_the_largest_and_zeros_stay_light() -> None:
    shown = tabulated(Table(name="t", columns=("c", "x", "y"), rows=(("r", 0, 18), ("s", 9, 1)), draw="heat"))
    assert re.findall(r'heat-(\d)">(\d+)<', shown) == [("0", "0"), ("9", "18"), ("4", "9"), ("1", "1")]


def test_the_front_holds_what_nothing_else_beats() -> None:
    spots = [Spot(name=n, x=x, y=y) for n, x, y in (("a", 9, 1), ("b", 8, 6), ("c", 7, 5), ("d", 8, 6))]
    assert [s.name for s in front(spots)] == ["b", "d", "a"]


def test_points_without_two_numbers_are_left_to_the_table() -> None:
    drawn = scatter(POINTS, label="l")
    assert drawn.count("<circle") == 3
    assert drawn.count('class="spot best"') == 2
    whole = tabulated(POINTS)
    assert "&lt;b&gt;x" in whole
    assert "<b>" not in whole


@pytest.mark.parametrize("rows", [(), (("a", None, None),), (("a", float("nan"), 1.0),), (("a",),)])
def test_nothing_to_draw_leaves_the_table(rows: tuple[tuple[float | str | None, ...], ...]) -> None:
    shown = tabulated(replace(POINTS, rows=rows))
    assert "<svg" not in shown
    assert "<table" in shown


def test_the_certified_curve_of_another_finding_lies_under_the_attacked_one() -> None:
    proof = replace(ATTACK, rule="RDN-EVA-040", series=(CERTIFIED,))
    (drawn,) = figures(ATTACK, (ATTACK, proof))
    assert 'class="between"' in drawn
    assert 'class="curve certified"' in drawn
    assert "20.0\u00a0%" in drawn, "the certified share stands in the table too"
    (few,) = figures(
        replace(ATTACK, series=(replace(CURVE, n=(200,) * 3),)),
        (replace(proof, series=(replace(CERTIFIED, n=(30,) * 3),)),),
    )
    assert "certified, on 30 inputs only" in few
    (alone,) = figures(ATTACK, (ATTACK, replace(proof, params={"norm": "l2"})))
    assert "certified" not in alone, "another norm certifies nothing here"
    (other,) = figures(ATTACK, (ATTACK, replace(proof, subject="another net")))
    assert "certified" not in other


def test_what_it_was_before_is_drawn_into_the_same_chart() -> None:
    before = replace(CURVE, name="before_accuracy_by_eps", y=(0.95, 0.1, 0.0))
    (drawn,) = figures(replace(ATTACK, series=(CURVE, before)))
    assert 'class="curve before"' in drawn
    assert "10.0\u00a0%" in drawn


def test_a_histogram_has_a_bar_for_each_bin_and_says_what_is_in_none() -> None:
    bins = Series(
        name="distance_histogram", x=(0.0, 0.1, 0.2), y=(1.0, 4.0, 2.0), n=(9, 9, 9), x_unit="linf", y_unit="inputs"
    )
    (drawn,) = figures(replace(ATTACK, series=(bins,)))
    assert drawn.count('class="fill"') == 3
    assert "7 of 9 inputs" in drawn
    assert 'class="mark"' in drawn


def test_numbers_beyond_floating_point_are_written_and_not_drawn() -> None:
    assert number(10**400) is None
    assert cell(10**400) == str(10**400)
    assert "<svg" not in tabulated(replace(POINTS, rows=(("a", 10**400, 10**400),)))

"""Rules of a table: read with advice, projected to, counted and priced."""

from __future__ import annotations

import numpy as np
import pytest

from redan.core.codec import decode
from redan.core.constraints import Rules
from redan.core.errors import ConfigError, UnknownName
from redan.kernels.constraints.resolving import resolve

COLUMNS = ("age", "rooms", "income", "debt", "city_a", "city_b", "city_c", "total")
CLEAN = np.array([[40.0, 3.0, 10.0, 4.0, 0.0, 1.0, 0.0, 14.0]])
DECLARED = {
    "immutable": ["age"],
    "integer": ["rooms"],
    "one_hot": ["city_*"],
    "only_up": ["income"],
    "only_down": ["debt"],
    "range": {"rooms": [1, 9], "income": [0, 50]},
    "relations": ["total = income + debt"],
    "cost": {"rooms": 2.0, "city_a": 5.0, "city_c": 7.0},
}


def constraints(**declared):
    return resolve(decode(Rules, declared, "constraints"), COLUMNS)


def moved(**values):
    row = CLEAN.copy()
    for name, value in values.items():
        row[0, COLUMNS.index(name)] = value
    return row


def projected(rules=None, **values):
    row = (rules or constraints(**DECLARED)).project(moved(**values), CLEAN)[0]
    return dict(zip(COLUMNS, row.tolist(), strict=True))


def test_every_rule_is_kept():
    row = projected(age=20, rooms=4.6, income=5, debt=6, city_a=0.9, city_b=0.5, total=99)
    assert row == {
        "age": 40,
        "rooms": 5,
        "income": 10,
        "debt": 4,
        "city_a": 1,
        "city_b": 0,
        "city_c": 0,
        "total": 14,
    }


def test_what_may_move_moves():
    row = projected(income=20, debt=1, rooms=20)
    assert (row["income"], row["debt"], row["total"], row["rooms"]) == (20, 1, 21, 9)


def test_an_allowed_row_stays_as_it_is():
    row = moved(rooms=7, income=12.25, total=16.25, city_b=0, city_c=1)
    assert np.array_equal(constraints(**DECLARED).project(row, CLEAN), row)


def test_two_equal_categories_leave_the_clean_one():
    assert projected(city_a=0.5, city_b=0.5)["city_b"] == 1


def test_a_category_that_cannot_be_changed_stays():
    rules = constraints(one_hot=["city_*"], immutable=["city_b"])
    assert projected(rules, city_a=3.0)["city_b"] == 1
    rules = constraints(one_hot=["city_*"], immutable=["city_a"])
    assert projected(rules, city_a=3.0, city_c=2.0)["city_c"] == 1


def test_a_balls_ends_are_kept_too():
    rules = constraints(**DECLARED)
    near = rules.project(moved(rooms=4.9, city_a=2.0), CLEAN, low=CLEAN - 0.5, high=CLEAN + 0.5)
    assert np.array_equal(near, CLEAN)


def test_inequalities_move_their_left_column_or_go_back():
    rules = constraints(relations=["debt <= 0.5 * income"])
    assert projected(rules, debt=9)["debt"] == 5
    held = constraints(relations=["debt <= 0.5 * income"], only_up=["debt"])
    row = projected(held, debt=9, income=2)
    assert row["debt"] <= 0.5 * row["income"] + 1e-6
    assert row["debt"] >= 4


def test_a_limit_on_cost_is_kept():
    rules = constraints(cost={"income": 2.0}, most_cost=10.0)
    row = rules.project(moved(income=50), CLEAN)
    assert 4 < rules.cost(row, CLEAN)[0] <= 10


def test_cost_counts_the_category_arrived_at():
    rules = constraints(**DECLARED)
    assert rules.cost(moved(city_b=0, city_c=1), CLEAN) == pytest.approx([7])
    assert rules.cost(moved(rooms=1), CLEAN) == pytest.approx([4])
    assert rules.cost(CLEAN, CLEAN) == pytest.approx([0])


def test_violations_are_named():
    rules = constraints(**DECLARED)
    broken = moved(age=41, rooms=2.5, income=51, debt=5, city_a=1)
    assert {name for name, rows in rules.violations(broken, CLEAN).items() if rows[0]} == {
        "immutable",
        "integer",
        "range",
        "only_down",
        "one_hot",
        "total = income + debt",
    }
    assert rules.violations(moved(income=9), CLEAN)["only_up"].all()


def test_a_clean_row_that_breaks_the_rules_is_left_alone():
    rules = constraints(integer=["rooms"])
    broken = moved(rooms=2.5)
    assert np.array_equal(rules.project(moved(rooms=5.0), broken), broken)
    assert not rules.feasible(broken, broken)[0]


def test_missing_cells_stay_missing():
    clean = moved(debt=np.nan, total=10)
    row = constraints(integer=["rooms"]).project(moved(rooms=5.2), clean)[0]
    assert np.isnan(row[3])
    assert row[1] == 5
    related = constraints(relations=["income <= rooms + 7"])
    row = related.project(moved(debt=np.nan, income=40), moved(debt=np.nan))[0]
    assert row[2] == 10


def test_values_that_are_no_numbers_become_the_clean_ones():
    assert projected(income=np.inf, rooms=np.nan) == dict(zip(COLUMNS, CLEAN[0].tolist(), strict=True))


def test_no_rows_are_no_error():
    none = np.zeros((0, len(COLUMNS)))
    rules = constraints(**DECLARED)
    assert rules.project(none, none).shape == none.shape
    assert rules.feasible(none, none).shape == (0,)


def test_float32_rounding_breaks_nothing():
    rules = constraints(range={"income": [0.1, 0.3]}, immutable=["debt"], only_up=["age"])
    clean = moved(income=0.1, debt=0.7, age=0.3)
    assert rules.feasible(clean.astype(np.float32), clean)[0]


@pytest.mark.parametrize(
    ("declared", "error", "hint"),
    [
        ({"integer": ["romms"]}, UnknownName, "rooms"),
        ({"range": {"incom": [0, 1]}}, UnknownName, "income"),
        ({"range": {"income": [5, 1]}}, ConfigError, r"income = \[1, 5\]"),
        ({"one_hot": ["age"]}, ConfigError, "two or more"),
        ({"one_hot": ["city_*", ["city_a", "age"]]}, ConfigError, "one group"),
        ({"one_hot": ["city_*"], "only_up": ["city_a"]}, ConfigError, "immutable"),
        ({"one_hot": ["city_*"], "relations": ["city_a = age"]}, ConfigError, "round"),
        ({"relations": ["total"]}, ConfigError, "total = net"),
        ({"relations": ["total = income debt"]}, ConfigError, "total = net"),
        ({"relations": ["total = 2 income"]}, ConfigError, "total = net"),
        ({"relations": ["total = incom"]}, UnknownName, "income"),
        ({"relations": ["total = total"]}, ConfigError, "total = net"),
        ({"relations": ["debt <= total", "total = income"]}, ConfigError, "before"),
        ({"relations": ["age = income"], "immutable": ["age"]}, ConfigError, "follows"),
        ({"cost": {"age": -1}}, ConfigError, "immutable"),
        ({"most_cost": 3}, ConfigError, "cost"),
        ({"imutable": ["age"]}, ConfigError, "immutable"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_advice(declared, error, hint):
    with pytest.raises(error) as caught:
        constraints(**declared)
    assert hint.replace("\\", "") in f"{caught.value} {caught.value.hint}"


def test_relations_know_signs_numbers_and_quoted_names():
    rules = resolve(decode(Rules, {"relations": ["`net sum` >= -2 * `a-b` + c - 3.5"]}, "x"), ("net sum", "a-b", "c"))
    relation = rules.relations[0]
    assert relation.right(np.array([[0.0, 1.0, 10.0]])) == pytest.approx([4.5])
    assert relation.excess(np.array([[4.0, 1.0, 10.0], [5.0, 1.0, 10.0]])) == pytest.approx([0.5, 0])

"""Validation in batches agrees with the meaning of a schema, and tells the client no more than column and check."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.service.guards.standing import call, served

from redan.core.errors import ConfigError
from redan.evidence.datasets.schema import ArrayRule, Rule, Schema, violations
from redan.service.gateway.call import Batch
from redan.service.guards.validation import Validation
from redan.subjects.detectors.served import Served as Detected

SCHEMA = Schema(
    rules=(
        Rule(name="age", kind="integer", low=0, high=120),
        Rule(name="income", kind="number", low=-1.5, high=1e6, nullable=True),
        Rule(name="city_a", kind="integer", categories=(0, 1)),
        Rule(name="city_b", kind="integer", categories=(0, 1)),
        Rule(name="rank", kind="integer", categories=(1, 3, 7), nullable=True),
        Rule(name="free", kind="number"),
    ),
    one_hot=(("city_a", "city_b"),),
)
NAMES = tuple(rule.name for rule in SCHEMA.rules)
CELL = st.one_of(
    st.sampled_from([0.0, 1.0, 3.0, 7.0, 120.0, 121.0, -1.5, -1.6, 0.5, 1e6, 1e300, float("nan"), float("inf"), -0.0]),
    st.floats(allow_nan=True, allow_infinity=True),
)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    rules = []
    for i in range(draw(st.integers(1, 5))):
        kind: Any = draw(st.sampled_from(["number", "integer", "number", "integer", "boolean", "text"]))
        ends = sorted(draw(st.lists(st.floats(-200, 200), min_size=2, max_size=2)))
        categories = draw(st.none() | st.lists(st.integers(-3, 9), max_size=4, unique=True).map(tuple))
        rules.append(
            Rule(
                name=f"c{i}",
                kind=kind,
                nullable=draw(st.booleans()),
                low=draw(st.sampled_from([None, ends[0]])),
                high=draw(st.sampled_from([None, ends[1]])),
                categories=categories if kind == "integer" else None,
            )
        )
    group = tuple(rule.name for rule in rules[:2])
    return Schema(rules=tuple(rules), one_hot=(group,) if len(group) == 2 and draw(st.booleans()) else ())


@given(schemas(), st.data())
@settings(max_examples=250, deadline=None)
def test_a_batch_is_judged_as_each_row_alone_is(schema: Schema, data: st.DataObject) -> None:
    d = len(schema.rules)
    rows = data.draw(st.lists(st.lists(CELL, min_size=d, max_size=d), min_size=1, max_size=6))
    names = tuple(rule.name for rule in schema.rules)
    model = served(d, dtype=np.float64, schema=schema, columns=names)
    calls = [call(model, [row]) for row in rows]
    with np.errstate(invalid="raise"):
        Validation(model).before(Batch(model, calls))
    for row, one in zip(rows, calls, strict=True):
        found = violations(schema, dict(zip(names, row, strict=True)))
        assert (one.refusal is not None) == bool(found), (row, found)
        if one.refusal is not None:
            assert one.note == {"row": 0, "column": found[0].column, "check": found[0].check}


@given(st.lists(st.lists(CELL, min_size=6, max_size=6), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_what_fits_as_written_fits_at_the_precision_of_the_model(rows: list[list[float]]) -> None:
    model = served(6, schema=SCHEMA, columns=NAMES)
    with np.errstate(over="ignore"):
        calls = [call(model, [row]) for row in rows]
    Validation(model).before(Batch(model, calls))
    for row, one in zip(rows, calls, strict=True):
        if not violations(SCHEMA, dict(zip(NAMES, row, strict=True))) and abs(row[5]) < 1e38:
            assert one.refusal is None


def test_the_client_is_told_column_and_check_and_the_record_the_row() -> None:
    model = served(6, schema=SCHEMA, columns=NAMES)
    good = [30, 1000.0, 1, 0, 3, 5.0]
    fine, bad = call(model, [good, good]), call(model, [good, [30, 1000.0, 1, 0, 4, 5.0]])
    Validation(model).before(Batch(model, [fine, bad]))
    assert fine.refusal is None
    assert bad.refusal is not None
    assert (bad.refusal.status, bad.refusal.why) == (422, "invalid")
    assert bad.refusal.say == "column 'rank' is none of the values it may have; see the model's metadata"
    assert bad.note == {"row": 1, "column": "rank", "check": "category"}


def test_columns_stand_in_the_order_of_the_model_and_others_do_not_count() -> None:
    columns = ("free", "age")
    model = served(2, schema=SCHEMA, columns=columns)
    right, wrong = call(model, [[1000.0, 30]]), call(model, [[30, 1000.0]])
    Validation(model).before(Batch(model, [right, wrong]))
    assert right.refusal is None
    assert wrong.refusal is not None
    with pytest.raises(ConfigError, match="lacks column 'height'"):
        Validation(served(2, schema=SCHEMA, columns=("age", "height")))
    with pytest.raises(ConfigError, match="has 6 columns"):
        Validation(served(5, schema=SCHEMA))


@pytest.mark.parametrize(
    ("more", "x", "said"),
    [
        ({}, [[1, 2, 3, float("nan")]], "range"),
        ({}, [[1, 2, 3, float("-inf")]], "range"),
        ({}, [[1, 2, 3]], "shape"),
        ({}, [1.0, 2.0], "shape"),
        ({"detected": Detected(name="m", digest="", bounds=(0, 1))}, [[0, 1, 0.5, 1.01]], "range"),
        ({"detected": Detected(name="m", digest="", bounds=(0, 1))}, [[0, 1, 0.5, float("nan")]], "range"),
        ({"schema": Schema(rules=(), arrays=(ArrayRule(name="x", dtype="f4", shape=(0,)),))}, [[[1.0]]], "shape"),
    ],
)
def test_without_a_table_shape_finiteness_and_bounds_hold(more: dict[str, Any], x: Any, said: str) -> None:
    model = served(4, **more)
    one = call(model, x)
    Validation(model).before(Batch(model, [one]))
    assert one.refusal is not None
    assert one.note is not None
    assert one.note["check"] == said


def test_a_row_costs_little_in_a_batch() -> None:
    d = 30
    schema = Schema(rules=tuple(Rule(name=f"c{i}", kind="number", low=-9, high=9) for i in range(d)))
    model = served(d, schema=schema, columns=tuple(f"c{i}" for i in range(d)))
    batch = Batch(model, [call(model, np.random.default_rng(i).normal(size=(1, d))) for i in range(32)])
    guard = Validation(model)
    prices = []
    for _ in range(30):
        start = time.process_time_ns()
        for _ in range(50):
            guard.before(batch)
        prices.append((time.process_time_ns() - start) / 1000 / 50 / 32)
    assert all(one.refusal is None for one in batch.calls)
    assert min(prices) < 1.5
    print(f"{min(prices):.3f} us a row")

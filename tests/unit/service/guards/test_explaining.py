"""Explanations: they add up, keep to the budget, find what matters, and are paid for."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.service.guards.standing import answer, call, served

from redan.core.errors import UsageError
from redan.core.settings import Settings
from redan.core.settings_service import Guards, Serve
from redan.evidence.datasets.schema import Rule, Schema
from redan.service.gateway.refusal import BUDGET
from redan.service.guards.detectors import Suspects
from redan.service.guards.endpoints import ENDPOINTS, NOT_OFFERED, Because, Why, post_explain
from redan.service.guards.explaining import (
    MOST_PARTS,
    background_of,
    explain,
    parts_of,
    probabilities,
    queries_of,
)
from redan.service.guards.limiter import open_limiter
from redan.service.web.endpoint import Asked
from redan.service.web.errors import Refused

MODEL = served(5, columns=("a", "b", "c", "d", "e"))


def test_values_add_up_exactly_and_a_linear_margin_is_found() -> None:
    def additive(rows: np.ndarray) -> np.ndarray:
        p = 0.5 + rows @ np.array([0.1, -0.2, 0.0, 0.05, 0.0])
        return np.stack([1 - p, p], axis=1)

    row = np.array([1.0, 0.5, 9.0, -1.0, 3.0])
    found = explain(additive, row, np.zeros(5), parts_of((5,)), label=1, most_queries=1000, seed=1)
    assert np.allclose(found.values, [0.1, -0.1, 0, -0.05, 0])
    assert np.allclose(found.errors, 0, atol=1e-12)
    assert abs(found.values.sum() - (found.score - found.base)) < 1e-12
    again = explain(answer_of(), row, np.zeros(5), parts_of((5,)), label=None, most_queries=40, seed=1)
    assert abs(again.values.sum() - (again.score - again.base)) < 1e-12


def answer_of() -> Any:
    return probabilities(MODEL)


@pytest.mark.parametrize("shape", [(1,), (5,), (64,), (65,), (1000,), (28, 28), (1, 28, 28), (3, 32, 31), (8, 8)])
def test_parts_cover_every_number_once_and_are_few(shape: tuple[int, ...]) -> None:
    parts = parts_of(shape)
    assert len(parts.of) == np.prod(shape)
    assert set(parts.of.tolist()) == set(range(len(parts.names)))
    assert len(parts.names) <= MOST_PARTS
    asked = []

    def count(rows: np.ndarray) -> np.ndarray:
        asked.append(len(rows))
        return np.full((len(rows), 2), 0.5)

    found = explain(count, np.ones(shape), np.zeros(shape), parts, label=None, most_queries=300, seed=0)
    assert sum(asked) == found.queries == queries_of(len(parts.names), 300) <= 300
    assert max(asked) <= 256


def test_a_budget_that_is_too_small_says_what_is_needed() -> None:
    with pytest.raises(UsageError, match="need 10 queries; 9 are allowed"):
        queries_of(5, 9)


def test_nothing_known_is_the_middle_of_what_the_schema_allows() -> None:
    rules = (
        Rule(name="a", kind="number", low=0, high=3),
        Rule(name="b", kind="integer", low=0, high=3),
        Rule(name="c", kind="integer", categories=(7, 9)),
    )
    model = served(3, schema=Schema(rules=rules), columns=("b", "a", "c"))
    assert background_of(model).tolist() == [2.0, 1.5, 7.0]
    assert background_of(served(2)).tolist() == [0, 0]
    sample = np.array([[1.0, 5.0, 7.0], [2.0, 6.0, 9.0], [9.0, 7.0, 9.0]])
    assert background_of(model, sample).tolist() == [2.0, 6.0, 9.0]


def asked(body: Why, guards: Guards, model: Any = MODEL) -> Asked:
    parts = SimpleNamespace(
        settings=Settings(serve=Serve(guards=guards)),
        limiter=open_limiter(guards, redis_url="", replica="a"),
        models=SimpleNamespace(choose=lambda name, version, client: model if name == "m" else None),
        watching=SimpleNamespace(suspects=Suspects()),
        root=Path(),
    )
    request = SimpleNamespace(path_params={"name": "m"}, client=None)
    principal = call(MODEL, [[0] * 5]).principal
    return Asked(request=request, parts=parts, principal=principal, body=body, note={})  # type: ignore[arg-type]  # no server here


def test_an_explanation_costs_the_budget_what_it_asks() -> None:
    guards = Guards(explanations=True, rows_per_day=150, explain_queries=100)
    one = asked(Why(x=[1, 2, 3, 4, 5]), guards)
    found = msgspec.json.decode(asyncio.run(post_explain(one)).body, type=Because)
    assert found.parts == ["a", "b", "c", "d", "e"]
    assert found.queries == one.note["queries"] == 66
    assert abs(sum(found.values) - (found.score - found.base)) < 1e-6
    limiter: Any = one.parts.limiter
    assert limiter.rows_left("client:a") == 150 - 66
    asyncio.run(post_explain(one))
    with pytest.raises(Refused) as told:
        asyncio.run(post_explain(one))
    assert told.value.refusal is BUDGET


@pytest.mark.parametrize(
    ("guards", "body", "why"),
    [
        (Guards(), Why(x=[1] * 5), "not-offered"),
        (Guards(explanations=True, labels_only=True), Why(x=[1] * 5), "not-offered"),
        (Guards(explanations=True, explain_queries=5), Why(x=[1] * 5), "not-offered"),
        (Guards(explanations=True, top=1), Why(x=[1] * 5, label=2), "not-offered"),
        (Guards(explanations=True), Why(x=[1] * 4), "invalid"),
        (Guards(explanations=True), Why(x=[1] * 6), "size"),
        (Guards(explanations=True), Why(x=["a"]), "invalid"),
        (Guards(explanations=True), Why(x=[[[[1]], 2]]), "invalid"),
        (Guards(explanations=True), Why(x=[1, 2, 3, 4, 1e999]), "invalid"),
    ],
)
def test_what_is_not_offered_or_no_row_is_refused_before_it_costs(guards: Guards, body: Why, why: str) -> None:
    with pytest.raises(Refused) as told:
        asyncio.run(post_explain(asked(body, guards)))
    assert told.value.refusal.why == why
    assert NOT_OFFERED.status == 404


def test_the_route_needs_permission_for_its_model() -> None:
    (route,) = (each for each in ENDPOINTS if each.path.endswith("/explain"))
    assert (route.action, route.model, route.method) == ("explain", "name", "POST")
    assert answer(np.zeros((1, 5))).labels.shape == (1,)

"""Explanations: they add up, keep to the budget, find what matters, and are paid for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.plane import Shelf, parts_of, settings_of
from tests.unit.service.guards.standing import answer, call, served

from redan.core.errors import UsageError
from redan.core.settings_service import Guards
from redan.evidence.datasets.schema import Rule, Schema
from redan.evidence.log.reading import LogReader
from redan.service.audit.act import Act, decode
from redan.service.gateway.app import DataPlane
from redan.service.gateway.call import Batch
from redan.service.gateway.refusal import BUDGET, WATCHED, Refusal
from redan.service.guards.chain import chain_for
from redan.service.guards.detectors import Screen
from redan.service.guards.endpoints import ENDPOINTS, NOT_OFFERED, Because, Why, post_explain
from redan.service.guards.explaining import (
    MOST_PARTS,
    background_of,
    explain,
    probabilities,
    queries_of,
)
from redan.service.guards.explaining import (
    parts_of as columns_of,
)
from redan.service.models.served import Served
from redan.service.web.endpoint import Asked
from redan.service.web.errors import Refused

MODEL = served(5, columns=("a", "b", "c", "d", "e"))


def test_values_add_up_exactly_and_a_linear_margin_is_found() -> None:
    def additive(rows: np.ndarray) -> np.ndarray:
        p = 0.5 + rows @ np.array([0.1, -0.2, 0.0, 0.05, 0.0])
        return np.stack([1 - p, p], axis=1)

    row = np.array([1.0, 0.5, 9.0, -1.0, 3.0])
    found = explain(additive, row, np.zeros(5), columns_of((5,)), label=1, most_queries=1000, seed=1)
    assert np.allclose(found.values, [0.1, -0.1, 0, -0.05, 0])
    assert np.allclose(found.errors, 0, atol=1e-12)
    assert abs(found.values.sum() - (found.score - found.base)) < 1e-12
    again = explain(answer_of(), row, np.zeros(5), columns_of((5,)), label=None, most_queries=40, seed=1)
    assert abs(again.values.sum() - (again.score - again.base)) < 1e-12


def answer_of() -> Any:
    return probabilities(MODEL)


@pytest.mark.parametrize("shape", [(1,), (5,), (64,), (65,), (1000,), (28, 28), (1, 28, 28), (3, 32, 31), (8, 8)])
def test_parts_cover_every_number_once_and_are_few(shape: tuple[int, ...]) -> None:
    parts = columns_of(shape)
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


class Desk:
    """An explanation's handler over a real data path and audit log; watchers remember what they are shown."""

    def __init__(self, folder: Path, guards: Guards, *, model: Served = MODEL, chain: Any = None) -> None:
        self.parts = parts_of(settings_of(folder, guards=guards), folder, shelf=Shelf((model, "live")))
        self.parts.more["plane"] = DataPlane(
            self.parts, chain or (lambda served: chain_for(served, guards, root=folder))
        )
        self.folder, self.eyes = folder, self.parts.watching
        self.note: dict[str, object] = {}

    def ask(self, body: Why, times: int = 1) -> list[Because | Refusal]:
        """Ask again and again; what is refused is told as its refusal."""
        return asyncio.run(self._ask(body, times))

    async def _ask(self, body: Why, times: int) -> list[Because | Refusal]:
        auditor: Any = self.parts.auditor
        await auditor.start()
        found: list[Because | Refusal] = []
        for _ in range(times):
            self.note = {}
            request = SimpleNamespace(path_params={"name": "m"}, client=None, scope={"state": {"id": "r7"}})
            request.state = SimpleNamespace(id="r7")
            principal = call(MODEL, [[0] * 5]).principal
            one = Asked(request=request, parts=self.parts, principal=principal, body=body, note=self.note)  # type: ignore[arg-type]  # no server here
            try:
                found.append(msgspec.json.decode((await post_explain(one)).body, type=Because))
            except Refused as error:
                found.append(error.refusal)
        await self.parts.more["plane"].stop()
        await auditor.stop()
        self.parts.database.close()
        return found

    def acts(self) -> list[Act]:
        """Read the audit log."""
        return [decode(entry) for entry in LogReader(next(self.folder.glob("audit/**/checkpoint")).parent).entries()]


def test_an_explanation_costs_the_budget_what_it_asks(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Guards(explanations=True, rows_per_day=150, explain_queries=100))
    found, _, refused = desk.ask(Why(x=[1, 2, 3, 4, 5]), times=3)
    assert isinstance(found, Because)
    assert found.parts == ["a", "b", "c", "d", "e"]
    assert found.queries == 67
    assert abs(sum(found.values) - (found.score - found.base)) < 1e-6
    limiter: Any = desk.parts.limiter
    assert limiter.rows_left("client:a") == 150 - 2 * 67
    assert refused is BUDGET


def test_what_an_explanation_asks_counts_as_rows_of_a_second(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Guards(explanations=True, rows_per_s=0.001, rows_burst=70))
    found, refused = desk.ask(Why(x=[1, 2, 3, 4, 5]), times=2)
    assert isinstance(found, Because)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.why) == (429, "rate")


def test_an_explained_row_is_judged_recorded_and_watched_like_a_predicted_one(tmp_path: Path) -> None:
    """By the real chain, with a detector in it that measures: what it measured reaches watchers with the answer."""
    monitor = SimpleNamespace(
        spec=SimpleNamespace(id="RDN-EVA-2", name="odd"),
        made=SimpleNamespace(calibration=SimpleNamespace(threshold=9.0)),
        suspicions=lambda rows: [float(np.sum(row)) for row in rows],
    )
    screen, guards = Screen(monitor, denies=True), Guards(explanations=True)  # type: ignore[arg-type]  # a detector is three words to it
    desk = Desk(tmp_path, guards, chain=lambda served: (*chain_for(served, guards, root=tmp_path), screen))
    (found,) = desk.ask(Why(x=[1, 1, 1, 1, 1]))
    assert isinstance(found, Because)
    (batch,) = desk.eyes.batches  # type: ignore[attr-defined]
    assert batch.x.tolist() == [[1, 1, 1, 1, 1]]
    assert batch.labels.tolist() == [found.label]
    assert batch.calls[0].suspicion["RDN-EVA-2"].tolist() == [5.0]
    (act,) = desk.acts()
    assert (act.act, act.who, act.rows, act.ok, act.id) == ("predict", "client:a", 1, True, "r7")


def test_a_detector_refuses_to_have_a_row_explained_and_the_model_is_not_asked_about_it(tmp_path: Path) -> None:
    asked = []

    def answering(x: np.ndarray) -> Any:
        asked.append(x)
        return answer(x)

    model = served(5, answer=answering)
    found = []

    class Deny:
        name = "deny"

        def before(self, batch: Batch) -> None:
            found.append(batch.x)
            batch.refuse(np.ones(len(batch.x), bool), WATCHED)

        def after(self, batch: Batch) -> None:
            """Nothing comes here."""

    desk = Desk(tmp_path, Guards(explanations=True), model=model, chain=lambda served: (Deny(),))
    assert desk.ask(Why(x=[1, 2, 3, 4, 5])) == [WATCHED]
    assert (len(found), asked) == (1, [])
    assert [(act.ok, act.why) for act in desk.acts()] == [(False, "guard")]


@pytest.mark.parametrize(
    ("guards", "body", "why"),
    [
        (Guards(), Why(x=[1] * 5), "not-offered"),
        (Guards(explanations=True, labels_only=True), Why(x=[1] * 5), "not-offered"),
        (Guards(explanations=True, explain_queries=5), Why(x=[1] * 5), "not-offered"),
        (Guards(explanations=True, explain_queries=10), Why(x=[1] * 5), "not-offered"),
        (Guards(explanations=True, top=1), Why(x=[1] * 5, label=2), "not-offered"),
        (Guards(explanations=True), Why(x=[1] * 4), "invalid"),
        (Guards(explanations=True), Why(x=[1] * 6), "size"),
        (Guards(explanations=True), Why(x=["a"]), "invalid"),
        (Guards(explanations=True), Why(x=[[[[1]], 2]]), "invalid"),
    ],
)
def test_what_is_not_offered_or_no_row_is_refused_before_it_costs(
    guards: Guards, body: Why, why: str, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, replace(guards, rows_per_day=1000))
    (told,) = desk.ask(body)
    assert isinstance(told, Refusal)
    assert told.why == why
    limiter: Any = desk.parts.limiter
    assert limiter.rows_left("client:a") == 1000
    assert NOT_OFFERED.status == 404


def test_a_row_that_breaks_a_rule_of_the_schema_is_refused_by_it(tmp_path: Path) -> None:
    rules = tuple(Rule(name=name, kind="number", low=0, high=9) for name in "abcde")
    model = served(5, schema=Schema(rules=rules), columns=tuple("abcde"))
    desk = Desk(tmp_path, Guards(explanations=True), model=model)
    (told,) = desk.ask(Why(x=[1, 2, 3, 4, 10]))
    assert isinstance(told, Refusal)
    assert (told.status, told.say[:22]) == (422, "column 'e' is too high")
    assert desk.note["column"] == "e"
    (tmp_path / "bare").mkdir()
    (told,) = Desk(tmp_path / "bare", Guards(explanations=True)).ask(Why(x=[1, 2, 3, 4, 1e999]))
    assert isinstance(told, Refusal)
    assert told.why == "invalid"


def test_the_route_needs_permission_for_its_model() -> None:
    (route,) = (each for each in ENDPOINTS if each.path.endswith("/explain"))
    assert (route.action, route.model, route.method) == ("explain", "name", "POST")
    assert answer(np.zeros((1, 5))).labels.shape == (1,)

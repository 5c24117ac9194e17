"""A model's own detectors in the path, and clients that monitors found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.unit.service.guards.standing import DIGEST, call, served

from redan.core.inputs import Dataset
from redan.core.settings_service import Guards, ServedModel
from redan.service.gateway.call import Batch
from redan.service.gateway.refusal import WATCHED
from redan.service.guards.chain import chain_for
from redan.service.guards.detectors import DENIED_S, Suspects
from redan.subjects.detectors.opening import save
from redan.subjects.detectors.served import Asked
from redan.subjects.detectors.served import Served as Detected
from redan.threats.evasion.monitors.nearest_rows import NearestRows
from redan.threats.evasion.monitors.query_sequence import QuerySequence

RNG = np.random.default_rng(0)
ROWS = RNG.normal(5, 0.4, size=(5000, 6)).astype(np.float32)
SEEN = Detected(name="m", digest=DIGEST)


def dataset(rows: np.ndarray) -> Dataset:
    return Dataset(x=rows, y=np.zeros(len(rows), int), name="", sha256="", indices=np.arange(len(rows)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("detectors")
    for rate, name in ((0.001, "strict.npz"), (0.05, "loose.npz")):
        save(NearestRows.fitted(dataset(ROWS[:500]), dataset(ROWS[500:]), SEEN, Asked(rate=rate)), found / name)
    save(QuerySequence.fitted(dataset(ROWS), SEEN, Asked(rate=0.05)), found / "sequence.npz")
    return found


def judged(folder: Path, *detectors: str) -> tuple[list[str], object, object]:
    settings = ServedModel(name="m", target="m.onnx", detectors=detectors)
    model = served(6, settings=settings, detected=SEEN)
    chain = chain_for(model, Guards(), root=folder)
    usual, strange = call(model, ROWS[:3]), call(model, np.vstack([ROWS[:1], -ROWS[1:2]]))
    batch = Batch(model, [usual, strange])
    for guard in chain:
        guard.before(batch)
    assert usual.refusal is None
    for one in (usual, strange):
        for values in one.suspicion.values():
            assert len(values) == len(one.x)
    return [guard.name for guard in chain], strange.refusal, strange.suspicion


def test_a_detector_denies_only_where_its_rate_says_that_this_was_meant(folder: Path) -> None:
    names, refusal, suspicion = judged(folder, "strict.npz")
    assert names == ["validation", "nearest-rows", "output-filter"]
    assert refusal is WATCHED
    assert list(suspicion) == ["RDN-EVA-203"]  # type: ignore[call-overload]  # a dict
    _, refusal, suspicion = judged(folder, "loose.npz")
    assert refusal is None
    assert suspicion["RDN-EVA-203"][1] > suspicion["RDN-EVA-203"][0]  # type: ignore[index]  # a dict


def test_what_remembers_clients_does_not_stand_in_the_path(folder: Path) -> None:
    names, _, suspicion = judged(folder, "sequence.npz")
    assert names == ["validation", "output-filter"]
    assert suspicion == {}


def test_whom_a_monitor_found_is_denied_for_a_while_at_that_model_alone() -> None:
    now = [10.0]
    suspects, model = Suspects(lambda: now[0]), served()
    suspects.add(DIGEST, "client:eve")
    suspects.add("other model", "client:a")

    def refused(client: str) -> object:
        one = call(model, [[0, 0, 0, 1]], client)
        suspects.before(Batch(model, [one]))
        return one.refusal

    assert refused("client:eve") is WATCHED
    assert refused("client:a") is None
    now[0] += DENIED_S + 1
    assert refused("client:eve") is None
    assert len(suspects) == 0
    suspects.add("other model", "client:a")
    suspects.let_go("client:b")
    assert len(suspects) == 1
    suspects.let_go("client:a")
    assert len(suspects) == 0


def test_whose_time_is_over_is_forgotten_and_a_full_table_loses_the_one_that_ends_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("redan.service.guards.detectors.MOST_SUSPECTS", 100)
    now = [0.0]
    suspects, model = Suspects(lambda: now[0]), served()
    for number in range(101):
        now[0] += 1
        suspects.add(DIGEST, f"client:{number}")
        suspects.add(DIGEST, "client:0")  # found again and again
    assert len(suspects) == 100
    assert suspects.holds(DIGEST, "client:0")
    assert not suspects.holds(DIGEST, "client:1")
    now[0] += DENIED_S + 1
    for _ in range(2):
        one = call(model, [[0] * 4], "client:0")
        suspects.before(Batch(model, [one]))
        assert one.refusal is None
    assert len(suspects) == 0

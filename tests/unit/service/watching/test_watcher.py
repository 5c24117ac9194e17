"""Live watching: planted changes are told, ordinary use is not, queues are bounded, and the price is known."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.unit.service.guards.standing import DIGEST, answered, call, served

from redan.core.inputs import Dataset
from redan.core.settings import Settings
from redan.core.settings_service import Guards, Serve, ServedModel
from redan.evidence.datasets.schema import infer
from redan.evidence.datasets.table import Column, Table
from redan.service.audit.act import Act
from redan.service.findings import Findings
from redan.service.gateway.refusal import FORBIDDEN
from redan.service.guards.noise import noisy
from redan.service.identity.principal import Principal
from redan.service.watching.endpoints import Counted, Truth, Truths, post_feedback
from redan.service.watching.version import events_of
from redan.service.watching.watcher import MOST_DENIALS, MOST_ROWS, MOST_WAITING, LiveWatching, fairly
from redan.service.web.endpoint import Asked as Request
from redan.service.web.errors import Refused
from redan.subjects.detectors.opening import save
from redan.subjects.detectors.served import Asked
from redan.subjects.detectors.served import Served as Detected
from redan.threats.evasion.monitors.nearest_rows import NearestRows
from redan.threats.evasion.monitors.query_sequence import QuerySequence
from redan.threats.operation.monitors.answer_drift import AnswerDrift
from redan.threats.operation.monitors.input_drift import InputDrift

T0 = 1_700_000_000.0
SEEN = Detected(name="m", digest=DIGEST)


class Clock:
    def __init__(self) -> None:
        self.now_s = T0

    def __call__(self) -> float:
        return self.now_s


def watching(folder: Path, *watch: str, clock: Clock | None = None, **guards: Any) -> LiveWatching:
    serve = Serve(watch=watch, guards=Guards(**guards))
    return LiveWatching(Settings(serve=serve), folder, Findings(), clock or Clock())


def looked(live: LiveWatching) -> list[str]:
    live._looked_s = -1e9
    live.drain()
    return sorted({finding.rule for finding in live._findings.recent()})


def test_drift_is_learnt_from_the_first_rows_and_told_when_inputs_move(tmp_path: Path) -> None:
    clock, rng, model = Clock(), np.random.default_rng(0), served()
    live = watching(tmp_path, "drift", clock=clock)
    for shift, rules in ((0.0, []), (0.0, []), (1.5, ["RDN-OPE-201", "RDN-OPE-202"])):
        for _ in range(40):
            clock.now_s += 5
            live.answered(answered(model, call(model, rng.normal(size=(64, 4)) + np.array([shift, 0, 0, 0]))))
            live.drain()
        assert looked(live) == rules
    assert set(live.n_unseen.values()) == {0}
    assert live.n_seen == 3 * 40 * 64
    measured = {labels: value for _, labels, value in live.readings()}
    assert measured["m", "1", "inputs", "stability_index"] > 0.1


@pytest.mark.parametrize("guards", [{"round_digits": 3}, {"dp_epsilon": 10.0}, {}], ids=str)
def test_a_reference_of_raw_answers_is_not_held_against_changed_ones(tmp_path: Path, guards: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    plain = served()
    known = plain.answer(rng.normal(size=(1500, 4)).astype(np.float32))
    save(AnswerDrift.fitted(known.labels, known.scores, "m", DIGEST), tmp_path / "answers.npz")
    model = served(settings=ServedModel(name="m", target="m.onnx", detectors=("answers.npz",)), detected=SEEN)
    live = watching(tmp_path, "drift", **guards)
    for _ in range(40):
        batch = answered(model, call(model, rng.normal(size=(64, 4)) * (1 if guards else 3)))
        if "dp_epsilon" in guards:
            batch.scores = noisy(batch.scores, 10.0)
            batch.labels = batch.scores.argmax(axis=1)
        elif guards:
            batch.scores = np.round(batch.scores, 3)
        live.answered(batch)
        live.drain()
    assert looked(live) == ([] if guards else ["RDN-OPE-202"])
    (version,) = live._versions.values()
    assert "answer-drift" in version.operation.judging


def test_the_schema_of_the_training_data_is_the_reference_where_no_file_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(1000, 4))
    columns = [
        Column(name=name, kind="number", dtype="f8", values=rows[:, j], missing=np.zeros(1000, bool))
        for j, name in enumerate("abcd")
    ]
    schema = infer(Table(name="t", columns=tuple(columns), n_rows=1000))
    moved = np.array([2, 0, 0, 0])
    # the model's order is its own
    model = served(schema=schema, columns=tuple("dcba"))
    live = watching(tmp_path, "drift")
    live.answered(answered(model, call(model, rng.normal(size=(400, 4)))))
    assert looked(live) == []
    live.answered(answered(model, call(model, rng.normal(size=(400, 4)) + moved)))
    assert looked(live) == ["RDN-OPE-201"]
    (found,) = live._findings.recent()
    assert "; d most" in found.title
    save(InputDrift.fitted(rows + moved, "m", DIGEST, columns=tuple("dcba")), tmp_path / "drift.npz")
    settings = ServedModel(name="m", target="m.onnx", detectors=("drift.npz",))
    model = served(schema=schema, columns=tuple("dcba"), settings=settings, detected=SEEN)
    live = watching(tmp_path, "drift")
    live.answered(answered(model, call(model, rng.normal(size=(400, 4)) + moved)))
    assert looked(live) == [], "a file comes before the schema"


def test_a_calibrated_reference_is_used_from_the_first_row(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    save(InputDrift.fitted(rng.normal(size=(1000, 4)), "m", DIGEST), tmp_path / "drift.npz")
    settings = ServedModel(name="m", target="m.onnx", detectors=("drift.npz",))
    model, live = served(settings=settings, detected=SEEN), watching(tmp_path, "drift")
    for _ in range(10):
        live.answered(answered(model, call(model, rng.normal(size=(64, 4)) * 3)))
    assert looked(live) == ["RDN-OPE-201"]


def test_the_models_own_detectors_watch_and_whom_they_find_is_denied(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(5, 0.4, size=(4500, 4)).astype(np.float32)
    data = Dataset(x=rows, y=np.zeros(4500, int), name="", sha256="", indices=np.arange(4500))
    save(QuerySequence.fitted(data, SEEN, Asked(rate=0.05)), tmp_path / "sequence.npz")
    save(NearestRows.fitted(data, data, SEEN, Asked(rate=0.05)), tmp_path / "nearest.npz")
    settings = ServedModel(name="m", target="m.onnx", detectors=("sequence.npz", "nearest.npz"))
    model, live = served(settings=settings, detected=SEEN), watching(tmp_path)
    noise = np.random.default_rng(1).normal(size=(80, 4)) * 1e-4
    for i in range(80):
        good, eve = call(model, rows[i : i + 1], "client:good"), call(model, rows[:1] + noise[i], "client:eve")
        for one in (good, eve):
            one.suspicion["RDN-EVA-203"] = np.array([1e9 if one is eve else -1e9])
        live.answered(answered(model, good, eve))
    assert looked(live) == ["RDN-EVA-203", "RDN-EVA-205"]
    assert ((DIGEST, "client:eve") in live.suspects._until_s, len(live.suspects)) == (True, 1)


def test_denials_and_answers_together_tell_abnormal_access(tmp_path: Path) -> None:
    live, model = watching(tmp_path, "access"), served()
    for i in range(60):
        live.answered(answered(model, call(model, [[0, 0, 0, 1]], "client:good")))
        live.denied(Act(t_us=int((T0 + i) * 1e6), who="client:eve", act="predict", ok=False, why=FORBIDDEN.why))
        live.denied(
            Act(t_us=int((T0 + i) * 1e6), who="-", act="login", ok=False, why="x", cred=f"n{i}", addr="9.9.9.9")
        )
    looked(live)
    signs = {(each.params["sign"], each.locations[0].address) for each in live._findings.recent()}
    assert signs == {("denials", "client:eve"), ("stuffing", "9.9.9.0/24")}
    assert len(live.suspects) == 0


def truth(
    live: LiveWatching,
    id: str,
    told: list[int],
    name: str = "m",
    watch: tuple[str, ...] = ("performance",),
    *,
    who: str = "labels",
    grants: tuple[str, ...] = ("feedback", "monitors.read"),
) -> Any:
    principal = Principal(
        id=f"client:{who}",
        kind="program",
        roles=frozenset(),
        grants=frozenset((grant, name) for grant in grants),
        credential="k",
        expires_s=2e9,
    )
    parts = SimpleNamespace(watching=live, settings=Settings(serve=Serve(watch=watch)))
    request = SimpleNamespace(path_params={"name": name})
    body = Truths(answers=[Truth(id=id, truth=told)])
    asked = Request(request=request, parts=parts, principal=principal, body=body, note={})  # type: ignore[arg-type]  # no server here
    return msgspec.json.decode(asyncio.run(post_feedback(asked)).body, type=Counted)


def test_truths_count_once_for_their_model_and_a_fall_is_told(tmp_path: Path) -> None:
    live, model, rng = watching(tmp_path, "performance"), served(), np.random.default_rng(0)
    for i in range(1500):
        batch = answered(model, call(model, rng.normal(size=(1, 4)), id=f"r{i}"))
        batch.calls[0].labels = batch.labels
        live.answered(batch)
    assert looked(live) == []
    assert truth(live, "r0", [1, 2]) == Counted(counted=0, unknown=0, unfit=1)
    assert truth(live, "r0", [1], name="other").unknown == 1
    assert truth(live, "nobody", [1]).unknown == 1
    labels = {f"r{i}": live._answers[f"r{i}"][2][0] for i in range(1500)}
    for i, (id, label) in enumerate(labels.items()):
        wrong = i % (20 if i < 700 else 3) == 0
        assert truth(live, id, [(label + wrong) % 3]).counted == 1
        assert truth(live, id, [label]).unknown == 1
        if i in (650, 1499):
            assert looked(live) == (["RDN-OPE-203"] if i > 700 else [])
    with pytest.raises(Refused):
        truth(live, "r1", [1], watch=())


def test_a_truth_that_is_told_at_once_is_counted(tmp_path: Path) -> None:
    """Before the thread that watches has come to the answer."""
    live, model, rng = watching(tmp_path, "performance"), served(), np.random.default_rng(0)
    asyncio.run(live.start())
    try:
        for i in range(5):
            batch = answered(model, call(model, rng.normal(size=(1, 4)), id=f"r{i}"))
            batch.calls[0].labels = batch.labels
            live.answered(batch)
            assert truth(live, f"r{i}", [1]).counted == 1
    finally:
        asyncio.run(live.stop())


def test_a_client_tells_the_truth_of_its_own_requests_alone(tmp_path: Path) -> None:
    live, model = watching(tmp_path, "performance"), served()
    for i in range(3):
        batch = answered(model, call(model, np.zeros((2, 4)), client="client:a", id=f"r{i}"))
        batch.calls[0].labels = batch.labels
        live.answered(batch)
    looked(live)
    client = ("feedback",)
    # identifiers can be guessed: neither whether there is such a request nor how many rows it had is told
    assert truth(live, "r0", [0, 0], who="eve", grants=client) == Counted(counted=0, unknown=1, unfit=0)
    assert truth(live, "r0", [0], who="eve", grants=client) == Counted(counted=0, unknown=1, unfit=0)
    assert truth(live, "r0", [0, 0], who="a", grants=client).counted == 1
    assert truth(live, "r1", [0, 0], who="eve").counted == 1, "who sees what monitors see"


def test_what_is_too_much_is_dropped_counted_and_told(tmp_path: Path) -> None:
    live, model = watching(tmp_path, "drift"), served()
    batch = answered(model, call(model, np.zeros((1024, 4))))
    for _ in range(40):
        live.answered(batch)
    assert live._rows <= MOST_ROWS
    assert live.n_unseen == {"rows": 40 * 1024 - MOST_ROWS, "denials": 0}
    live._minute_s -= 61
    assert looked(live) == ["RDN-OPE-205"]
    (found,) = live._findings.recent()
    assert found.quantities[0].n == 40 * 1024


def test_denials_that_nobody_saw_are_no_rows(tmp_path: Path) -> None:
    live = watching(tmp_path, "access")
    for i in range(MOST_DENIALS + 500):
        live.denied(Act(t_us=int(T0 * 1e6) + i, who="-", act="predict", ok=False, why="unauthenticated"))
    live._minute_s -= 61
    assert "RDN-OPE-205" in looked(live)
    told = [each.title for each in live._findings.recent() if each.rule == "RDN-OPE-205"]
    assert told == [f"500 of {MOST_DENIALS + 500} denials were not watched: they came faster than monitors may work"]
    readings = {labels: n for family, labels, n in live.readings() if family == "redan_watch_unseen"}
    assert readings == {("rows",): 0, ("denials",): 500}


def test_rows_that_one_monitor_saw_and_another_did_not_are_a_share_of_what_came(tmp_path: Path) -> None:
    live, model = watching(tmp_path, "drift"), served()
    live.answered(answered(model, call(model, np.zeros((1000, 4)))))
    live.drain()
    live._unseen("rows", 1000)  # as a dear monitor whose time is used up
    live._minute_s -= 61
    assert looked(live) == ["RDN-OPE-205"]
    (found,) = live._findings.recent()
    assert (found.quantities[0].value, found.quantities[0].n) == (1.0, 1000)


def test_monitors_that_take_long_see_as_many_rows_of_each_client(tmp_path: Path) -> None:
    model = served()
    storm = [call(model, [[0, 0, 0, 1]], "client:eve", id=f"e{i}") for i in range(50)]
    calls = [*storm, *(call(model, [[0, 0, 0, 1]], f"client:{i}", id=f"c{i}") for i in range(10))]
    events = events_of(calls, T0)
    assert {each.client for each in fairly(events)[:11]} == {"client:eve", *(f"client:{i}" for i in range(10))}
    assert len(fairly(events)) == 60


def test_a_storm_is_seen_a_little_later_and_bounded(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 4)).astype(np.float32)
    benign = Dataset(x=rows, y=np.zeros(600, int), name="", sha256="", indices=np.arange(600))
    save(QuerySequence.fitted(benign, SEEN, Asked(rate=0.02)), tmp_path / "sequence.npz")
    settings = ServedModel(name="m", target="m.onnx", detectors=("sequence.npz",))
    model, live = served(settings=settings, detected=SEEN), watching(tmp_path, "access")
    search = 1 + 1e-3 * rng.normal(size=(6000, 4))
    live._spent_s = 1.0  # the share of a core is used up by what came before
    live.answered(answered(model, call(model, search, "client:eve")))
    live.drain()
    (version,) = live._versions.values()
    assert len(version.waiting) == MOST_WAITING
    assert live.n_unseen["rows"] == len(search) - MOST_WAITING
    live._spent_s = 0.0
    live.drain()
    assert "RDN-EVA-205" in looked(live)
    assert version.waiting == []  # whoever is found is denied, and keeps nobody else from being seen


def test_a_detector_that_cannot_be_opened_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    settings = ServedModel(name="m", target="m.onnx", detectors=("absent.npz",))
    model, live = served(settings=settings, detected=SEEN), watching(tmp_path, "access")
    for _ in range(3):
        live.answered(answered(model, call(model, [[0, 0, 0, 1]])))
    assert looked(live) == ["RDN-OPE-205"]
    assert "absent.npz" in live._findings.recent()[0].title


async def _thread(folder: Path) -> None:
    live, model = watching(folder, "drift", "access"), served()
    await live.start()
    for _ in range(50):
        live.answered(answered(model, call(model, np.zeros((8, 4)))))
    await live.stop()
    assert live.n_seen == 400
    assert not live._batches


def test_the_thread_sees_everything_before_it_ends(tmp_path: Path) -> None:
    asyncio.run(_thread(tmp_path))


def test_a_row_costs_little_with_one_client_and_with_many(tmp_path: Path) -> None:
    rng, d = np.random.default_rng(0), 30
    model = served(d)
    for clients in (1, 256):
        live = watching(tmp_path, "drift", "access")
        batches = [
            answered(model, *(call(model, row[None], f"client:{i % clients}") for i, row in enumerate(x)))
            for x in rng.normal(size=(100, 32, d))
        ]
        prices = []
        for _ in range(4):
            start = time.process_time()
            for batch in batches:
                live.answered(batch)
            path = time.process_time() - start
            live.drain()
            prices.append((path, time.process_time() - start))
        path_us, all_us = (min(each) / 3200 * 1e6 for each in zip(*prices[1:], strict=True))
        print(f"{clients} clients: {path_us:.2f} us a row in the path, {all_us:.2f} in all")
        assert path_us < 0.5
        assert all_us < 8

"""`redan watch` over event logs and audit logs finds what the gateway finds live."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace as replace_act
from tests.cli.conftest import Cli
from tests.unit.service.guards.standing import DIGEST, answered, call, served

from redan.core import config as configuration
from redan.core.codec import encode
from redan.core.inputs import Dataset
from redan.core.monitor import Event
from redan.core.settings import Settings
from redan.core.settings_service import Guards, Serve, ServedModel
from redan.evidence.keys import generate
from redan.evidence.log import create_log, open_log
from redan.kernels.detectors.log import to_line
from redan.runner.watch import watch
from redan.service.audit import places
from redan.service.audit.act import Act
from redan.service.audit.act import encode as encode_act
from redan.service.audit.keeping import Kept
from redan.service.findings import Findings
from redan.service.gateway.acts import acts_of
from redan.service.guards.detectors import Screen
from redan.service.watching.watcher import LiveWatching
from redan.subjects.detectors.opening import save
from redan.subjects.detectors.served import Asked
from redan.subjects.detectors.served import Served as Detected
from redan.threats.evasion.monitors.feature_distance import FeatureDistance
from redan.threats.evasion.monitors.query_sequence import QuerySequence
from redan.threats.operation.monitors.answer_drift import AnswerDrift
from redan.threats.operation.monitors.input_drift import InputDrift

T0 = 1_700_000_100.0


def audit_log(folder: Path, acts: list[Act]) -> Path:
    signer = generate("ed25519")
    create_log(folder, signer, "redan/test")
    with open_log(folder, signer) as log:
        log.append_many(encode_act(act) for act in acts)
    return folder


def live(folder: Path, *watching: str) -> tuple[LiveWatching, list[float]]:
    now = [T0]
    serve = Serve(watch=watching, guards=Guards())
    return LiveWatching(Settings(serve=serve), folder, Findings(), lambda: now[0]), now


def told(findings: Any) -> list[Any]:
    return sorted((encode(each) for each in findings), key=str)


def stream(seed: int = 0) -> list[tuple[float, np.ndarray]]:
    """Batches of rows by time: as the reference, then moved."""
    rng = np.random.default_rng(seed)
    return [
        (T0 + 30 * i, (rng.normal(size=(32, 4)) + (1.2 if i > 60 else 0) * np.eye(4)[0]).astype(np.float32))
        for i in range(120)
    ]


def test_the_same_stream_gives_the_same_findings_live_and_over_its_log(cli: Cli, tmp_path: Path) -> None:
    reference = np.random.default_rng(9).normal(size=(1500, 4)).astype(np.float32)
    plain = served()
    answers = plain.answer(reference)
    save(InputDrift.fitted(reference, "m", DIGEST), tmp_path / "inputs.npz")
    save(AnswerDrift.fitted(answers.labels, answers.scores, "m", DIGEST), tmp_path / "answers.npz")
    settings = ServedModel(name="m", target="m.onnx", detectors=("inputs.npz", "answers.npz"))
    model = served(settings=settings, detected=Detected(name="m", digest=DIGEST))
    watcher, now = live(tmp_path, "drift")
    lines = []
    for time_s, rows in stream():
        now[0] = time_s
        batch = answered(model, call(model, rows))
        watcher.answered(batch)
        watcher.drain()
        assert batch.labels is not None
        assert batch.scores is not None
        for row, label, scores in zip(rows, batch.labels, batch.scores, strict=True):
            event = Event(client="client:a", time_s=time_s, model=DIGEST, x=row, label=int(label), scores=scores)
            lines.append(to_line(event))
    watcher._looked_s = -1e9
    watcher._published.clear()
    watcher.drain()
    (tmp_path / "log.jsonl").write_bytes(b"".join(lines))
    flags = ("--detector", tmp_path / "inputs.npz", "--detector", tmp_path / "answers.npz")
    ended = cli("watch", tmp_path / "log.jsonl", *flags, "--watch", "drift", "--format", "json")
    found = json.loads(ended.out)["findings"]
    assert {each["rule"] for each in found} == {"RDN-OPE-201", "RDN-OPE-202"}
    detectors = [tmp_path / "inputs.npz", tmp_path / "answers.npz"]
    report = watch(tmp_path / "log.jsonl", detectors, what=("drift",))
    assert told(report.findings) == told(watcher._findings.recent())


def test_access_over_an_audit_log_is_what_was_told_live(cli: Cli, tmp_path: Path) -> None:
    acts = [
        Act(
            t_us=int((T0 + i) * 1e6),
            who="-",
            act="login",
            cred=f"name:{i}",
            ok=False,
            why="unauthenticated",
            addr="9.9.9.9",
        )
        for i in range(60)
    ]
    acts += [
        Act(t_us=int((T0 + i) * 1e6), who="client:eve", act="predict", ok=False, why="forbidden", addr="8.8.8.8")
        for i in range(60)
    ]
    watcher, _ = live(tmp_path, "access")
    for act in acts:
        watcher.denied(act)
    watcher._looked_s = -1e9
    watcher.drain()
    folder = audit_log(tmp_path / "audit", acts)
    report = watch(folder, (), what=("access",))
    assert told(report.findings) == told(watcher._findings.recent())
    ended = cli("watch", folder, "--watch", "access", "--format", "json")
    assert ended.code == 1
    assert {each["params"]["sign"] for each in json.loads(ended.out)["findings"]} == {"stuffing", "denials"}


def test_logs_of_all_replicas_are_watched_together(cli: Cli, tmp_path: Path) -> None:
    acts = [
        Act(t_us=int((T0 + i) * 1e6), who="client:eve", act="predict", ok=False, why="forbidden", addr="8.8.8.8")
        for i in range(60)
    ]
    audit_log(tmp_path / "audit" / "one", acts[::2])
    audit_log(tmp_path / "audit" / "two", acts[1::2])
    ended = cli("watch", tmp_path / "audit", "--format", "json")
    whole = watch(audit_log(tmp_path / "whole", acts), (), what=("access",))
    assert [each["title"] for each in json.loads(ended.out)["findings"]] == [each.title for each in whole.findings]
    assert whole.findings
    (tmp_path / "nothing").mkdir()
    assert "holds no audit log" in cli("watch", tmp_path / "nothing").err


def test_labels_that_an_audit_log_keeps_are_enough_for_drift_of_answers(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    acts = [
        Act(t_us=int((T0 + i) * 1e6), who="client:a", act="predict", model="m@1", digest=DIGEST, labels=labels)
        for i, labels in enumerate([*rng.integers(0, 3, (80, 32)).tolist(), *rng.integers(0, 2, (80, 32)).tolist()])
    ]
    ended = cli("watch", audit_log(tmp_path / "audit", acts), "--watch", "drift", "--format", "json")
    report = json.loads(ended.out)
    assert [(each["rule"], each["subject"]) for each in report["findings"]] == [("RDN-OPE-202", "m")]
    # inputs were not kept: their drift is unknown, and that is said
    assert {each["name"]: each["outcome"] for each in report["probes"]} == {
        "input-drift": "failed",
        "answer-drift": "ran",
    }


def test_truths_in_an_event_log_tell_a_fall_of_accuracy(cli: Cli, tmp_path: Path) -> None:
    wrong = np.random.default_rng(0).random(2500) < np.r_[np.full(1000, 0.05), np.full(1500, 0.3)]
    lines = [
        to_line(Event(client="a", time_s=T0 + 10 * i, model=DIGEST, label=1, truth=0 if bad else 1))
        for i, bad in enumerate(wrong)
    ]
    (tmp_path / "log.jsonl").write_bytes(b"".join(lines))
    ended = cli("watch", tmp_path / "log.jsonl", "--watch", "performance", "--format", "json")
    assert ended.code == 1
    (found,) = json.loads(ended.out)["findings"]
    assert found["rule"] == "RDN-OPE-203"


def test_what_was_over_before_the_log_ended_is_told_as_it_was_live(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 2, 1500)
    save(AnswerDrift.fitted(reference, None, "m", DIGEST), tmp_path / "answers.npz")
    answers_ = [*np.zeros(60, int), *np.ones(60, int), *rng.integers(0, 2, 3000)]
    acts = [
        Act(
            t_us=int((T0 + i / 100) * 1e6), who="client:a", act="predict", model="m@1", digest=DIGEST, labels=[int(one)]
        )
        for i, one in enumerate(answers_)
    ]
    folder = audit_log(tmp_path / "audit", acts)
    ended = cli("watch", folder, "--detector", "answers.npz", "--watch", "drift", "--format", "json")
    assert [each["rule"] for each in json.loads(ended.out)["findings"]] == ["RDN-OPE-202"]


def test_inputs_that_a_gateway_keeps_are_judged_beside_its_audit_log(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    benign = Dataset(x=rng.random((600, 4)), y=np.zeros(600, int), name="", sha256="", indices=np.arange(600))
    seen = Detected(name="m", digest=DIGEST)
    save(QuerySequence.fitted(benign, seen, Asked(rate=0.02)), tmp_path / "sequence.npz")
    (tmp_path / "redan.toml").write_text('[audit]\nkey = "audit.key"\nkeep = "inputs"\n')
    config = configuration.load(file=tmp_path / "redan.toml", root=tmp_path, environ={})
    kept = Kept(places.kept_folder(config.settings, tmp_path), places.secret(config.settings, tmp_path))
    acts = []
    for i in range(160):
        who = "client:out" if i < 70 else ("client:ann", "client:eve")[i % 2]
        x = rng.random((1, 4)) if who == "client:ann" else 0.5 + 1e-4 * rng.random((1, 4))
        body = json.dumps({"x": x.tolist()}).encode()
        digest = sha256(body).hexdigest()
        kept.put(who, "input", digest, body)
        acts.append(
            Act(
                t_us=int(T0 * 1e6) + i, who=who, act="predict", digest=DIGEST, x=digest, rows=1, labels=[1], model="m@1"
            )
        )
    kept.erase("client:out")
    log = audit_log(tmp_path / ".redan/service/audit/r1", acts)
    for folder in (log, log.parent):
        ended = cli("watch", folder, "--detector", "sequence.npz", "--format", "json")
        report = json.loads(ended.out)
        assert ended.code == 1
        assert [each["locations"][0]["address"] for each in report["findings"]] == ["client:eve"]
        # what nobody can judge any more is no clean bill
        assert "of 70 answered requests no input is kept that can be opened and read" in report["notes"]
    # away from the project nothing opens what was kept, and nothing is clean
    (tmp_path / "redan.toml").unlink()
    ended = cli("watch", log, "--detector", "sequence.npz")
    assert ended.code == 3
    assert "without theirs" in " ".join(ended.out.split())


def test_what_guards_measured_and_the_log_kept_is_judged_without_the_model(cli: Cli, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows, seen = rng.normal(size=(700, 4)).astype(np.float32), Detected(name="m", digest=DIGEST, features=lambda x: x)
    data = [
        Dataset(x=x, y=np.arange(350) % 2, name="", sha256="", indices=np.arange(350)) for x in (rows[:350], rows[350:])
    ]
    detector = FeatureDistance.fitted(*data, seen, Asked(rate=0.05))
    save(detector, tmp_path / "distance.npz")
    acts = []
    for i in range(120):
        model = served(detected=seen)
        batch = answered(model, call(model, 9 + rng.normal(size=(4, 4))))
        Screen(detector, denies=False).before(batch)
        (one,) = batch.calls
        one.labels = batch.labels
        acts += [replace_act(act, t_us=int((T0 + i) * 1e6)) for act in acts_of([one], "r1", "answers")]
    ended = cli("watch", audit_log(tmp_path / "audit", acts), "--detector", "distance.npz", "--format", "json")
    assert ended.code == 1, ended
    assert [each["rule"] for each in json.loads(ended.out)["findings"]] == ["RDN-EVA-202"]


def test_what_cannot_be_judged_is_never_clean(cli: Cli, tmp_path: Path) -> None:
    few = [Event(client="a", time_s=T0, model=DIGEST, x=np.zeros(3), label=1)] * 5
    (tmp_path / "log.jsonl").write_bytes(b"".join(map(to_line, few)))
    assert cli("watch", tmp_path / "log.jsonl", "--watch", "drift").code == 3
    assert cli("watch", tmp_path / "log.jsonl", "--watch", "performance").code == 3
    assert cli("watch", tmp_path / "log.jsonl").code == 2
    assert cli("watch", tmp_path / "log.jsonl", "--watch", "access").code == 2
    assert cli("watch", tmp_path, "--watch", "access").code == 3

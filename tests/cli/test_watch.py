"""`redan watch` on the command line, over a real log."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Cli

from redan.core.inputs import Dataset
from redan.core.monitor import Event
from redan.kernels.detectors.log import LONGEST_LINE, events_of, from_line, to_line
from redan.subjects.detectors.opening import save
from redan.subjects.detectors.served import Asked, Served
from redan.threats.evasion.monitors.feature_distance import FeatureDistance
from redan.threats.evasion.monitors.query_sequence import QuerySequence

MODEL = "ab" * 32
ROWS = np.random.default_rng(0).random((600, 12)).astype(np.float32)
ASKED = Asked(rate=0.05)


def dataset(rows: np.ndarray) -> Dataset:
    return Dataset(x=rows, y=np.arange(len(rows)) % 2, name="", sha256="", indices=np.arange(len(rows)))


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    served = Served(name="net", digest=MODEL)
    return save(QuerySequence.fitted(dataset(ROWS), served, ASKED), tmp_path / "sequence.npz")


@pytest.fixture
def distance(tmp_path: Path) -> Path:
    served = Served(name="net", digest=MODEL, features=lambda rows: rows)
    made = FeatureDistance.fitted(dataset(ROWS[:300]), dataset(ROWS[300:]), served, ASKED)
    return save(made, tmp_path / "distance.npz")


def log(path: Path, *, search: bool, **more: object) -> Path:
    noise = np.random.default_rng(1).random((80, 12)).astype(np.float32)
    rows = ROWS[0] + noise * 0.001 if search else noise
    events = [Event(client="eve", time_s=float(i), model=MODEL, x=row, **more) for i, row in enumerate(rows)]  # type: ignore[arg-type]  # by name
    path.write_bytes(b"".join(map(to_line, events)))
    return path


def test_a_search_ends_with_1_and_names_the_client(cli: Cli, tmp_path: Path, sequence: Path) -> None:
    ended = cli("watch", log(tmp_path / "log.jsonl", search=True), "--detector", sequence, "--format", "json")
    report = json.loads(ended.out)
    assert ended.code == 1
    assert report["subject"]["name"] == "net"
    assert [f["locations"][0]["address"] for f in report["findings"]] == ["eve"]


def test_benign_requests_end_with_0_and_odd_lines_are_counted(cli: Cli, tmp_path: Path, sequence: Path) -> None:
    path = log(tmp_path / "log.jsonl", search=False)
    path.write_bytes(path.read_bytes() + b"no event\n\n" + b"[" * 5000 + b"\n{}\n")
    ended = cli("watch", path, "--detector", sequence, "--format", "json")
    assert ended.code == 0
    assert json.loads(ended.out)["notes"] == ["3 of 83 lines are no events and were passed over"]


def test_what_cannot_be_judged_is_never_clean(cli: Cli, tmp_path: Path, sequence: Path, distance: Path) -> None:
    path = log(tmp_path / "log.jsonl", search=False)
    ended = cli("watch", path, "--detector", distance)
    assert ended.code == 3
    assert "the model is not here" in " ".join(ended.out.split())
    path.write_bytes(path.read_bytes().replace(MODEL.encode(), b"cd" * 32))
    assert cli("watch", path, "--detector", sequence).code == 3
    path.write_bytes(b"nothing\n")
    assert cli("watch", path, "--detector", sequence).code == 3
    assert cli("watch", tmp_path / "absent", "--detector", sequence).code == 3
    assert cli("watch", path, "--detector", path).code == 3


def test_what_guards_measured_is_enough(cli: Cli, tmp_path: Path, distance: Path) -> None:
    path = log(tmp_path / "log.jsonl", search=False, suspicion={"RDN-EVA-202": 1e9})
    assert cli("watch", path, "--detector", distance).code == 1


def test_events_come_back_from_their_lines(tmp_path: Path) -> None:
    event = Event(client="a", time_s=1.5, model="m", x=ROWS[0], scores=np.ones(2), label=1, suspicion={"r": 0.5})
    back = from_line(to_line(event))
    assert back is not None
    assert (back.client, back.time_s, back.model, back.label, back.suspicion) == ("a", 1.5, "m", 1, {"r": 0.5})
    assert back.x == pytest.approx(ROWS[0])
    assert back.scores == pytest.approx([1, 1])
    cells = from_line(to_line(Event(client="a", time_s=0, model="m", x={"age": 3})))
    assert cells is not None
    assert cells.x == {"age": 3}


def test_a_line_without_end_does_not_fill_memory(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    good = to_line(Event(client="a", time_s=0, model="m"))
    path.write_bytes(b"x" * (2 * LONGEST_LINE + 5) + b"\n" + good + b"y" * LONGEST_LINE)
    assert [event is not None for event in events_of(path)] == [False, True, False]

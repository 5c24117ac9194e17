"""Tests of alarm rates that never end, memories that merge, and files."""

from __future__ import annotations

import io
import json
import math
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redan.core.errors import Unreadable
from redan.kernels.detectors import kept
from redan.kernels.detectors.alarms import log_change, log_evidence
from redan.kernels.detectors.by_client import ByClient
from redan.kernels.detectors.fingerprints import LENGTH, earlier, fingerprints
from redan.kernels.detectors.memory import Trail


def test_evidence_is_a_mixture_whose_mean_is_at_most_one() -> None:
    for rate in (0.01, 0.005):
        mean = sum(
            math.comb(60, k) * rate**k * (1 - rate) ** (60 - k) * math.exp(log_evidence(k, 60, 0.01)) for k in range(61)
        )
        assert mean <= 1 + 1e-9
    assert log_evidence(0, 0, 0.01) == pytest.approx(0)


def test_benign_traffic_hardly_ever_crosses_however_often_one_looks() -> None:
    crossed = 0
    for seed in range(200):
        total = np.random.default_rng(seed).binomial(20, 0.05, size=100).cumsum()
        crossed += any(log_evidence(int(k), 20 * (i + 1), 0.05) > math.log(20) for i, k in enumerate(total))
    assert crossed <= 20  # 1 in 20 of 200, and two standard deviations


def test_a_rise_is_noticed_after_a_long_quiet_time() -> None:
    quiet, loud = [(1, 100)] * 50, [(15, 100)]
    assert log_change(quiet, 0.02) < math.log(1000) < log_change(quiet + loud, 0.02)
    assert log_evidence(65, 5100, 0.02) < math.log(1000), "the whole history alone would hide it"
    assert log_change([], 0.02) == -math.inf


def test_fingerprints_keep_distances() -> None:
    rows = np.random.default_rng(0).random((40, 784))
    prints = fingerprints(784, seed=0).of(rows)
    true = np.linalg.norm(rows[1:] - rows[0], axis=1)
    told = np.linalg.norm(prints[1:] - prints[0], axis=1)
    assert np.mean(told / true) == pytest.approx(1, abs=0.1)
    assert (told / true).std() < 0.2
    assert np.isinf(earlier(prints)[0])


prints = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=30, unique=True)


def query(time_s: int, number: int) -> tuple[float, bytes, np.ndarray]:
    print_ = np.zeros(LENGTH, dtype=np.float32)
    print_[0] = number
    return float(time_s), f"{time_s}-{number}".encode(), print_


@settings(max_examples=60, deadline=None)
@given(prints, st.integers(1, 40), st.randoms(use_true_random=False))
def test_a_trail_depends_on_the_set_alone(items: list[tuple[int, int]], most: int, random: object) -> None:
    ordered, mixed = Trail(most, 0.5), Trail(most, 0.5)
    for item in sorted(items):
        ordered.add(query(*item))
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    for item in shuffled:
        mixed.add(query(*item))
    assert [q[:2] for q in mixed.queries()] == [q[:2] for q in ordered.queries()]
    numbers = [int(q[2][0]) for q in ordered.queries()]
    near = sum(n in numbers[:i] for i, n in enumerate(numbers))
    assert ordered.near == mixed.near == (near, max(0, len(numbers) - 1))
    left, right = Trail(most, 0.5), Trail(most, 0.5)
    for i, item in enumerate(shuffled):
        (left if i % 2 else right).add(query(*item))
    assert left.merged(right).near == right.merged(left).near == ordered.near


def test_the_clients_that_asked_last_are_kept() -> None:
    memory = ByClient(2, partial(Trail, 5, 0.5))
    for i, client in enumerate("abacd"):
        memory.add(client, query(i, i))
    assert memory.trail("d").near == (0, 0)
    assert [len(memory.trail(c).queries()) for c in "abcd"] == [0, 0, 1, 1]


def test_a_file_comes_back_and_equal_detectors_give_equal_bytes(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6.0).reshape(2, 3)}
    data = kept.write(arrays, {"rule": "x"})
    assert data == kept.write(arrays, {"rule": "x"})
    path = tmp_path / "d.npz"
    path.write_bytes(data)
    back, about = kept.read(path)
    assert (back["a"] == arrays["a"]).all()
    assert about["rule"] == "x"


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for name, data in members.items():
            out.writestr(f"{name}.npy", data)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


ABOUT = npy(np.frombuffer(json.dumps({"format": kept.FORMAT}).encode(), dtype=np.uint8))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no detector"),
        (b"PK\x03\x04 broken", "no detector"),
        (archive(), "no detector: KeyError"),
        (archive(about=npy(np.array([object()]))), "no detector"),
        (archive(about=npy(np.frombuffer(b"[" * 100_000, dtype=np.uint8))), "no detector"),
        (archive(about=npy(np.frombuffer(b'{"format": "other"}', dtype=np.uint8))), "it is 'other'"),
        (archive(about=ABOUT, a=npy(np.array([np.nan]))), "no number"),
        (archive(about=ABOUT, a=npy(np.zeros(3))[:-8]), "in 16 bytes"),
        (archive(about=ABOUT, **{f"a{i}": ABOUT for i in range(20)}), "21 members"),
    ],
)
def test_hostile_files_are_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=words):
        kept.read(path)
    with pytest.raises(Unreadable, match="cannot read"):
        kept.read(tmp_path / "absent.npz")

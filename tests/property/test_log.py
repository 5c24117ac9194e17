"""The log against random bytes and random work: recovery gives a beginning, readers see one state, nothing crashes."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redan.core.errors import EvidenceError, RedanError, Unreadable
from redan.evidence.keys import Signer, generate
from redan.evidence.log import LogReader, create_log, notes, open_log, proving
from redan.evidence.log.verifying import verify
from redan.kernels.merkle.hashes import leaf, leaves, root
from redan.kernels.merkle.proofs import included

ORIGIN = "example.com/models"
ENTRIES = [b"entry %d" % i + b"." * (i % 50) for i in range(40)]
ONE_FOLDER = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def signer() -> Signer:
    return generate("ed25519")


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Path:
    """A log whose writer ended without a word: nothing signed, everything in the write-ahead log."""
    folder = tmp_path_factory.mktemp("logs") / "log"
    create_log(folder, signer, ORIGIN)
    with open_log(folder, signer, checkpoint_every_s=60) as log:
        for at in (0, 1, 5, 20):
            log.append_many(ENTRIES[at : {0: 1, 1: 5, 5: 20, 20: 40}[at]])
        shutil.copytree(folder, folder.with_name("torn"))
    return folder.with_name("torn")


@ONE_FOLDER
@given(data=st.data())
def test_a_write_ahead_log_of_any_bytes_gives_a_beginning_or_is_refused(
    torn: Path, tmp_path: Path, signer: Signer, data: st.DataObject
) -> None:
    folder = tmp_path / "log"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(torn, folder)
    (path,) = (folder / "wal").iterdir()
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole)))
    put = data.draw(st.binary(max_size=60))
    path.write_bytes(whole[:at] + put + whole[at + data.draw(st.integers(0, 60)) :])
    key = notes.key_of(ORIGIN, signer.verifier)
    found = verify(folder, key)
    try:
        with open_log(folder, signer) as log:
            left = list(log.entries())
    except EvidenceError:
        assert found.problems
        return
    assert left == ENTRIES[: len(left)]
    assert not found.problems
    assert found.unsigned == len(left)


@ONE_FOLDER
@given(data=st.data())
def test_any_work_gives_the_tree_of_its_entries(tmp_path: Path, signer: Signer, data: st.DataObject) -> None:
    folder, expected = tmp_path / "log", []
    shutil.rmtree(folder, ignore_errors=True)
    create_log(folder, signer, ORIGIN)
    for _ in range(data.draw(st.integers(1, 3))):
        with open_log(folder, signer, checkpoint_every_s=60) as log:
            for _ in range(data.draw(st.integers(0, 4))):
                kind = data.draw(st.sampled_from(["one", "many", "checkpoint", "prove"]))
                if kind == "one":
                    expected.append(data.draw(st.binary(max_size=20)))
                    assert log.append(expected[-1]) == len(expected) - 1
                elif kind == "many":
                    more = [b"%d" % i for i in range(data.draw(st.integers(0, 300)))]
                    assert log.append_many(more) == list(range(len(expected), len(expected) + len(more)))
                    expected += more
                elif kind == "checkpoint":
                    assert log.checkpoint().root == root(leaves(expected))
                elif expected:
                    index = data.draw(st.integers(0, len(expected) - 1))
                    proof = proving.parse(log.proof(index).encode())
                    head = proof.checkpoint
                    assert included(leaf(expected[index]), index, head.size, proof.path, head.root)
    reader = LogReader(folder)
    assert list(reader.entries()) == expected
    assert reader.checkpoint.root == root(leaves(expected)) == reader.root(len(expected))
    assert not verify(folder, notes.key_of(ORIGIN, signer.verifier)).problems


@given(st.binary(max_size=400))
def test_any_bytes_are_a_proof_or_refused(data: bytes) -> None:
    for text in (data, b"c2sp.org/tlog-proof@v1\nindex " + data, b"old " + data):
        try:
            proving.parse(text)
        except Unreadable:
            continue


def test_readers_beside_a_writer_see_one_whole_state(tmp_path: Path, signer: Signer) -> None:
    create_log(tmp_path / "log", signer, ORIGIN)
    ended, seen, wrong = threading.Event(), [], []

    def read() -> None:
        while not ended.is_set():
            try:
                reader = LogReader(tmp_path / "log")
                found = list(reader.entries())
                if reader.checkpoint.root != root(leaves(found)):
                    wrong.append(reader.size)
                if reader.size:
                    proof = reader.inclusion(reader.size - 1)
                    if not included(leaf(found[-1]), reader.size - 1, reader.size, proof, reader.checkpoint.root):
                        wrong.append(reader.size)
                seen.append(reader.size)
            except RedanError as err:
                wrong.append(err.message)

    thread = threading.Thread(target=read)
    thread.start()
    with open_log(tmp_path / "log", signer, checkpoint_every_s=0.001) as log:
        for i in range(150):
            log.append_many([b"%d %d" % (i, j) for j in range(20)])
    ended.set()
    thread.join()
    assert not wrong
    assert len(set(seen)) > 3

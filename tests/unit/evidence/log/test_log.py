"""The log as its users see it: append, read, prove, reopen, share between threads; and when the disk will not."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from redan.core.errors import EvidenceError, SignatureRefused, Unreadable, UsageError
from redan.evidence import dsse
from redan.evidence.keys import Signer, generate
from redan.evidence.log import Log, LogReader, create_log, notes, open_log, proving, statements
from redan.evidence.log.disk import Disk
from redan.evidence.log.notes import NoteKey
from redan.evidence.log.verifying import verify
from redan.kernels.merkle import tiles
from redan.kernels.merkle.hashes import leaves, root

Make = Callable[..., Path]


def some(n: int, start: int = 0) -> list[bytes]:
    return [b"entry %d" % i for i in range(start, start + n)]


@pytest.mark.parametrize("n", [0, 1, 2, 255, 256, 257, 700])
def test_what_was_appended_is_read_back_and_signed(make: Make, signer: Signer, key: NoteKey, n: int) -> None:
    folder = make(some(n))
    reader = LogReader(folder)
    notes.signed_by(reader.checkpoint, key)
    assert reader.size == n
    assert list(reader.entries()) == some(n)
    assert reader.checkpoint.root == root(leaves(some(n)))
    assert not list((folder / "wal").iterdir())
    with open_log(folder, signer) as log:
        assert log.append(b"more") == n
        assert [log.entry(i) for i in range(n + 1)] == [*some(n), b"more"] == list(log.entries())


def test_the_files_are_those_of_the_tiles_specification(make: Make) -> None:
    folder = make([b"", b"x" * 300, *some(254), b"last"])
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert names == {
        "checkpoint",
        "lock",
        "log.vkey",
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/entries/001.p/1",
    }
    assert (folder / "tile/entries/000").read_bytes().startswith(b"\0\0\1\x2cxxx")
    assert (folder / "tile/entries/001.p/1").read_bytes() == b"\0\4last"
    assert (folder / "tile/0/000").stat().st_size == 256 * 32


def test_appends_from_many_threads_all_stand_once(make: Make, signer: Signer) -> None:
    folder, found = make([]), {}
    with open_log(folder, signer, checkpoint_every_s=0.005) as log:

        def work(who: int) -> None:
            for i in range(60):
                entry = b"%d of %d" % (i, who)
                found[log.append(entry)] = entry
            many = [b"many %d of %d" % (i, who) for i in range(40)]
            indexes = log.append_many(many)
            assert all(a < b for a, b in pairwise(indexes))
            found.update(zip(indexes, many, strict=True))

        threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert log.size == 800
        assert log.pending == 0
        assert list(log.entries()) == [found[i] for i in range(800)]
    assert list(LogReader(folder).entries()) == [found[i] for i in range(800)]
    assert not verify(folder, _key(folder)).problems


def _key(folder: Path) -> NoteKey:
    return notes.parse_key((folder / "log.vkey").read_text())


def test_asynchronous_appends_call_back_when_durable(make: Make, signer: Signer) -> None:
    called: list[int] = []
    with open_log(make([]), signer) as log:
        tickets = [log.append_async(entry) for entry in some(50)]
        for ticket in tickets:
            ticket.then(lambda ticket=ticket: called.append(ticket.index()))
        assert [t.index() for t in tickets] == list(range(50))
        tickets[0].then(lambda: called.append(-1))
        assert called[-1] == -1
    assert sorted(called) == [-1, *range(50)]


class SlowDisk(Disk):
    """A disk whose syncs wait until they are let go."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    def sync(self, handle: int) -> None:
        assert self.gate.wait(20)
        super().sync(handle)


def test_no_more_entries_wait_than_the_log_was_told_to_risk(make: Make, signer: Signer) -> None:
    disk = SlowDisk()
    with open_log(make([]), signer, most_pending=10, disk=disk) as log:
        disk.gate.clear()
        tickets = []
        sender = threading.Thread(target=lambda: tickets.extend([log.append_async(e) for e in some(30)]))
        sender.start()
        deadline = time.monotonic() + 10
        while log.pending < 10 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.02)
        assert log.pending == 10
        disk.gate.set()
        sender.join()
        assert [t.index() for t in tickets] == list(range(30))


def test_a_proof_verifies_without_the_log(make: Make, signer: Signer, key: NoteKey) -> None:
    folder = make(some(300))
    old = LogReader(folder).checkpoint
    with open_log(folder, signer) as log:
        log.append_many(some(300, 300))
        text = log.proof(417)
        joined = proving.consistency_file(log.reader(), 300)
    proof = proving.parse(text.encode())
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 417\n")
    proving.check_inclusion(proof, b"entry 417", key)
    with pytest.raises(SignatureRefused, match="does not stand"):
        proving.check_inclusion(proof, b"entry 418", key)
    proving.check_consistency(proving.parse(joined.encode()), old, key)
    with pytest.raises(SignatureRefused, match="expected an inclusion proof"):
        proving.check_inclusion(proving.parse(joined.encode()), b"entry 0", key)
    with pytest.raises(SignatureRefused, match="expected a consistency proof"):
        proving.check_consistency(proof, old, key)
    forged = notes.sign(notes.Checkpoint(origin=old.origin, size=300, root=bytes(32)), signer)
    with pytest.raises(SignatureRefused, match="were changed"):
        proving.check_consistency(proving.parse(joined.encode()), forged, key)
    extra = text.replace("\nindex", "\nextra YWJj\nindex")
    assert proving.parse(extra.encode()) == proof


@pytest.mark.parametrize(
    "bad", [b"", b"old 1\n", b"index 0\n\n", b"c2sp.org/tlog-proof@v1\nold 1\n\n", b"old 01\n\n", b"\xff"]
)
def test_no_proof_is_told(bad: bytes) -> None:
    with pytest.raises(Unreadable, match="no proof"):
        proving.parse(bad)


def test_a_second_writer_is_refused_and_the_first_goes_on(make: Make, signer: Signer) -> None:
    folder = make([])
    with open_log(folder, signer) as log:
        with pytest.raises(UsageError, match="another process writes"):
            open_log(folder, signer)
        assert log.append(b"still") == 0
    with open_log(folder, signer) as log:
        assert log.append(b"next") == 1
    with pytest.raises(EvidenceError, match="closed"):
        log.append(b"too late")


def test_another_key_may_not_continue_a_log(make: Make) -> None:
    folder = make(some(3))
    with pytest.raises(SignatureRefused, match="not signed by this key"):
        open_log(folder, generate("ed25519"))
    with pytest.raises(UsageError, match="Ed25519"):
        open_log(folder, generate("p256"))


def test_wrong_folders_and_entries_are_told(make: Make, signer: Signer, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no log"):
        open_log(tmp_path / "absent", signer)
    folder = make([])
    with pytest.raises(UsageError, match="not empty"):
        create_log(folder, signer, "example.com/models")
    with open_log(folder, signer) as log:
        with pytest.raises(UsageError, match="65535"):
            log.append(b"x" * 65_536)
        with pytest.raises(UsageError, match="65535"):
            log.append_many([b"fine", b"x" * 65_536])
        assert log.size == 0
        assert log.append_many([b"x" * 65_535] * 70) == list(range(70))
        with pytest.raises(UsageError, match="no entry 70"):
            log.entry(70)
        with pytest.raises(UsageError, match="no entry -1"):
            log.entry(-1)


def test_a_log_is_not_continued_on_changed_tiles(make: Make, signer: Signer) -> None:
    folder = make(some(300))
    good = shutil.copytree(folder, folder.with_name("good"))
    for name in ("tile/entries/001.p/44", "tile/0/001.p/44", "tile/1/000.p/1"):
        data = bytearray((folder / name).read_bytes())
        data[3] ^= 1
        (folder / name).write_bytes(data)
        with pytest.raises(EvidenceError):
            open_log(folder, signer)
        shutil.copy(good / name, folder / name)
    with open_log(folder, signer) as log:
        assert log.size == 300


class FullDisk(Disk):
    """A disk that takes a number of bytes and no more."""

    left = 1 << 30

    def append(self, handle: int, data: bytes) -> None:
        if len(data) > self.left:
            os.write(handle, data[: self.left])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().append(handle, data)


@pytest.mark.parametrize("left", [0, 5, 40, 1000])
def test_a_full_disk_refuses_entries_and_loses_none(make: Make, signer: Signer, left: int) -> None:
    folder, disk = make(some(10)), FullDisk()
    with open_log(folder, signer, disk=disk, checkpoint_every_s=60) as log:
        log.append_many(some(10, 10))
        disk.left = left
        with pytest.raises(EvidenceError, match="No space left"):
            log.append_many([b"x" * 500] * 10)
        disk.left = min(left, 40)
        with pytest.raises(EvidenceError, match="cannot write the log's tiles"):
            log.checkpoint()
        disk.left = 1 << 30
        before = log.size
        assert log.append(b"again") == before
        assert log.checkpoint().size == before + 1
    assert list(LogReader(folder).entries())[:20] == some(20)
    assert not verify(folder, _key(folder)).problems


def test_a_full_disk_at_the_very_first_entry(make: Make, signer: Signer) -> None:
    folder, disk = make([]), FullDisk()
    with open_log(folder, signer, disk=disk) as log:
        disk.left = 3
        for _ in range(2):
            with pytest.raises(EvidenceError, match="No space left"):
                log.append(b"x")
        disk.left = 1 << 30
        assert log.append(b"y") == 0


class BrokenDisk(Disk):
    """A disk whose syncs fail when told to."""

    broken = False

    def sync(self, handle: int) -> None:
        if self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(handle)


def test_after_a_failed_sync_nothing_more_is_acknowledged(make: Make, signer: Signer) -> None:
    folder, disk = make(some(10)), BrokenDisk()
    log = open_log(folder, signer, disk=disk, checkpoint_every_s=60)
    log.append(b"good")
    disk.broken = True
    for _ in range(2):
        with pytest.raises(EvidenceError, match="closed for writing"):
            log.append(b"lost")
    disk.broken = False
    with pytest.raises(EvidenceError, match="closed for writing"):
        log.append(b"still refused")
    log.close()
    with open_log(folder, signer) as log:
        assert list(log.entries())[:11] == [*some(10), b"good"]


LIMITED = """
import resource, sys
from pathlib import Path
from redan.core.errors import EvidenceError
from redan.evidence.keys import load_signer
from redan.evidence.log import open_log
folder, key = map(Path, sys.argv[1:])
done = 0
with open_log(folder, load_signer(key)) as log:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        while done < 1000:
            done = log.append(b"x" * 300) + 1
    except EvidenceError as err:
        print(done, err.message)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert log.append(b"room again") == done
"""


def test_the_systems_own_limit_on_file_size_is_a_full_disk(make: Make, signer: Signer, tmp_path: Path) -> None:
    from redan.evidence.keys import save

    folder = make([])
    save(signer, tmp_path / "key")
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder), str(tmp_path / "key")], capture_output=True, text=True, check=True
    )
    done, words = ended.stdout.split(" ", 1)
    assert 0 < int(done) < 70
    assert "not recorded: File too large" in words
    assert list(LogReader(folder).entries()) == [b"x" * 300] * int(done) + [b"room again"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser may become somebody without permission")
def test_a_folder_without_permission_is_told_and_still_read(signer: Signer) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "log"
        create_log(folder, signer, "example.com/models")
        with open_log(folder, signer) as log:
            log.append(b"one")
        Path(name).chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(UsageError, match="may not be written to: Permission denied"):
                open_log(folder, signer)
            with pytest.raises(UsageError, match="cannot make a log"):
                create_log(Path(name) / "other", signer, "example.com/models")
            assert LogReader(folder).entry(0) == b"one"
        finally:
            os.seteuid(0)


def test_a_clock_that_runs_backwards_changes_nothing(
    make: Make, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make([])
    with open_log(folder, signer, checkpoint_every_s=0.01) as log:
        for i in range(5):
            monkeypatch.setattr(time, "time", lambda i=i: 1e9 - 1000 * i)
            log.append(b"%d" % i)
    assert not verify(folder, _key(folder)).problems


def test_a_statement_is_recorded_without_its_content(make: Make, signer: Signer, key: NoteKey) -> None:
    envelope = dsse.seal(b'{"secret": "name"}' * 10_000, generate())
    with open_log(make([]), signer) as log:
        index = statements.record(log, envelope)
        proof = proving.parse(log.proof(index).encode())
    entry = statements.entry_of(dsse.from_json(envelope.to_json()))
    proving.check_inclusion(proof, entry, key)
    assert b"secret" not in entry
    assert len(entry) < 1000


def test_partial_files_stay_until_the_full_one_is_there(make: Make, signer: Signer) -> None:
    folder = make([])
    with open_log(folder, signer, checkpoint_every_s=60) as log:
        for n in (10, 20):
            log.append_many(some(n))
            log.checkpoint()
        assert {p.name for p in (folder / "tile/entries/000.p").iterdir()} == {"10", "30"}
        log.append_many(some(300))
        log.checkpoint()
        assert not (folder / "tile/entries/000.p").exists()
        assert not (folder / "tile/0/000.p").exists()
        assert len(tiles.entries((folder / "tile/entries/000").read_bytes())) == 256


def test_an_event_loop_can_wait_for_many_entries_at_once(make: Make, signer: Signer) -> None:
    async def append(log: Log, entry: bytes) -> int:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        ticket = log.append_async(entry)
        ticket.then(lambda: loop.call_soon_threadsafe(done.set_result, None))
        await done
        return ticket.index()

    async def all_of_them(log: Log) -> list[int]:
        return await asyncio.gather(*[append(log, entry) for entry in some(2000)])

    with open_log(make([]), signer) as log:
        assert asyncio.run(all_of_them(log)) == list(range(2000))
        assert list(log.entries()) == some(2000)


def test_a_group_is_recorded_side_by_side_and_never_waits(make: Make, signer: Signer) -> None:
    with open_log(make([b"before"]), signer, most_pending=10, linger_s=60.0) as log:
        first = log.append_group([b"a", b"b"])
        second = log.append_group([b"c"])
        with pytest.raises(EvidenceError, match="3 entries wait"):
            log.append_group([b"x"] * 8)
        with pytest.raises(UsageError, match="no group"):
            log.append_group([])
        with pytest.raises(UsageError, match="65535"):
            log.append_group([bytes(65_536)])
        assert (log.pending, log.size) == (3, 1), "the group waits for others while it lingers"
    assert (first.index(), second.index(), first.error) == (1, 3, None)
    assert list(LogReader(log.folder).entries()) == [b"before", b"a", b"b", b"c"]


def test_groups_of_many_threads_stay_whole(make: Make, signer: Signer) -> None:
    with open_log(make([]), signer) as log, ThreadPoolExecutor(8) as pool:

        def hand_in(i: int) -> int:
            return log.append_group([b"%d.%d" % (i, j) for j in range(37)]).index()

        places = list(pool.map(hand_in, range(100)))
    found = list(LogReader(log.folder).entries())
    assert len(found) == 3700
    assert all(found[at : at + 37] == [b"%d.%d" % (i, j) for j in range(37)] for i, at in enumerate(places))

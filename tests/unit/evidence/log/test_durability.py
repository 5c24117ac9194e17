"""No acknowledged entry is ever lost: killed at random moments, and without power after any call to the disk."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.evidence.log.crashing import Machine, RecordingDisk

from redan.core.errors import EvidenceError
from redan.evidence.keys import Signer, save
from redan.evidence.log import LogReader, notes, open_log, wal
from redan.evidence.log.notes import NoteKey
from redan.evidence.log.verifying import verify
from redan.evidence.log.writing import Log

Make = Callable[..., Path]
ACK = "acknowledged"


def some(n: int, start: int = 0) -> list[bytes]:
    return [b"entry %d" % i for i in range(start, start + n)]


def work(log: Log, disk: RecordingDisk, rng: random.Random, start: int, n: int) -> None:
    """Append in groups of many sizes, with checkpoints in between; every acknowledgement is written into the trace."""
    done = start
    while done < start + n:
        size = rng.choice([1, 1, 2, 7, 40, 300])
        way = rng.random()
        if way < 0.4:
            tickets = [log.append_async(entry) for entry in some(size, done)]
            for ticket in tickets:
                ticket.then(lambda ticket=ticket: disk.trace.append((ACK, ticket.index() + 1)))
            tickets[-1].index()
        elif way < 0.7:
            log.append_group(some(size, done)).index()
            disk.trace.append((ACK, done + size))
        else:
            log.append_many(some(size, done))
            disk.trace.append((ACK, done + size))
        done += size
        if rng.random() < 0.2:
            log.checkpoint()


def acknowledged(trace: list[tuple[object, ...]]) -> int:
    return max((int(str(call[1])) for call in trace if call[0] == ACK), default=0)


def replay(root: Path, trace: list[tuple[object, ...]], target: Path, rng: random.Random) -> None:
    machine = Machine(root)
    for call in trace:
        if call[0] != ACK:
            machine.step(call)
    machine.crash(target, rng)


def crash_twice(initial: Path, trace: list[tuple[object, ...]], signer: Signer, rng: random.Random) -> None:
    """Lose power at a random call, lose it again while recovering, and check what is left each time."""
    cut = rng.randrange(len(trace) + 1)
    acked = acknowledged(trace[:cut])
    left, before, again = (initial.with_name(name) for name in ("left", "before", "again"))
    replay(initial, trace[:cut], left, rng)
    shutil.copytree(left, before)
    disk = RecordingDisk(left)
    found = recovered(left, signer, acked, disk)
    replay(before, disk.trace[: rng.randrange(len(disk.trace) + 1)], again, rng)
    twice = recovered(again, signer, acked, RecordingDisk(again))
    assert twice[: len(found)] == found[: len(twice)]
    for path in (left, again, before):
        shutil.rmtree(path)


def crash_often(initial: Path, trace: list[tuple[object, ...]], signer: Signer, times: int) -> None:
    for seed in range(times):
        crash_twice(initial, trace, signer, random.Random(seed))


def recovered(folder: Path, signer: Signer, acked: int, disk: RecordingDisk) -> list[bytes]:
    """Open what a crash left and return the entries, after checking that they are a beginning of what was handed in."""
    with open_log(folder, signer, disk=disk, checkpoint_every_s=60) as log:
        found = list(log.entries())
        assert len(found) >= acked, f"{len(found)} of {acked} acknowledged entries are left"
        assert found == some(len(found))
        assert log.append(b"entry %d" % len(found)) == len(found)
    assert verify(folder, notes.key_of("example.com/models", signer.verifier)).problems == ()
    return found


def traced(make: Make, signer: Signer, seed: int, every_s: float) -> tuple[Path, list[tuple[object, ...]]]:
    """Let a log work and return its folder as it was before, and the calls."""
    rng = random.Random(seed)
    folder = make(some(begun := rng.choice([0, 1, 200, 256, 300])))
    initial = shutil.copytree(folder, folder.with_name("initial"))
    disk = RecordingDisk(folder)
    with open_log(folder, signer, disk=disk, checkpoint_every_s=every_s) as log:
        work(log, disk, rng, begun, 700)
    assert list(LogReader(folder).entries())[:700] == some(700)
    return initial, disk.trace


def test_power_may_go_after_any_call(make: Make, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "SEGMENT_BYTES", 1500)
    initial, trace = traced(make, signer, 1, 60)
    crash_often(initial, trace, signer, 60)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("every_s", [60, 0.002])
def test_power_may_go_after_any_call_of_many_runs(
    make: Make, signer: Signer, monkeypatch: pytest.MonkeyPatch, seed: int, every_s: float
) -> None:
    monkeypatch.setattr(wal, "SEGMENT_BYTES", 1500)
    initial, trace = traced(make, signer, seed, every_s)
    crash_often(initial, trace, signer, 40)


class NeverSynced(RecordingDisk):
    """A disk that forgets to sync entries: what the test above must notice."""

    def sync(self, handle: int) -> None:
        if not str(self._paths[handle]).endswith(".wal"):
            super().sync(handle)


def test_the_replay_notices_a_writer_that_does_not_sync(make: Make, signer: Signer) -> None:
    folder = make([])
    initial = shutil.copytree(folder, folder.with_name("initial"))
    disk = NeverSynced(folder)
    with open_log(folder, signer, disk=disk, checkpoint_every_s=60) as log:
        work(log, disk, random.Random(0), 0, 700)
    with pytest.raises((AssertionError, EvidenceError)):
        crash_often(initial, disk.trace, signer, 50)


CHILD = r"""
import os, random, sys, threading
from pathlib import Path
from redan.evidence.keys import load_signer
from redan.evidence.log import open_log
folder, key, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
log = open_log(folder, load_signer(key), checkpoint_every_s=0.01)
telling = threading.Lock()

def work(who):
    rng = random.Random(f"{seed} {who}")
    for turn in range(100_000):
        name = b"%d %d %d " % (seed, who, turn)
        entries = [name + rng.randbytes(rng.randrange(300)) for _ in range(rng.choice([1, 3, 50]))]
        indexes = log.append_many(entries)
        told = b"".join(b"%d %b\n" % (i, e.hex().encode()) for i, e in zip(indexes, entries))
        with telling:  # a pipe mixes what two threads write at once when it is long
            while told:
                told = told[os.write(1, told):]

threads = [threading.Thread(target=work, args=(who,), daemon=True) for who in range(2)]
[t.start() for t in threads]
[t.join() for t in threads]
"""


def killed(folder: Path, key: Path, seed: int, delay_s: float) -> dict[int, bytes]:
    """Let a process append, kill it, and return what it acknowledged."""
    words = [sys.executable, "-c", CHILD, str(folder), str(key), str(seed)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        first = child.stdout.read(1)
        deadline = time.monotonic() + delay_s
        os.set_blocking(child.stdout.fileno(), False)
        seen = bytearray(first)
        while time.monotonic() < deadline:
            seen += child.stdout.read() or b""
            time.sleep(0.001)
        child.send_signal(signal.SIGKILL)
        child.wait()
        os.set_blocking(child.stdout.fileno(), True)
        seen += child.stdout.read()
    whole = seen[: seen.rfind(b"\n") + 1].decode().splitlines()
    return {int(i): bytes.fromhex(entry) for i, entry in (line.split() for line in whole)}


def crash(make: Make, signer: Signer, key: NoteKey, tmp_path: Path, times: int) -> None:
    folder, known = make([]), {}
    save(signer, tmp_path / "key")
    rng = random.Random(0)
    for seed in range(times):
        known |= killed(folder, tmp_path / "key", seed, rng.uniform(0, 0.08))
        with open_log(folder, signer) as log:
            left = list(log.entries())
        lost = [i for i, entry in known.items() if i >= len(left) or left[i] != entry]
        assert not lost, f"after kill {seed}: {len(lost)} acknowledged entries are lost, the first is {lost[0]}"
    assert len(known) > times
    assert verify(folder, key).problems == ()


def test_nothing_acknowledged_is_lost_by_kill_9(make: Make, signer: Signer, key: NoteKey, tmp_path: Path) -> None:
    crash(make, signer, key, tmp_path, 8)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_by_200_kill_9(make: Make, signer: Signer, key: NoteKey, tmp_path: Path) -> None:
    crash(make, signer, key, tmp_path, 200)


def test_damage_to_the_write_ahead_log_is_no_torn_tail(
    make: Make, signer: Signer, key: NoteKey, tmp_path: Path
) -> None:
    folder, left = make([]), tmp_path / "left"
    with open_log(folder, signer, checkpoint_every_s=60) as log:
        log.append_many(some(5))
        log.append_many(some(5, 5))
        log.append_many(some(5, 10))
        shutil.copytree(folder, left)
    (path,) = (left / "wal").iterdir()
    whole = path.read_bytes()
    for at, entries in ((len(whole) - 1, 10), (40, None), (len(whole) // 2, None), (3, None)):
        changed = bytearray(whole)
        changed[at] ^= 1
        path.write_bytes(changed)
        if entries is None:
            assert {p.kind for p in verify(left, key).problems} == {"wal"}
            with pytest.raises(EvidenceError, match="damaged at entry"):
                open_log(left, signer)
            assert path.read_bytes() == changed
        else:
            assert verify(left, key).problems == ()
            assert verify(left, key).unsigned == entries
    path.write_bytes(whole[:-7])
    with open_log(left, signer) as log:
        assert list(log.entries()) == some(10)


def test_entries_cannot_pass_for_frames(make: Make, signer: Signer, tmp_path: Path) -> None:
    """Somebody who writes entries that look like frames cannot turn a torn tail into damage."""
    folder, left = make([]), tmp_path / "left"
    with open_log(make([], "theirs"), signer, checkpoint_every_s=60) as log:
        log.append_many(some(9))
        (path,) = (log.folder / "wal").iterdir()
        frames = path.read_bytes()
    with open_log(folder, signer, checkpoint_every_s=60) as log:
        log.append(b"first")
        log.append(frames)
        shutil.copytree(folder, left)
    (path,) = (left / "wal").iterdir()
    assert frames in path.read_bytes()
    path.write_bytes(path.read_bytes()[:-2])
    with open_log(left, signer) as log:
        assert list(log.entries()) == [b"first"]


def test_an_empty_segment_left_by_a_crash_is_removed(make: Make, signer: Signer) -> None:
    folder = make(some(3))
    for name, data in (("00000000000000000003.wal", b"RDNWAL1\n"), ("00000000000000000003.wal", b"")):
        (folder / "wal" / name).write_bytes(data)
        with open_log(folder, signer) as log:
            assert log.append(b"x") >= 3


TRACED = """
import os, sys
from pathlib import Path
from redan.evidence.keys import load_signer
from redan.evidence.log import open_log
with open_log(Path(sys.argv[1]), load_signer(Path(sys.argv[2]))) as log:
    for i in range(20):
        index = log.append(b"traced entry %d." % i)
        os.write(1, b"acknowledged %d." % index)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_system_is_asked_to_sync_before_each_acknowledgement(make: Make, signer: Signer, tmp_path: Path) -> None:
    """What the replay believes of our own calls is true of the system's."""
    folder = make([])
    save(signer, tmp_path / "key")
    words = [sys.executable, "-c", TRACED, str(folder), str(tmp_path / "key")]
    trace = ["strace", "-f", "-y", "-s", "4096", "-e", "trace=write,fdatasync,fsync", "-o", str(tmp_path / "calls")]
    ended = subprocess.run([*trace, *words], capture_output=True, text=True, check=False)
    if "ptrace" in ended.stderr or "PTRACE" in ended.stderr:
        pytest.skip(f"strace may not trace here: {ended.stderr.strip()[:80]}")
    assert ended.returncode == 0, ended.stderr
    calls = (tmp_path / "calls").read_text(errors="replace").splitlines()
    for i in range(20):
        written = next(n for n, c in enumerate(calls) if ".wal>" in c and f"traced entry {i}." in c)
        said = next(n for n, c in enumerate(calls) if f"acknowledged {i}." in c)
        synced = [c for c in calls[written:said] if "fdatasync" in c and (".wal>" in c or "resumed" in c)]
        assert any(c.rstrip().endswith("= 0") for c in synced), calls[written : said + 1]

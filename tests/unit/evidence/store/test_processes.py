"""Processes of their own: eight that write at once, and one that is killed in the middle of a rotation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.evidence.store.conftest import KEY, OTHER

from redan.evidence.places import Folder
from redan.evidence.store import findings, runs
from redan.evidence.store.blobs import StoreBlobs
from redan.evidence.store.database import connect
from redan.evidence.store.opening import created, opened
from redan.evidence.store.rotation import rotate, under_other_keys
from redan.evidence.store.verifying import Tally, damages

WRITER = """
import json, sys
from pathlib import Path
from redan.core.report import Report
from redan.evidence.encryption.wrapping import LocalKey
from redan.evidence.places import Folder
from redan.evidence.store import runs
from redan.evidence.store.blobs import StoreBlobs
from redan.evidence.store.database import connect
from redan.evidence.store.opening import opened

url, place, report, number = sys.argv[1:]
store = opened(connect(url, root=Path()), Folder(Path(place)), [LocalKey(bytes(range(32)))])
document = json.loads(report)
for i in range(3):
    StoreBlobs(store).put_bytes(b"shared %d" % i)
    document["run"]["seed"] = 1000 * int(number) + i
    runs.add(store, json.dumps(document).encode())
    runs.add(store, report.encode())
"""

ROTATOR = """
import sys, time
from pathlib import Path
from redan.evidence.encryption.wrapping import LocalKey
from redan.evidence.places import Folder
from redan.evidence.store.database import connect
from redan.evidence.store.opening import opened
from redan.evidence.store.rotation import rotate

url, place = sys.argv[1:]
store = opened(connect(url, root=Path()), Folder(Path(place)), [LocalKey(bytes(range(32)))])
rotate(store, LocalKey(bytes(range(1, 33))), batch=2, told=lambda done: print(done, flush=True))
"""

KEEPER = """
import sys
from pathlib import Path
from redan.evidence.encryption.wrapping import LocalKey
from redan.evidence.places import Folder
from redan.evidence.store.blobs import StoreBlobs
from redan.evidence.store.database import connect
from redan.evidence.store.opening import opened

url, place = sys.argv[1:]
store = opened(connect(url, root=Path()), Folder(Path(place)), [LocalKey(bytes(range(32)))])
for i in range(10_000):
    print(StoreBlobs(store).put_bytes(b"%d" % i * (i * 3000 % 100_000)), flush=True)
"""


def test_eight_processes_write_at_once(kind: str, new_url: Callable[[str], str], tmp_path: Path) -> None:
    from tests.unit.evidence.store.reports import report

    url, place = new_url(kind), tmp_path / "blobs"
    database = connect(url, root=tmp_path, create=True)
    store = created(database, Folder(place), [KEY])
    text = json.dumps(json.loads(report().to_json()))
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, place, text, str(n)], stderr=subprocess.PIPE, text=True)
        for n in range(1, 9)
    ]
    said = [child.communicate(timeout=120)[1] for child in children]
    assert [child.returncode for child in children] == [0] * 8, said
    assert len(runs.listed(store)) == 8 * 3 + 1
    assert len(findings.search(store)) == 8 * 3 + 1
    tally = Tally()
    assert [*damages(store, tally)] == []
    assert (tally.n_blobs, tally.n_orphans) == (8 * 3 + 1 + 3, 0)
    database.close()


@pytest.mark.parametrize("batches", [1, 4])
def test_a_rotation_that_is_killed_leaves_all_readable(
    kind: str, new_url: Callable[[str], str], tmp_path: Path, batches: int
) -> None:
    url, place = new_url(kind), Folder(tmp_path / "blobs")
    database = connect(url, root=tmp_path, create=True)
    store = created(database, place, [KEY])
    digests = [StoreBlobs(store).put_bytes(b"blob %d" % i) for i in range(40)]
    with subprocess.Popen([sys.executable, "-c", ROTATOR, url, place.path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(batches):
            child.stdout.readline()
        child.kill()
    both = opened(database, place, [KEY, OTHER])
    left = under_other_keys(both, OTHER.key_id)
    assert left <= 40 - 2 * batches
    assert [StoreBlobs(both).get(d) for d in digests] == [b"blob %d" % i for i in range(40)]
    assert rotate(both, OTHER).n_wrapped == left
    new = opened(database, place, [OTHER])
    assert [*damages(new, Tally())] == []
    assert all(StoreBlobs(new).holds(d) for d in digests)
    database.close()


def test_what_a_killed_writer_was_told_is_kept_and_nothing_is_half_there(
    kind: str, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    url, place = new_url(kind), Folder(tmp_path / "blobs")
    database = connect(url, root=tmp_path, create=True)
    store = created(database, place, [KEY])
    told: list[str] = []
    for lines in (3, 11, 40):
        with subprocess.Popen(
            [sys.executable, "-c", KEEPER, url, place.path], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            told += [child.stdout.readline().strip() for _ in range(lines)]
            child.kill()
    tally = Tally()
    assert [*damages(store, tally)] == []
    assert tally.n_orphans <= 3
    assert len(told[-40:]) == len({digest for digest in told[-40:] if StoreBlobs(store).get(digest) is not None})
    database.close()

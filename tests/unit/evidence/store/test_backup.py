"""Backup and restore: a destroyed store comes back, in either database, and a backup that was touched is refused."""

from __future__ import annotations

import io
import json
import shutil
import stat
import tarfile
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.unit.evidence.store.conftest import KEY
from tests.unit.evidence.store.reports import at_hand, finding, report, statement

from redan.core.errors import EvidenceError, RedanError, SignatureRefused, Unreadable, UsageError
from redan.evidence.backup import LARGEST_ROW_BYTES, MANIFEST, SEAL, backup, inspected, restore
from redan.evidence.places import Folder
from redan.evidence.store import checkpoints, findings, migrating, runs, statements, tables
from redan.evidence.store.archive import Member, packed, unpacked
from redan.evidence.store.blobs import StoreBlobs
from redan.evidence.store.checkpoints import Checkpoint
from redan.evidence.store.database import Database
from redan.evidence.store.opening import Store, created, opened
from redan.evidence.store.verifying import Tally, damages

NewDatabase = Callable[[str], Database]
STORE_ROW = b'{"id": "x", "created_us": %s, "key_id": null, "names_key": null}\n'


def fill(store: Store) -> None:
    for hour in range(3):
        given = report(finding(), finding("RDN-SUP-001"), started=f"2026-11-21T1{hour}:00:00+00:00")
        runs.add(store, given.to_json(), evidence=at_hand())
    statements.add(store, statement())
    checkpoints.add(store, Checkpoint(origin="log", size=3, root_sha256="aa" * 32, note="signed ünï\n"))


def rows(database: Database) -> dict[str, list[Any]]:
    with database.reading() as connection:
        return {t.name: sorted(map(tuple, connection.execute(select(t)))) for t in tables.metadata.sorted_tables}


@pytest.fixture
def small(new_database: NewDatabase, tmp_path: Path) -> Path:
    """A small backup of an encrypted store."""
    store = created(new_database("sqlite"), Folder(tmp_path / "small"), [KEY])
    runs.add(store, report().to_json(), evidence=at_hand())
    backup(store, tmp_path / "small.backup")
    return tmp_path / "small.backup"


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_destroyed_store_comes_back_in_either_database(
    store: Store, new_database: NewDatabase, tmp_path: Path, target: str
) -> None:
    fill(store)
    before, keys = rows(store.database), store.keys
    made = backup(store, tmp_path / "b.tar")
    assert made.sha256 == sha256((tmp_path / "b.tar").read_bytes()).hexdigest()
    assert made.size_bytes == (tmp_path / "b.tar").stat().st_size
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    store.close()
    shutil.rmtree(tmp_path / "blobs")
    for file in tmp_path.glob("redan*.db*"):
        file.unlink()

    database = new_database(target)
    manifest = restore(tmp_path / "b.tar", database, Folder(tmp_path / "again"))
    assert manifest == made.manifest == inspected(tmp_path / "b.tar")
    assert rows(database) == before
    back = opened(database, Folder(tmp_path / "again"), keys)
    tally = Tally()
    assert [*damages(back, tally)] == []
    assert (tally.n_blobs, tally.n_opened, tally.n_runs, tally.n_statements, tally.n_orphans) == (5, 5, 3, 1, 0)
    assert runs.report(back, runs.found(back, "latest")).evidence("picture")
    assert len(findings.search(back, rule="RDN-SUP-001")) == 3
    assert runs.add(back, report(started="2026-11-23T10:00:00+00:00").to_json()).new


def test_a_backup_of_an_encrypted_store_needs_no_key_and_shows_nothing(encrypted: Store, tmp_path: Path) -> None:
    fill(encrypted)
    locked = opened(encrypted.database, encrypted.place, [])
    backup(locked, tmp_path / "b.tar")
    data = (tmp_path / "b.tar").read_bytes()
    for words in (b"what only the report says", b"what only the evidence says", b"what only the statement says"):
        assert words not in data


def test_tar_reads_it(small: Path) -> None:
    with tarfile.open(small) as archive:
        names = archive.getnames()
    assert names[-2:] == [MANIFEST, SEAL]
    assert [name for name in names if name.startswith("blobs/")] == names[:2]


def test_a_backup_is_one_moment_while_others_write(store: Store, new_database: NewDatabase, tmp_path: Path) -> None:
    fill(store)
    going, failures = threading.Event(), []

    def write(number: int) -> None:
        try:
            count = 0
            while not going.is_set() and count < 200:
                subject = f"writer {number} {count}"
                runs.add(store, report(subject=subject).to_json(), evidence=at_hand())
                count += 1
        except RedanError as err:
            failures.append(err)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    try:
        for i in range(3):
            backup(store, tmp_path / f"{i}.tar")
    finally:
        going.set()
        for thread in threads:
            thread.join()
    assert failures == []
    for i in range(3):
        database, place = new_database("sqlite"), Folder(tmp_path / f"place{i}")
        restore(tmp_path / f"{i}.tar", database, place)
        tally = Tally()
        assert [*damages(opened(database, place, store.keys), tally)] == []
        assert tally.n_orphans == 0


def test_any_flipped_byte_is_refused_and_nothing_is_restored(
    small: Path, new_database: NewDatabase, tmp_path: Path
) -> None:
    data = small.read_bytes()
    # a spread over everything, some bytes of every header, every byte of the first header, many of the end
    places = {p for p in range(len(data)) if p % 97 == 0 or p % 512 in range(100, 160, 14)}
    places |= set(range(512)) | set(range(len(data) - 1100, len(data), 5))
    broken = tmp_path / "broken"
    for place in sorted(places):
        broken.write_bytes(data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :])
        with pytest.raises(SignatureRefused):
            inspected(broken)
    database = new_database("sqlite")
    with pytest.raises(SignatureRefused):
        restore(broken, database, Folder(tmp_path / "nothing"))
    assert migrating.version(database) is None
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("part", range(0, 100, 9))
def test_any_truncation_is_refused(small: Path, part: int) -> None:
    data = small.read_bytes()
    for end in (len(data) * part // 100, len(data) - 1 - part * 11):
        small.write_bytes(data[:end])
        with pytest.raises(SignatureRefused):
            inspected(small)


def rewritten(path: Path, change: Callable[[list[tuple[str, bytes]]], None]) -> Path:
    with path.open("rb") as file:
        members = [(m.name, b"".join(m.pieces)) for m in unpacked(file)]
    change(members)
    target = path.with_name("rewritten")
    made = [Member(name=name, size_bytes=len(data), pieces=[data]) for name, data in members]
    target.write_bytes(b"".join(packed(made)))
    return target


def with_manifest(members: list[tuple[str, bytes]], change: Callable[[dict[str, Any]], None]) -> None:
    """Change a backup as somebody would who can compute digests."""
    document = json.loads(dict(members)[MANIFEST])
    change(document)
    text = json.dumps(document).encode()
    members[-2:] = [(MANIFEST, text), (SEAL, sha256(text).hexdigest().encode())]


def test_what_is_missing_added_twice_or_exchanged_is_named(small: Path) -> None:
    with tarfile.open(small) as archive:
        first, second = archive.getnames()[:2]
    cases: list[tuple[Callable[[list[tuple[str, bytes]]], object], str]] = [
        (lambda m: m.pop(0), f"the backup lacks {first}"),
        (
            lambda m: m.insert(0, ("blobs/extra", b"x")),
            "the backup holds blobs/extra, which its manifest does not name",
        ),
        (lambda m: m.insert(0, m[0]), f"the backup holds {first} twice"),
        (lambda m: m.append(("late", b"x")), "the backup holds late after its end"),
        (lambda m: m.pop(-2), f"the backup lacks {MANIFEST}"),
        (lambda m: m.pop(), f"the backup lacks {SEAL}"),
        (lambda m: m.__setitem__(0, (first, m[1][1])), f"{first} was changed"),
        (lambda m: m.__setitem__(-2, (MANIFEST, m[-2][1].replace(b"runs", b"ruins"))), f"{MANIFEST} was changed"),
    ]
    for change, words in cases:
        with pytest.raises(SignatureRefused, match=words):
            inspected(rewritten(small, change))  # type: ignore[arg-type]
    assert first != second


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("etc/passwd", b"x", "which has no place in a store"),
        ("blobs/passwd", b"x", "which has no place in a store"),
        ("tables/alembic_version.jsonl", b'{"version_num": "r9"}\n', "which has no place in a store"),
        ("tables/runs.jsonl", b'{"id": "x"}\n', "a line that is no row of its table"),
        ("tables/runs.jsonl", b"[" * 100_000 + b"\n", "a line that is no row of its table"),
        ("tables/store.jsonl", STORE_ROW % b"1.5", "a line that is no row of its table"),
        ("tables/store.jsonl", STORE_ROW % b"9223372036854775808", "a line that is no row of its table"),
        ("tables/store.jsonl", STORE_ROW % (b"9" * 5000), "a line that is no row of its table"),
        ("tables/store.jsonl", STORE_ROW.replace(b"null", b'"\\u0000"') % b"1", "a line that is no row of its table"),
        ("tables/store.jsonl", STORE_ROW.replace(b"null", b'"\\ud800"') % b"1", "a line that is no row of its table"),
        ("tables/store.jsonl", b"x" * (LARGEST_ROW_BYTES + 2), "a line of more than"),
        ("tables/runs.jsonl", b"{", "does not end with a line"),
        ("tables/runs.jsonl", b"", "has another number of rows"),
    ],
)
def test_a_backup_forged_with_right_digests_restores_nothing(
    small: Path, new_database: NewDatabase, tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    def change(members: list[tuple[str, bytes]]) -> None:
        there = [m[0] for m in members]
        place = there.index(name) if name in there else len(members) - 2
        members[place : place + (name in there)] = [(name, data)]
        part = {"sha256": sha256(data).hexdigest(), "size_bytes": len(data)}
        with_manifest(members, lambda document: document["members"].__setitem__(name, part))

    database = new_database("sqlite")
    with pytest.raises(SignatureRefused, match=words):
        restore(rewritten(small, change), database, Folder(tmp_path / "place"))
    assert all(found == [] for found in rows(database).values())
    with pytest.raises(EvidenceError, match="was never finished"):
        opened(database, Folder(tmp_path / "place"), [])


@pytest.mark.parametrize("revision", ["r9999", "head", "+1", "", "../../x"])
def test_a_backup_of_another_release_is_refused(
    small: Path, new_database: NewDatabase, tmp_path: Path, revision: str
) -> None:
    def change(members: list[tuple[str, bytes]]) -> None:
        with_manifest(members, lambda document: document.__setitem__("revision", revision))

    with pytest.raises(EvidenceError, match="which this release does not know"):
        restore(rewritten(small, change), new_database("sqlite"), Folder(tmp_path / "place"))


def test_a_backup_of_an_older_release_is_brought_up_to_date(
    small: Path, new_database: NewDatabase, tmp_path: Path
) -> None:
    def change(members: list[tuple[str, bytes]]) -> None:
        members[:] = [m for m in members if m[0] != "tables/checkpoints.jsonl"]

        def older(document: dict[str, Any]) -> None:
            document["revision"] = "r0001"
            del document["members"]["tables/checkpoints.jsonl"], document["rows"]["checkpoints"]

        with_manifest(members, older)

    database, place = new_database("sqlite"), Folder(tmp_path / "place")
    restore(rewritten(small, change), database, place)
    assert migrating.version(database) == migrating.NEWEST
    assert [*damages(opened(database, place, [KEY]), Tally())] == []


def test_nothing_is_overwritten(encrypted: Store, tmp_path: Path) -> None:
    backup(encrypted, tmp_path / "b.tar")
    with pytest.raises(UsageError, match="exists already"):
        backup(encrypted, tmp_path / "b.tar")
    with pytest.raises(UsageError, match=r"there is a store in .* already"):
        restore(tmp_path / "b.tar", encrypted.database, encrypted.place)
    with pytest.raises(Unreadable, match="cannot read the backup"):
        inspected(tmp_path / "nothing")


@pytest.mark.parametrize("change", ["flip", "truncate", "append", "remove"])
def test_a_damaged_store_is_not_backed_up(store: Store, tmp_path: Path, change: str) -> None:
    fill(store)
    file = next(path for path in sorted((tmp_path / "blobs").rglob("*")) if path.is_file())
    data = file.read_bytes()
    if change == "remove":
        file.unlink()
    else:
        file.write_bytes({"flip": b"\0" + data[1:], "truncate": data[:-1], "append": data + b"x"}[change])
    with pytest.raises(EvidenceError) as refused:
        backup(store, tmp_path / "b.tar")
    assert file.name in refused.value.message
    assert not (tmp_path / "b.tar").exists()
    assert not [*tmp_path.glob(".b.tar*")]
    found = [*damages(store, Tally())]
    assert any(d.what.startswith("blob ") for d in found)


def test_a_member_that_is_longer_or_shorter_than_it_said_is_not_written() -> None:
    for pieces in ([b"abc"], [b"a"]):
        with pytest.raises(EvidenceError, match="expected 2"):
            b"".join(packed([Member(name="x", size_bytes=2, pieces=pieces)]))


def test_members_beyond_eight_gigabytes_have_a_header() -> None:
    stream = packed([Member(name="big", size_bytes=9 << 30, pieces=iter([b"x"]))])
    (member,) = [*[next(unpacked(_Endless(next(stream))))]]
    assert member.size_bytes == 9 << 30


class _Endless(io.BytesIO):
    """The beginning of a file; what follows is not looked at."""


@pytest.fixture
def changed(store: Store) -> Store:
    fill(store)
    return store


@pytest.mark.parametrize(
    ("table", "values", "what"),
    [
        (tables.findings, {"severity": 0}, "run "),
        (tables.findings, {"status": "suppressed"}, "run "),
        (tables.runs, {"verdict": "pass"}, "run "),
        (tables.runs, {"subject": "another"}, "run "),
        (tables.statements, {"predicate_type": "approval"}, "statement "),
        (tables.statement_subjects, {"digest": "00" * 32}, "statement "),
        (tables.blobs, {"stored_sha256": "00" * 32}, "blob "),
        (tables.blobs, {"size_bytes": 1}, "blob "),
    ],
)
def test_a_row_that_somebody_changed_is_found(changed: Store, table: Any, values: dict[str, Any], what: str) -> None:
    assert [*damages(changed, Tally())] == []
    with changed.database.writing() as connection:
        connection.execute(update(table).values(**values))
    found = [*damages(changed, Tally())]
    assert found
    assert all(damage.what.startswith(what) for damage in found if "cannot be read" not in damage.why)


def test_without_its_key_only_the_encrypted_bytes_are_checked(encrypted: Store) -> None:
    fill(encrypted)
    tally = Tally()
    assert [*damages(opened(encrypted.database, encrypted.place, []), tally)] == []
    assert (tally.n_blobs, tally.n_opened, tally.n_runs) == (5, 0, 0)


def test_bytes_that_no_row_names_are_counted(store: Store) -> None:
    StoreBlobs(store).put_bytes(b"x")
    store.place.write("00/" + "0" * 62, [b"left behind"])
    tally = Tally()
    assert [*damages(store, tally)] == []
    assert tally.n_orphans == 1

"""Blobs of a store: kept once, checked on every read, and nothing of them in clear where the store has a key."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from tests.unit.evidence.store.conftest import KEY, OTHER

from redan.core.errors import EvidenceError, SignatureRefused, Unreadable
from redan.core.finding import Evidence
from redan.evidence.encryption.stream import CHUNK_BYTES
from redan.evidence.places import Folder, place_of
from redan.evidence.store import tables
from redan.evidence.store.blobs import StoreBlobs
from redan.evidence.store.database import Database
from redan.evidence.store.opening import Store, created, opened

MARK = b"these words must not lie on the disk in clear"
BLOB = Evidence.of("x", MARK, "text/plain")


def files(store: Store) -> list[Path]:
    assert isinstance(store.place, Folder)
    return [path for path in store.place.path.rglob("*") if path.is_file()]


def count_rows(store: Store) -> int:
    with store.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(tables.blobs)).scalar_one()


def test_what_was_put_comes_back(store: Store) -> None:
    blobs = StoreBlobs(store)
    blobs.put(BLOB)
    blobs.put(BLOB)
    assert blobs.get(BLOB.sha256) == MARK
    assert blobs.decode(BLOB.stored()) == MARK.decode()
    assert blobs.holds(BLOB.sha256)
    assert not blobs.holds("0" * 64)
    assert len(files(store)) == count_rows(store) == 1
    assert {stat.S_IMODE(file.stat().st_mode) for file in files(store)} == {0o600}


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_files_of_every_size_come_back_piece_by_piece(encrypted: Store, tmp_path: Path, size: int) -> None:
    file = tmp_path / "weights"
    file.write_bytes(bytes(i % 251 for i in range(1000)) * (size // 1000) + b"x" * (size % 1000))
    digest = StoreBlobs(encrypted).put_file(file)
    pieces = [*StoreBlobs(encrypted).stream(digest)]
    assert b"".join(pieces) == file.read_bytes()
    assert max(map(len, pieces), default=0) <= CHUNK_BYTES


def test_nothing_of_an_encrypted_blob_lies_on_the_disk_in_clear(encrypted: Store, tmp_path: Path) -> None:
    StoreBlobs(encrypted).put(BLOB)
    encrypted.close()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert MARK not in file.read_bytes(), file
            assert BLOB.sha256.encode() not in file.read_bytes(), file
            assert BLOB.sha256[2:] not in file.name


def test_the_database_does_not_tell_the_digest_of_an_encrypted_blob(encrypted: Store) -> None:
    StoreBlobs(encrypted).put(BLOB)
    with encrypted.database.reading() as connection:
        row = connection.execute(select(tables.blobs)).one()
    assert BLOB.sha256 not in str(row._mapping)
    assert row.name == encrypted.name(BLOB.sha256)


def test_the_same_content_looks_different_in_two_stores(encrypted: Store, tmp_path: Path, new_database) -> None:
    other = created(new_database("sqlite"), Folder(tmp_path / "other"), [KEY])
    for store in (encrypted, other):
        StoreBlobs(store).put(BLOB)
    assert files(encrypted)[0].name != files(other)[0].name
    assert encrypted.name(BLOB.sha256) != other.name(BLOB.sha256)


@pytest.mark.parametrize("change", ["flip", "truncate", "append", "empty", "remove"])
def test_a_changed_blob_is_refused(store: Store, change: str) -> None:
    StoreBlobs(store).put(BLOB)
    (file,) = files(store)
    data = file.read_bytes()
    changed = {"flip": data[:-1] + bytes([data[-1] ^ 1]), "truncate": data[:-1], "append": data + b"x", "empty": b""}
    if change == "remove":
        file.unlink()
    else:
        file.write_bytes(changed[change])
    with pytest.raises(EvidenceError):
        StoreBlobs(store).get(BLOB.sha256)


def test_blobs_cannot_be_exchanged_in_the_database(store: Store) -> None:
    blobs = StoreBlobs(store)
    first, second = blobs.put_bytes(b"first"), blobs.put_bytes(b"other")
    table = tables.blobs
    with store.database.writing() as connection:
        rows = {row.name: row for row in connection.execute(select(table))}
        one, two = rows[store.name(first)], rows[store.name(second)]
        connection.execute(update(table).where(table.c.name == one.name).values(object="00/" + "0" * 62))
        swapped = {"object": one.object, "wrapped_key": one.wrapped_key}
        connection.execute(update(table).where(table.c.name == two.name).values(**swapped))
    with pytest.raises(EvidenceError, match="was changed after it was stored"):
        blobs.get(second)


def test_a_key_moved_to_another_blob_is_refused(encrypted: Store) -> None:
    blobs = StoreBlobs(encrypted)
    first, second = blobs.put_bytes(b"first"), blobs.put_bytes(b"other")
    table = tables.blobs
    with encrypted.database.writing() as connection:
        rows = {row.name: row for row in connection.execute(select(table))}
        key = rows[encrypted.name(first)].wrapped_key
        connection.execute(update(table).where(table.c.name == encrypted.name(second)).values(wrapped_key=key))
    with pytest.raises(SignatureRefused, match="a wrapped data key was changed"):
        blobs.get(second)


@pytest.mark.parametrize("column", ["key_id", "wrapped_key"])
def test_taking_the_key_from_a_row_does_not_make_it_plain(encrypted: Store, column: str) -> None:
    digest = StoreBlobs(encrypted).put_bytes(b"x")
    with encrypted.database.writing() as connection:
        connection.execute(update(tables.blobs).values({column: None}))
    with pytest.raises(SignatureRefused, match="has no key although the store is encrypted"):
        StoreBlobs(encrypted).get(digest)


def test_wrong_bytes_are_not_kept(store: Store) -> None:
    forged = Evidence(name="x", sha256=BLOB.sha256, media_type="", size_bytes=1, payload=b"forged")
    with pytest.raises(EvidenceError, match="the bytes to keep have digest"):
        StoreBlobs(store).put(forged)
    assert files(store) == []
    assert count_rows(store) == 0


def test_without_its_key_an_encrypted_store_keeps_its_secrets(encrypted: Store) -> None:
    digest = StoreBlobs(encrypted).put_bytes(MARK)
    for keys in ([], [OTHER]):
        locked = opened(encrypted.database, encrypted.place, keys)
        with pytest.raises(EvidenceError, match=f"encrypted under key {KEY.key_id}"):
            StoreBlobs(locked).get(digest)
        with pytest.raises(EvidenceError, match=f"encrypted under key {KEY.key_id}"):
            StoreBlobs(locked).put_bytes(b"more")


def test_missing_files_and_digests_have_their_own_words(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot read"):
        StoreBlobs(store).put_file(tmp_path / "nothing")
    with pytest.raises(EvidenceError, match="is not in the store"):
        StoreBlobs(store).get("0" * 64)
    with pytest.raises(EvidenceError, match="is no SHA-256 digest"):
        StoreBlobs(store).get("../../etc/passwd")


def test_eight_threads_keep_the_same_and_different_blobs(store: Store) -> None:
    digests: list[str] = []
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(6):
                digests.append(StoreBlobs(store).put_bytes(b"shared %d" % i))
                digests.append(StoreBlobs(store).put_bytes(b"own %d %d" % (number, i)))
        except BaseException as err:  # noqa: BLE001  # a thread cannot raise into the test
            failures.append(err)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(set(digests)) == count_rows(store) == 6 + 8 * 6
    for digest in set(digests):
        StoreBlobs(store).get(digest)
    assert len(files(store)) == count_rows(store), "the losers of a race leave nothing behind"


@pytest.mark.parametrize(
    "url", ["memory://{name}/blobs", "local://{folder}/remote", "file://{folder}/filed", "dir/blobs"]
)
def test_blobs_lie_wherever_fsspec_reaches(database: Database, tmp_path: Path, url: str) -> None:
    place = place_of(url.format(folder=tmp_path, name=tmp_path.name), root=tmp_path)
    store = created(database, place, [KEY])
    digest = StoreBlobs(store).put_bytes(MARK)
    assert StoreBlobs(store).get(digest) == MARK
    (name,) = place.names()
    place.remove(name)
    place.remove(name)
    assert [*place.names()] == []
    with pytest.raises(EvidenceError, match=r"cannot (be )?read"):
        StoreBlobs(store).get(digest)

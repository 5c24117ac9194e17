"""Rotation: only wrapped keys change, a rotation broken off leaves all readable, and the old key can go afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from tests.unit.evidence.encryption.fake_vault import TOKEN, serving
from tests.unit.evidence.store.conftest import KEY, OTHER
from tests.unit.evidence.store.reports import at_hand, report

from redan.core.errors import EvidenceError, UsageError
from redan.evidence.encryption.sources import key_from
from redan.evidence.places import Folder
from redan.evidence.store import runs, tables
from redan.evidence.store.blobs import StoreBlobs
from redan.evidence.store.database import Database
from redan.evidence.store.opening import Store, created, opened
from redan.evidence.store.rotation import rotate, under_other_keys


def fill(store: Store, n: int = 9) -> list[str]:
    return [StoreBlobs(store).put_bytes(b"blob %d" % i) for i in range(n)]


def contents(store: Store) -> dict[str, tuple[int, bytes]]:
    assert isinstance(store.place, Folder)
    return {
        name: ((store.place.path / name).stat().st_ino, (store.place.path / name).read_bytes())
        for name in store.place.names()
    }


def with_keys(store: Store, *keys: object) -> Store:
    return opened(store.database, store.place, keys)  # type: ignore[arg-type]


def test_rotation_touches_no_blob_and_lets_the_old_key_go(encrypted: Store) -> None:
    digests = fill(encrypted)
    run = runs.add(encrypted, report().to_json(), evidence=at_hand()).id
    before = contents(encrypted)
    told: list[int] = []
    done = rotate(encrypted, OTHER, told=told.append, batch=4)
    assert (done.key_id, done.n_wrapped, told) == (OTHER.key_id, 11, [4, 8, 11])
    assert contents(encrypted) == before
    assert under_other_keys(encrypted, OTHER.key_id) == 0
    new = with_keys(encrypted, OTHER)
    assert [StoreBlobs(new).get(d) for d in digests] == [b"blob %d" % i for i in range(9)]
    assert runs.report(new, runs.found(new, run)).evidence("picture")
    with pytest.raises(EvidenceError, match=f"encrypted under key {OTHER.key_id}"):
        StoreBlobs(with_keys(encrypted, KEY)).get(digests[0])


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_rotation_that_is_broken_off_leaves_all_readable_and_can_be_finished(encrypted: Store, batches: int) -> None:
    digests = fill(encrypted)
    seen: list[int] = []

    class Dies:
        """Dies, as a process does, while it wraps for the batch after so many."""

        key_id = OTHER.key_id
        knows, unwrap = staticmethod(OTHER.knows), staticmethod(OTHER.unwrap)

        def wrap(self, data_key: bytes, context: str) -> str:
            if "names of" not in context and len(seen) == batches:
                raise KeyboardInterrupt
            return OTHER.wrap(data_key, context)

    with pytest.raises(KeyboardInterrupt):
        rotate(encrypted, Dies(), told=seen.append, batch=3)
    half = with_keys(encrypted, KEY, OTHER)
    assert under_other_keys(half, OTHER.key_id) == 9 - 3 * batches
    assert [StoreBlobs(half).get(d) for d in digests] == [b"blob %d" % i for i in range(9)]
    added = StoreBlobs(half).put_bytes(b"written in between")
    assert under_other_keys(half, OTHER.key_id) == 9 - 3 * batches, "who writes in between writes under the new key"
    assert rotate(half, OTHER).n_wrapped == 9 - 3 * batches
    new = with_keys(encrypted, OTHER)
    assert all(StoreBlobs(new).get(d) for d in [*digests, added])


def test_a_writer_that_was_open_before_follows_the_rotation(encrypted: Store) -> None:
    writer = with_keys(encrypted, KEY, OTHER)
    only_old = with_keys(encrypted, KEY)
    rotate(encrypted, OTHER)
    digest = StoreBlobs(writer).put_bytes(b"after")
    assert StoreBlobs(with_keys(encrypted, OTHER)).get(digest) == b"after"
    with pytest.raises(EvidenceError, match=f"encrypted under key {OTHER.key_id}"):
        StoreBlobs(only_old).put_bytes(b"under the old key")
    assert under_other_keys(encrypted, OTHER.key_id) == 0


def test_a_key_that_changes_between_wrapping_and_recording_is_noticed(
    encrypted: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = with_keys(encrypted, KEY, OTHER)
    write = Folder.write

    def slow_write(place: Folder, name: str, pieces: object) -> None:
        write(place, name, pieces)  # type: ignore[arg-type]
        rotate(encrypted, OTHER)

    monkeypatch.setattr(Folder, "write", slow_write)
    digest = StoreBlobs(writer).put_bytes(b"x")
    assert under_other_keys(encrypted, OTHER.key_id) == 0
    assert StoreBlobs(with_keys(encrypted, OTHER)).get(digest) == b"x"


def test_rotating_twice_or_without_the_old_key_changes_nothing(encrypted: Store) -> None:
    fill(encrypted)
    with pytest.raises(EvidenceError, match=f"encrypted under key {KEY.key_id}"):
        rotate(with_keys(encrypted), OTHER)
    assert rotate(encrypted, KEY).n_wrapped == 0
    with encrypted.database.reading() as connection:
        assert set(connection.execute(select(tables.blobs.c.key_id)).scalars()) == {KEY.key_id}


def test_a_plain_store_has_no_key_to_rotate(database: Database, tmp_path: Path) -> None:
    plain = created(database, Folder(tmp_path / "blobs"), [])
    with pytest.raises(UsageError, match="the store is not encrypted"):
        rotate(plain, KEY)


def test_from_a_file_to_vault_and_to_the_next_version_of_vaults_key(
    encrypted: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = fill(encrypted, 3)
    with serving() as vault:
        monkeypatch.setenv("VAULT_ADDR", vault.address)
        monkeypatch.setenv("VAULT_TOKEN", TOKEN)
        first = key_from("vault-transit:transit/redan", root=tmp_path)
        assert rotate(encrypted, first).n_wrapped == 3
        vault.rotate("redan")
        second = key_from("vault-transit:transit/redan", root=tmp_path)
        store = with_keys(encrypted, second)
        assert all(StoreBlobs(store).get(d) for d in digests)
        assert rotate(store, second).n_wrapped == 3
        assert under_other_keys(store, "vault-transit:transit/redan:v2") == 0
        assert all(StoreBlobs(store).get(d) for d in digests)

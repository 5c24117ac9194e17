"""API keys: shown once, stored hashed, narrowed, rotated with overlap, revoked."""

from __future__ import annotations

import pytest

from redan.core.errors import UnknownName, UsageError
from redan.evidence.store.database import Database
from redan.service.identity import directory, keys, scopes


def test_a_key_is_stored_without_its_secret(database: Database, tmp_path) -> None:
    with database.writing() as connection:
        key, text = keys.make(connection, "client:shop", by="test", title="till 3")
    assert keys.parsed(text.encode()) is not None
    secret = text.rpartition(f"_{key.id}_")[2] or text.split("_", 2)[2]
    assert len(secret) == 43
    database.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert key.id.encode() in stored
    assert secret.encode() not in stored


def test_a_scope_narrows_and_comes_back_as_it_was(database: Database) -> None:
    scope = scopes.parsed("predict:fraud metrics.read")
    with database.writing() as connection:
        key, _ = keys.make(connection, "client:shop", by="test", scope=scope)
        assert keys.get_key(connection, key.id).scope == {("predict", "fraud"), ("metrics.read", "*")}
        nothing, _ = keys.make(connection, "client:shop", by="test", scope=frozenset())
        assert keys.get_key(connection, nothing.id).scope == frozenset()
        everything, _ = keys.make(connection, "client:shop", by="test")
        assert keys.get_key(connection, everything.id).scope is None


@pytest.mark.parametrize("text", ["predict:a:b", "predict:a/b", "metrics.read:fraud", "predict: fraud"])
def test_odd_scopes_are_refused(text: str) -> None:
    with pytest.raises((UsageError, UnknownName)):
        scopes.parsed(text)


def test_rotation_overlaps_and_never_prolongs_the_old_key(database: Database) -> None:
    with database.writing() as connection:
        old, _ = keys.make(connection, "client:shop", by="test", ttl_s=1000, title="till")
        new, _ = keys.rotate(connection, old.id, by="test", overlap_s=600)
        after = keys.get_key(connection, old.id)
        assert (new.title, new.subject, new.scope) == ("till", "client:shop", None)
        assert abs(new.expires_us - new.created_us - 1_000_000_000) < 1_000_000
        assert 590e6 < after.expires_us - new.created_us <= 600e6
        short, _ = keys.make(connection, "client:shop", by="test", ttl_s=60)
        keys.rotate(connection, short.id, by="test", overlap_s=10_000)
        assert keys.get_key(connection, short.id).expires_us == short.expires_us


def test_what_has_ended_is_not_rotated_and_lifetimes_have_bounds(database: Database) -> None:
    with database.writing() as connection:
        key, _ = keys.make(connection, "client:shop", by="test")
        assert not keys.revoke(connection, key.id).live(directory.now_us())
    with pytest.raises(UsageError, match="has ended"), database.writing() as connection:
        keys.rotate(connection, key.id, by="test")
    for ttl_s in (0, -1, keys.LONGEST_S + 1):
        with pytest.raises(UsageError, match="cannot live"), database.writing() as connection:
            keys.make(connection, "client:shop", by="test", ttl_s=ttl_s)


def test_the_number_of_live_keys_has_a_bound(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_KEYS", 2)
    with database.writing() as connection:
        for _ in range(2):
            keys.make(connection, "client:shop", by="test")
        with pytest.raises(UsageError, match="2 keys already"):
            keys.make(connection, "client:shop", by="test")


@pytest.mark.parametrize("text", [b"", b"redan_", b"redan_abc_def", b"redan_ABCDEFGHIJKL_" + b"a" * 43])
def test_other_words_are_no_keys(text: bytes) -> None:
    assert keys.parsed(text) is None

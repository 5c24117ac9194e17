"""The digest cache: saves reading, and a forged, foreign or stale one is not believed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from redan.core.errors import SignatureRefused, UsageError
from redan.kernels.digests import FileDigest, tree
from redan.kernels.digests.cache import RACY_NS, DigestCache, default_secret

AGE_NS = 2 * RACY_NS


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    root.mkdir()
    (root / "weights.bin").write_bytes(b"w" * 1000)
    (root / "README.md").write_text("words")
    return root


@pytest.fixture
def open_cache(tmp_path: Path, model: Path) -> Callable[..., DigestCache]:
    def opened(root: Path = model, secret: str = "secret", **how: object) -> DigestCache:
        return DigestCache(tmp_path / "digests", root, secret=tmp_path / "state" / secret, **how)  # type: ignore[arg-type]

    return opened


def read(cache: DigestCache, model: Path, monkeypatch: pytest.MonkeyPatch, later_ns: int = AGE_NS) -> list[str]:
    """Digest the model as if some time had passed since its files changed; return the names that were read."""
    now = time.time_ns()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: now + later_ns)
        found = tree(model, memory=cache)
    assert [(d.name, d.digest) for d in found] == [(d.name, d.digest) for d in tree(model)]
    cache.save()
    return [d.name for d in found if not d.remembered]


Open = Callable[..., DigestCache]


def test_only_what_changed_is_read_again(open_cache: Open, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(open_cache(), model, monkeypatch) == ["README.md", "weights.bin"]
    assert read(open_cache(), model, monkeypatch) == []
    (model / "README.md").write_text("other words")
    (model / "new").write_text("x")
    assert read(open_cache(), model, monkeypatch) == ["README.md", "new"]


def test_a_change_that_keeps_size_and_modification_time_is_noticed(
    open_cache: Open, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(open_cache(), model, monkeypatch)
    path = model / "weights.bin"
    before = path.stat()
    path.write_bytes(b"v" * 1000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    assert read(open_cache(), model, monkeypatch) == ["weights.bin"]


def test_another_file_of_the_same_size_and_time_is_noticed(
    open_cache: Open, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = model / "weights.bin", model.parent / "other"
    other.write_bytes(b"v" * 1000)
    read(open_cache(), model, monkeypatch)
    before = path.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert read(open_cache(), model, monkeypatch) == ["weights.bin"]


def test_files_that_changed_just_before_are_not_remembered(
    open_cache: Open, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert read(open_cache(), model, monkeypatch, later_ns=0) == ["README.md", "weights.bin"]
    os.utime(model / "README.md", ns=(0, time.time_ns() + 10**15))
    read(open_cache(), model, monkeypatch)
    assert read(open_cache(), model, monkeypatch) == ["README.md"]


@pytest.mark.parametrize("place", [0, 63, 64, 65, -2])
def test_every_changed_byte_of_the_cache_is_refused(
    open_cache: Open, model: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    cache = open_cache()
    read(cache, model, monkeypatch)
    data = bytearray(cache.path.read_bytes())
    data[place] ^= 1
    if place == 64:  # the line break is no content, but the seal must still stand before it
        data[place:place] = b"x"
    cache.path.write_bytes(data)
    with pytest.raises(SignatureRefused, match="was changed, or written by somebody else"):
        open_cache()


def test_a_forged_digest_is_refused(open_cache: Open, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = open_cache()
    read(cache, model, monkeypatch)
    mac, body = cache.path.read_bytes().split(b"\n", 1)
    document = json.loads(body)
    document["entries"]["weights.bin"][5] = "0" * 64
    cache.path.write_bytes(mac + b"\n" + json.dumps(document, separators=(",", ":")).encode())
    with pytest.raises(SignatureRefused):
        open_cache()
    cache.path.write_bytes(b"")
    with pytest.raises(SignatureRefused):
        open_cache()


def test_a_cache_sealed_by_somebody_else_is_refused(
    open_cache: Open, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(open_cache(secret="theirs"), model, monkeypatch)
    with pytest.raises(SignatureRefused):
        open_cache(secret="mine")


def test_the_cache_of_another_folder_or_algorithm_is_never_taken(
    open_cache: Open, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = open_cache()
    read(cache, model, monkeypatch)
    other = model.parent / "other"
    other.mkdir()
    for foreign in (open_cache(other), open_cache(algorithm="blake2b"), open_cache(shard_bytes=10)):
        assert foreign.path != cache.path
        foreign.path.write_bytes(cache.path.read_bytes())
    with pytest.raises(SignatureRefused):
        open_cache(other)
    with pytest.raises(SignatureRefused):
        open_cache(algorithm="blake2b")


def test_shards_are_remembered_as_a_whole_file(open_cache: Open, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + AGE_NS)
    found: list[tuple[FileDigest, ...]] = []
    for _ in range(2):
        cache = open_cache(shard_bytes=300)
        found.append(tree(model, shard_bytes=300, memory=cache))
        cache.save()
    assert [d.digest for d in found[0]] == [d.digest for d in found[1]]
    assert all(d.remembered for d in found[1])


def test_the_secret_is_made_once_for_its_owner_alone(open_cache: Open, tmp_path: Path) -> None:
    open_cache()
    secret = tmp_path / "state" / "secret"
    first = secret.read_bytes()
    assert secret.stat().st_mode & 0o777 == 0o600
    open_cache()
    assert secret.read_bytes() == first
    assert list(secret.parent.iterdir()) == [secret]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_secret_that_others_can_read_is_refused(open_cache: Open, tmp_path: Path, mode: int) -> None:
    open_cache()
    (tmp_path / "state" / "secret").chmod(mode)
    with pytest.raises(SignatureRefused, match="you alone can read"):
        open_cache()


def test_a_short_secret_is_refused_and_one_that_cannot_be_made_is_told(open_cache: Open, tmp_path: Path) -> None:
    open_cache()
    (tmp_path / "state" / "secret").write_bytes(b"short")
    with pytest.raises(SignatureRefused):
        open_cache()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot read or make the secret"):
        DigestCache(tmp_path / "digests", tmp_path, secret=tmp_path / "file" / "secret")


def test_the_secret_never_lies_beside_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_secret() == tmp_path / "redan" / "digests.secret"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert default_secret().is_relative_to(Path.home())


def test_somebody_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UsageError, match="has no home") as told:
        default_secret()
    assert "XDG_STATE_HOME" in told.value.hint

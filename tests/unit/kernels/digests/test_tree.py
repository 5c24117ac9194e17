"""Digests of folders: the same whatever the threads, of exactly the files there are, and of nothing else."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from redan.core.errors import MissingDependency, UnknownName, Unreadable
from redan.kernels.digests import SIZES_BYTES, digested, entries, file, tree
from redan.kernels.digests.reading import hasher

DEPTH = 1500


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "sub").mkdir(parents=True)
    (root / "a.bin").write_bytes(os.urandom(3_000_001))
    (root / "a").mkdir()
    (root / "a" / "z").write_bytes(b"z")
    (root / "empty").touch()
    (root / "sub" / "ü 名.txt").write_bytes(b"text" * 100_000)
    return root


def test_every_file_has_the_digest_of_its_bytes_in_the_order_of_names(folder: Path) -> None:
    found = tree(folder)
    assert [d.name for d in found] == ["a.bin", "a/z", "empty", "sub/ü 名.txt"]
    for digest in found:
        data = (folder / digest.name).read_bytes()
        assert (digest.digest, digest.size_bytes) == (hashlib.sha256(data).hexdigest(), len(data))


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_threads_change_nothing(folder: Path, threads: int) -> None:
    for shard_bytes in (None, 1000, 1 << 20):
        assert tree(folder, shard_bytes=shard_bytes, threads=threads) == tree(folder, shard_bytes=shard_bytes)


def test_shards_cut_files_without_gap_or_overlap(folder: Path) -> None:
    found = tree(folder, shard_bytes=1_000_000, algorithm="blake2b")
    assert [(d.name, d.start_bytes, d.size_bytes) for d in found][:4] == [
        ("a.bin", 0, 1_000_000),
        ("a.bin", 1_000_000, 1_000_000),
        ("a.bin", 2_000_000, 1_000_000),
        ("a.bin", 3_000_000, 1),
    ]
    assert "empty" not in {d.name for d in found}
    data = (folder / "a.bin").read_bytes()
    assert found[1].digest == hashlib.blake2b(data[1_000_000:2_000_000]).hexdigest()
    assert tree(folder, shard_bytes=3_000_001)[0].size_bytes == 3_000_001


def test_one_file_is_a_tree_of_one(folder: Path) -> None:
    assert file(folder / "a.bin") == tree(folder / "a.bin")[0]
    assert file(folder / "a.bin").name == "a.bin"
    assert len(file(folder / "empty", algorithm="blake2b").digest) == 2 * SIZES_BYTES["blake2b"]


def test_ignored_names_are_left_out_with_what_is_below_them_and_nothing_else(folder: Path) -> None:
    (folder / "sub" / "a").write_bytes(b"kept")
    names = [d.name for d in tree(folder, ignored=frozenset({"a", "empty"}))]
    assert names == ["a.bin", "sub/a", "sub/ü 名.txt"]


def test_links_and_specials_are_told_by_name(folder: Path) -> None:
    (folder / "link").symlink_to("a.bin")
    with pytest.raises(Unreadable, match="'link' is a symbolic link"):
        tree(folder)
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(Unreadable, match="'pipe' is no regular file"):
        tree(folder)
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        assert [e.kind for e in entries(folder) if e.name == "socket"] == ["special"]


def test_followed_links_have_the_content_they_lead_to_and_folders_behind_links_stay_links(folder: Path) -> None:
    (folder / "link").symlink_to("a.bin")
    (folder / "circle").symlink_to(".")
    (folder / "dangling").symlink_to("nothing")
    found = {e.name: e for e in entries(folder, follow=True) if e.name in ("link", "circle", "a.bin")}
    assert found["link"].kind == "file"
    assert found["circle"].kind == "link"
    (digest,) = digested([found["link"]])
    assert digest.digest == file(folder / "a.bin").digest


def test_a_link_to_nothing_is_a_link(folder: Path) -> None:
    (folder / "dangling").symlink_to("nothing")
    for follow in (False, True):
        assert [e.kind for e in entries(folder, follow=follow) if e.name == "dangling"] == ["link"]


def test_a_file_that_changed_after_it_was_listed_is_refused(folder: Path) -> None:
    listed = entries(folder)
    with (folder / "a.bin").open("r+b") as changed:
        changed.write(b"x")
    with pytest.raises(Unreadable, match=r"'a.bin' changed while it was read"):
        digested(listed)


def test_a_file_that_changes_while_it_is_read_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disturbing:
        def update(self, data: memoryview) -> None:
            with (folder / "a.bin").open("r+b") as changed:
                changed.write(b"x")

    monkeypatch.setattr("redan.kernels.digests.reading.hasher", lambda algorithm: Disturbing)
    with pytest.raises(Unreadable, match=r"'a.bin' changed while it was read"):
        tree(folder / "a.bin")


def test_a_pipe_in_the_place_of_a_listed_file_is_not_waited_for(folder: Path) -> None:
    listed = entries(folder)
    (folder / "a.bin").unlink()
    os.mkfifo(folder / "a.bin")
    with pytest.raises(Unreadable, match="changed while it was read"):
        digested(listed)


def test_a_file_that_vanished_is_told(folder: Path) -> None:
    listed = entries(folder)
    (folder / "empty").unlink()
    with pytest.raises(Unreadable, match="cannot read 'empty'"):
        digested(listed)


def test_names_that_no_manifest_can_hold_and_absent_roots_are_told(folder: Path) -> None:
    with pytest.raises(Unreadable, match="cannot read"):
        tree(folder / "absent")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    with pytest.raises(Unreadable, match="not UTF-8"):
        tree(folder)


def test_a_tree_deeper_than_the_interpreters_stack_is_listed(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("d", dir_fd=here)
        here = _step(here, "d")
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    try:
        assert entries(tmp_path)[0].name == "d/" * DEPTH + "f"
    finally:  # what clears temporary folders has a stack that is less deep than this
        os.unlink("f", dir_fd=here)
        for _ in range(DEPTH):
            here = _step(here, "..")
            os.rmdir("d", dir_fd=here)
        os.close(here)


def _step(here: int, name: str) -> int:
    there = os.open(name, os.O_RDONLY, dir_fd=here)
    os.close(here)
    return there


def test_unknown_algorithms_name_the_nearest() -> None:
    with pytest.raises(UnknownName) as told:
        hasher("sha265")
    assert "sha256" in told.value.hint


def test_blake3_needs_its_package(folder: Path) -> None:
    try:
        import blake3
    except ImportError:
        with pytest.raises(MissingDependency, match="blake3"):
            tree(folder, algorithm="blake3")
    else:
        assert file(folder / "a" / "z", algorithm="blake3").digest == blake3.blake3(b"z").hexdigest()

"""Files written as a whole: links are not followed, failures leave what was there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from redan.kernels.digests.writing import replace_whole


def test_a_file_is_replaced_with_the_permissions_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "f"
    mask = os.umask(0o022)
    try:
        replace_whole(path, b"one")
        assert path.stat().st_mode & 0o777 == 0o644
        replace_whole(path, b"two", mode=0o600)
    finally:
        os.umask(mask)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "f"
    victim.write_bytes(b"mine")
    path.symlink_to(victim)
    replace_whole(path, b"new")
    assert victim.read_bytes() == b"mine"
    assert not path.is_symlink()


def test_what_cannot_be_replaced_stays_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError, match="folder"):
        replace_whole(path, b"new")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        replace_whole(tmp_path / "absent" / "f", b"new")

"""`redan load` on the command line."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Cli

from redan.subjects.sandbox import confinement

pytestmark = pytest.mark.skipif(bool(confinement.why_not()), reason=confinement.why_not() or "-")


class Call:
    """Calls what it is told to when it is unpickled."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> object:
        return self.call


def test_an_honest_file_ends_with_0_and_shows_what_it_holds(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"w": np.zeros((3, 4), np.float32)}))
    ended = cli("load", tmp_path / "a.pkl")
    assert ended.code == 0
    assert "a.pkl  dict" in ended.out
    assert "float32 3×4  w" in ended.out


def test_a_hostile_file_ends_with_1_and_names_the_act(cli: Cli, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Call(os.mkdir, str(marker))))
    ended = cli("load", tmp_path / "a.pkl", "--format", "json")
    assert ended.code == 1
    rules = {finding["rule"] for finding in json.loads(ended.out)["findings"]}
    assert {"RDN-SUP-002", "RDN-SUP-008"} <= rules
    assert not marker.exists()


def test_a_file_that_cannot_be_loaded_ends_with_3(cli: Cli, tmp_path: Path) -> None:
    data = pickle.dumps(np.eye(3))
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'descr': 'zz'}\n" + data[:3])
    assert cli("load", tmp_path / "a.npy").code == 3
    assert cli("load", tmp_path / "nothing").code == 3

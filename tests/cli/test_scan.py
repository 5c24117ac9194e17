"""`redan scan`: several paths, settings of the nearest redan.toml, what is left out is listed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Cli


def test_paths_of_several_folders_stay_apart(cli: Cli, tmp_path: Path, hostile: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.pkl").write_bytes(hostile.read_bytes())
    document = json.loads(cli("scan", tmp_path / "one", tmp_path / "two", "--format", "json").out)
    assert len({a["path"] for a in document["artifacts"]}) == 2
    assert len(document["subject"]["components"]) == 2


def test_ignores_gate_and_exclusions_of_the_settings_apply(cli: Cli, tmp_path: Path, hostile: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "m.pkl").write_bytes(hostile.read_bytes())
    settings = tmp_path / "redan.toml"
    settings.write_text('[scan]\nexclude = ["old/*"]\n', encoding="utf-8")
    ended = cli("scan", tmp_path, "--format", "json")
    document = json.loads(ended.out)
    assert ended.code == 1
    assert [a["path"] for a in document["artifacts"]] == ["hostile.pkl"]
    assert {"path": "old/m.pkl", "why": "excluded by the settings"} in document["unexamined"]
    settings.write_text('[[ignore]]\nreason = "a fixture"\nexpires = "2999-01-01"\npath = "*.pkl"\n', encoding="utf-8")
    ended = cli("scan", tmp_path, "--format", "json")
    assert ended.code == 0
    assert {f["status"] for f in json.loads(ended.out)["findings"]} == {"suppressed"}


def test_large_files_are_digested_when_asked(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "large.npy").write_bytes(b"\x93NUMPY\x01\x00" + bytes(17 << 20))
    plain, bound = (
        json.loads(cli("scan", tmp_path, "--format", "json", *more).out) for more in ((), ("--digest-all",))
    )
    assert plain["subject"]["components"][0]["sha256"] == ""
    assert "--digest-all" in plain["notes"][0]
    assert len(bound["subject"]["components"][0]["sha256"]) == 64
    assert bound["artifacts"][0]["sha256"] == bound["subject"]["components"][0]["sha256"]

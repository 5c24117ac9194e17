"""`redan data synthetic` as a user meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Cli
from tests.unit.kernels.synthetic.people import NAMES, people


def write(path: Path, columns: tuple) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(NAMES)
        writer.writerows(
            [["" if v != v else v for v in row] for row in zip(*(c.tolist() for c in columns), strict=True)]
        )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An original, a copy, rows of the same people-maker, and a control."""
    write(tmp_path / "people.csv", people(300, 1))
    write(tmp_path / "copy.csv", people(300, 1))
    write(tmp_path / "kept-out.csv", people(300, 2))
    write(tmp_path / "fresh.csv", people(300, 3))
    return tmp_path


def test_a_copy_fails_and_says_by_how_much(cli: Cli, data: Path) -> None:
    ended = cli("data", "synthetic", "people.csv", "copy.csv", "--control", "kept-out.csv", "-f", "json")
    assert ended.code == 1
    found = {each["rule"]: each for each in json.loads(ended.out)["findings"]}
    assert set(found) == {"RDN-PRI-034", "RDN-PRI-035", "RDN-PRI-036"}
    for each in found.values():
        assert each["severity"] == "high", each["title"]
        assert each["quantities"][0]["low"] > 0
        assert "beyond the control" in each["title"]


def test_an_independent_sample_passes(cli: Cli, data: Path) -> None:
    ended = cli("data", "synthetic", "people.csv", "fresh.csv", "--control", "kept-out.csv", "-f", "json")
    assert ended.code == 0
    assert {each["severity"] for each in json.loads(ended.out)["findings"]} == {"info"}


def test_without_a_control_nothing_is_decided(cli: Cli, data: Path) -> None:
    ended = cli("data", "synthetic", "people.csv", "copy.csv", "-f", "json")
    assert ended.code == 3
    found = json.loads(ended.out)["findings"]
    assert {each["status"] for each in found} == {"inconclusive"}
    assert all("Without a control" in each["detail"] for each in found)


def test_halves_of_a_record_can_be_named(cli: Cli, data: Path) -> None:
    words = ("data", "synthetic", "people.csv", "copy.csv", "--control", "kept-out.csv", "-f", "json", "--known")
    found = json.loads(cli(*words, "age,city").out)["findings"]
    linked = next(each for each in found if each["rule"] == "RDN-PRI-035")
    assert "the columns age, city and all others" in linked["detail"]
    ended = cli(*words, "agee")
    assert ended.code != 0
    assert "'age'" in ended.err + ended.out


def test_tables_that_do_not_fit_are_said(cli: Cli, data: Path) -> None:
    (data / "other.csv").write_text("a,b\n" + "1,2\n" * 30)
    (data / "short.csv").write_text(",".join(NAMES) + "\n" + "1,2,3,c1,j1,s1\n" * 3)
    for name, said in (("other.csv", "columns in common"), ("short.csv", "at least 20")):
        ended = cli("data", "synthetic", "people.csv", name, "--control", "kept-out.csv", "-f", "json")
        assert ended.code == 3
        assert said in ended.err + ended.out

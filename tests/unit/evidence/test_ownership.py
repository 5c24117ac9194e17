"""The ownership file: bound to its key, and read with care."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from redan.core.errors import SignatureRefused, Unreadable
from redan.evidence.ownership import Mark, Ownership, key_from, make_key, read, read_points, write

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def told() -> Ownership:
    marks = (Mark(kind="triggers", n=50, matched=50, independent=(5,) * 20),)
    return Ownership(
        made="2026-05-01T00:00:00+00:00",
        model="net",
        model_sha256="a" * 64,
        made_from_sha256="b" * 64,
        shape=(1, 8, 8),
        classes=10,
        bounds=(0.0, 1.0),
        marks=marks,
    ).bound(KEY)


def test_it_survives_the_trip_through_a_file_and_fits_its_key_alone(tmp_path: Path) -> None:
    write(told(), tmp_path / "x.own.json")
    again = read(tmp_path / "x.own.json")
    assert again == told()
    again.check(KEY)
    with pytest.raises(SignatureRefused):
        again.check(OTHER)


def test_every_part_of_it_is_bound() -> None:
    fewer = Mark(kind="triggers", n=50, matched=50, independent=(0,) * 20)
    for changed in ({"marks": (fewer,)}, {"made": "2020-01-01T00:00:00+00:00"}, {"classes": 2}, {"model_sha256": "c"}):
        with pytest.raises(SignatureRefused):
            replace(told(), **changed).check(KEY)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema": "redan/ownership/2"}', '{"schema": "redan/ownership/1"}', "[" * 5000, "\xff"],
)
def test_what_is_no_ownership_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text, encoding="latin-1")
    with pytest.raises(Unreadable):
        read(tmp_path / "x")


@pytest.mark.parametrize("change", [{"n": 0}, {"matched": 51}, {"independent": [-1]}, {"n": 10**9}])
def test_counts_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    write(told(), tmp_path / "x")
    document = json.loads((tmp_path / "x").read_text())
    document["marks"][0] |= change
    (tmp_path / "x").write_text(json.dumps(document))
    with pytest.raises(Unreadable):
        read(tmp_path / "x")


def test_points_are_never_read_from_elsewhere(tmp_path: Path) -> None:
    away = replace(told(), points="../secret.npz", points_sha256="0" * 64)
    with pytest.raises(Unreadable, match="beside"):
        read_points(away, tmp_path / "x")


def test_a_key_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_key(tmp_path / "k")
    monkeypatch.setenv("OWNER_KEY", (tmp_path / "k").read_text())
    assert key_from("env:OWNER_KEY") == key_from(str(tmp_path / "k"))
    assert len(key_from("env:OWNER_KEY")) == 32
    for wrong in ("env:NO_SUCH_KEY", str(tmp_path / "absent")):
        with pytest.raises(Unreadable):
            key_from(wrong)

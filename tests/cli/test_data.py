"""`redan data` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Cli


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "train"
    folder.mkdir()
    lines = [f"{20 + i},{('Bern', 'Basel')[i % 2]}" for i in range(50)]
    (folder / "people.csv").write_text("\n".join(["age,city", *lines]) + "\n")
    (folder / "notes.txt").write_text("notes")
    return folder


def test_a_signed_manifest_is_made_and_verified_and_names_what_changed(cli: Cli, data: Path) -> None:
    cli("key", "new", "key")
    made = cli("data", "manifest", "train", "-o", "train.manifest.json", "--key", "key", "--licence", "CC0-1.0")
    assert (made.code, made.out) == (0, "")
    fine = cli("data", "verify", "train.manifest.json", "--key", "key.pub")
    assert fine.code == 0
    assert fine.out.startswith("train: 2 files as the manifest says\nsigned by key ")
    (data / "notes.txt").rename(data / "renamed.txt")
    (data / "more.csv").write_text("age,city\n")
    (data / "people.csv").unlink()
    ended = cli("data", "verify", "train.manifest.json", "--key", "key.pub")
    assert ended.code == 1
    assert "'notes.txt' is now 'renamed.txt', with the same content" in ended.out
    assert "'people.csv' (434 bytes) is missing" in ended.out
    assert "'more.csv' (9 bytes) was added" in ended.out
    found = json.loads(cli("data", "verify", "train.manifest.json", "--key", "key.pub", "-f", "json").out)
    assert [c["kind"] for c in found["changes"]] == ["renamed", "missing", "added"]


def test_a_signature_decides_only_with_a_key(cli: Cli, data: Path) -> None:
    for name in ("key", "other"):
        cli("key", "new", name)
    cli("data", "manifest", "train", "-o", "m.manifest.json", "--key", "key")
    unchecked = cli("data", "verify", "m.manifest.json")
    assert unchecked.code == 3
    assert "nobody checked by whom" in unchecked.out
    refused = cli("data", "verify", "m.manifest.json", "--key", "other.pub")
    assert (refused.code, refused.out) == (1, "")
    cli("data", "manifest", "train", "-o", "plain.manifest.json")
    assert cli("data", "verify", "plain.manifest.json").code == 0
    assert cli("data", "verify", "plain.manifest.json", "--key", "key.pub").code == 1


def test_the_licence_can_come_from_the_card(cli: Cli, data: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-4.0\n---\nPeople.\n")
    (tmp_path / "bare.md").write_text("People.\n")
    made = json.loads(cli("data", "manifest", "train", "--card", "README.md").out)
    assert made["predicate"]["card"] == {"licence": "CC-BY-4.0"}
    ended = cli("data", "manifest", "train", "--card", "bare.md")
    assert (ended.code, "names no licence" in ended.err) == (3, True)


def test_a_key_inside_the_data_is_not_published_with_it(cli: Cli, data: Path) -> None:
    cli("key", "new", "train/key")
    ended = cli("data", "manifest", "train", "--key", "train/key")
    assert ended.code == 2
    assert "lies inside the data" in ended.err


def test_a_schema_is_inferred_and_rows_are_checked(cli: Cli, data: Path) -> None:
    assert cli("data", "schema", "train/people.csv", "-o", "schema.json").code == 0
    assert cli("data", "check", "train/people.csv", "--schema", "schema.json").code == 0
    text = (data / "people.csv").read_text()
    (data / "new.csv").write_text(text.replace("25,Basel", "250,Paris"))
    ended = cli("data", "check", "train/new.csv", "--schema", "schema.json")
    assert ended.code == 1
    assert "row 5, age" in ended.out
    assert "1 of 50 rows hold a value that is none of the categories" in ended.out.replace("\n    ", " ")
    assert "again: redan data check train/new.csv --schema schema.json" in ended.out


def test_drift_is_reported_in_every_format_and_can_be_shown_again(cli: Cli, data: Path) -> None:
    text = (data / "people.csv").read_text().splitlines()
    far = [text[0], *(f"{int(line.split(',')[0]) + 200},Basel" for line in text[1:])]
    (data / "far.csv").write_text("\n".join(far) + "\n")
    ended = cli("data", "drift", "train/people.csv", "train/far.csv", "-f", "json", "-o", "drift.json")
    assert ended.code == 1
    again = cli("report", "drift.json")
    assert "age: its distribution moved, large" in again.out.replace("\n    ", " ")
    assert cli("data", "drift", "train/people.csv", "train/people.csv").code == 0


def test_croissant_says_what_is_lacking(cli: Cli, data: Path) -> None:
    cli("data", "manifest", "train", "-o", "bare.manifest.json")
    bare = cli("data", "croissant", "bare.manifest.json")
    assert bare.code == 3
    assert "Croissant asks for a licence: --licence" in bare.err
    words = ["--description", "people", "--licence", "CC0-1.0", "--source", "https://example.org", "--creator", "us"]
    cli(
        "data",
        "manifest",
        "train",
        "-o",
        "full.manifest.json",
        *words,
        "--published",
        "2026-05-01",
        "--rai",
        "dataBiases=few",
    )
    full = cli("data", "croissant", "full.manifest.json")
    assert full.code == 0
    assert json.loads(full.out)["rai:dataBiases"] == "few"


def test_the_schema_of_a_models_inputs_has_no_label(cli: Cli, data: Path) -> None:
    np.savez(data / "both.npz", x=np.arange(20.0).reshape(10, 2), y=np.arange(10))
    for file, label, names in (("people.csv", "city", ["age"]), ("both.npz", "y", ["x[0]", "x[1]"])):
        ended = cli("data", "schema", f"train/{file}", "--label", label)
        found = json.loads(ended.out)
        assert [rule["name"] for rule in found["rules"]] == names
        assert label not in [each["name"] for each in found["arrays"]]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["data", "manifest", "nowhere"], 3),
        (["data", "verify", "nowhere.manifest.json"], 3),
        (["data", "manifest", "train", "--rai", "no equals sign"], 2),
        (["data", "schema", "train/people.csv", "--words", "nowhere"], 2),
        (["data", "schema", "train/people.csv", "--label", "nowhere"], 2),
        (["data", "check", "train/people.csv", "--schema", "train/notes.txt"], 3),
        (["data", "drift", "nowhere.csv", "train/people.csv"], 3),
        (["data", "drift", "train/people.csv", "train/people.csv", "--label", "nowhere"], 3),
    ],
)
def test_what_cannot_be_done_ends_with_words(cli: Cli, data: Path, words: list[str], code: int) -> None:
    ended = cli(*words)
    assert ended.code == code, (ended.out, ended.err)
    assert "bug" not in ended.err

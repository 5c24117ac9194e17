"""Manifests of data sets: the same data gives the same bytes, and every difference has a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.evidence.datasets.manifest import Card, from_bytes, measure, read, to_json
from redan.evidence.datasets.verification import differences, place_of
from redan.evidence.keys import generate


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "train"
    (folder / "deep").mkdir(parents=True)
    (folder / "people.csv").write_text("age,city\n30,Bern\n41,Basel\n,Bern\n")
    (folder / "deep" / "notes.txt").write_text("notes")
    (folder / "deep" / "more.txt").write_text("more")
    return folder


def test_the_same_data_gives_the_same_bytes(data: Path) -> None:
    card = Card(licence="CC0-1.0", responsible={"dataBiases": "few rows"})
    assert to_json(measure(data, card=card)) == to_json(measure(data, card=card))


def test_tables_are_described_by_columns_ranges_and_categories(data: Path) -> None:
    table = next(f.table for f in measure(data, card=Card()).files if f.path == "people.csv")
    assert table is not None
    age, city = table["columns"]
    assert table["rows"] == 3
    assert (age["kind"], age["missing"], age["low"], age["high"]) == ("integer", 1, 30, 41)
    assert city["categories"] == ["Basel", "Bern"]


def test_a_manifest_survives_the_trip_through_its_file(data: Path, tmp_path: Path) -> None:
    made = measure(data, card=Card(name="people", source="https://example.org", responsible={"dataUseCases": "tests"}))
    path = tmp_path / "m.manifest.json"
    for signer in (None, generate()):
        path.write_bytes(to_json(made, signer))
        assert read(path).manifest == made


def test_unchanged_data_has_no_differences(data: Path) -> None:
    assert differences(measure(data, card=Card()), data) == ()


def change_content(data: Path) -> None:
    (data / "deep" / "notes.txt").write_text("nOtes")


def change_length(data: Path) -> None:
    (data / "deep" / "notes.txt").write_text("longer notes")


def add(data: Path) -> None:
    (data / "deep" / "poison.txt").write_text("poison")


def remove(data: Path) -> None:
    (data / "deep" / "notes.txt").unlink()


def rename(data: Path) -> None:
    (data / "deep" / "notes.txt").rename(data / "notes.txt")


@pytest.mark.parametrize(
    ("what", "kind", "path", "words"),
    [
        (change_content, "changed", "deep/notes.txt", "as long as before"),
        (change_length, "changed", "deep/notes.txt", "5 bytes when the manifest was made, 12 now"),
        (add, "added", "deep/poison.txt", "the manifest does not know it"),
        (remove, "missing", "deep/notes.txt", "is missing"),
        (rename, "renamed", "notes.txt", "'deep/notes.txt' is now 'notes.txt'"),
    ],
)
def test_each_difference_is_named(data: Path, what: Callable[[Path], None], kind: str, path: str, words: str) -> None:
    manifest = measure(data, card=Card())
    what(data)
    (found,) = differences(manifest, data)
    assert (found.kind, found.path) == (kind, path)
    assert words in found.sentence


def test_two_files_of_one_content_that_move_are_both_renamed(data: Path) -> None:
    (data / "deep" / "more.txt").write_text("notes")
    manifest = measure(data, card=Card())
    (data / "deep" / "notes.txt").rename(data / "a.txt")
    (data / "deep" / "more.txt").rename(data / "b.txt")
    assert [(c.kind, c.path) for c in differences(manifest, data)] == [("renamed", "a.txt"), ("renamed", "b.txt")]


def test_a_manifest_inside_the_data_leaves_itself_out_and_keeps_its_name(data: Path) -> None:
    own = data / "data.manifest.json"
    own.write_bytes(to_json(measure(data, card=Card(), own=own)))
    manifest = read(own).manifest
    assert place_of(manifest, own) == data.resolve()
    assert differences(manifest, data) == ()
    other = own.rename(data / "other.manifest.json")
    with pytest.raises(Unreadable, match="was made as"):
        place_of(manifest, other)


def test_a_manifest_deep_inside_the_data_is_refused(data: Path) -> None:
    with pytest.raises(UsageError, match="deep inside"):
        measure(data, card=Card(), own=data / "deep" / "m.manifest.json")


def test_a_single_file_has_a_manifest_too(data: Path, tmp_path: Path) -> None:
    manifest = measure(data / "people.csv", card=Card())
    assert differences(manifest, data / "people.csv") == ()
    (data / "people.csv").write_text("age,city\n30,Bern\n")
    assert [c.kind for c in differences(manifest, data / "people.csv")] == ["changed"]


def test_only_the_signer_s_key_is_accepted(data: Path) -> None:
    signer, other = generate(), generate("ed25519")
    found = from_bytes(to_json(measure(data, card=Card()), signer), "m")
    assert found.signed_by([other.verifier, signer.verifier]) == signer.verifier
    with pytest.raises(SignatureRefused):
        found.signed_by([other.verifier])


def test_a_changed_signed_manifest_is_refused(data: Path) -> None:
    signer = generate()
    signed = json.loads(to_json(measure(data, card=Card(licence="CC0-1.0")), signer))
    other = json.loads(to_json(measure(data, card=Card(licence="MIT")), generate()))
    signed["payload"] = other["payload"]
    with pytest.raises(SignatureRefused):
        from_bytes(json.dumps(signed).encode(), "m").signed_by([signer.verifier])


def test_a_plain_manifest_counts_as_unsigned(data: Path) -> None:
    with pytest.raises(SignatureRefused, match="not signed"):
        from_bytes(to_json(measure(data, card=Card())), "m").signed_by([generate().verifier])


def test_a_manifest_that_contradicts_its_own_digest_is_unreadable(data: Path) -> None:
    document = json.loads(to_json(measure(data, card=Card())))
    document["predicate"]["files"][0]["sha256"] = "0" * 64
    with pytest.raises(Unreadable, match="contradicts itself"):
        from_bytes(json.dumps(document).encode(), "m")


@pytest.mark.parametrize(
    "data_bytes", [b"", b"[]", b"{}", b"nonsense", b'{"payload": 1}', b'{"payload": "", "payloadType": "x"}']
)
def test_what_is_no_manifest_is_unreadable(data_bytes: bytes) -> None:
    with pytest.raises(Unreadable):
        from_bytes(data_bytes, "m")


@pytest.mark.parametrize("root", ["..", "/etc", "a/b", ""])
def test_a_manifest_cannot_point_out_of_its_folder(data: Path, tmp_path: Path, root: str) -> None:
    document = json.loads(to_json(measure(data, card=Card())))
    document["predicate"]["root"] = root
    manifest = from_bytes(json.dumps(document).encode(), "m").manifest
    with pytest.raises(Unreadable, match="no name of a file"):
        place_of(manifest, tmp_path / "m.manifest.json")


def test_a_link_inside_the_data_is_refused(data: Path) -> None:
    (data / "link").symlink_to("people.csv")
    with pytest.raises(Unreadable, match="symbolic link"):
        measure(data, card=Card())

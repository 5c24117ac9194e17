"""Croissant: the reference library accepts what is written, and loads the rows through it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from redan.evidence.datasets.croissant import document, lacking, to_json
from redan.evidence.datasets.manifest import Card, Manifest, measure

CARD = Card(
    name="people",
    description="Ages and cities of people who do not exist.",
    licence="https://creativecommons.org/publicdomain/zero/1.0/",
    source="https://example.org/people",
    creator="The Redan authors",
    cite="Redan authors, People, 2026",
    version="1.0.0",
    published="2026-05-01",
    responsible={"dataBiases": "invented", "dataCollection": "made up"},
)


@pytest.fixture
def made(tmp_path: Path) -> Manifest:
    folder = tmp_path / "people"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_text("age,city,score\n30,Bern,1.5\n41,Basel,2.5\n")
    (folder / "deep" / "odd name.txt").write_text("notes")
    parquet.write_table(pyarrow.table({"x": [1, 2, 3], "ok": [True, False, True]}), folder / "b.parquet")
    return measure(folder, card=CARD)


def opened(path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant

        return mlcroissant.Dataset(jsonld=path)


def test_the_reference_library_accepts_it_without_errors_or_warnings(made: Manifest, tmp_path: Path) -> None:
    (tmp_path / "croissant.json").write_bytes(to_json(made))
    metadata = opened(tmp_path / "croissant.json").metadata
    assert metadata.name == "people"
    assert metadata.issues.errors == set()
    assert metadata.issues.warnings == set()
    assert {d.sha256 for d in metadata.distribution} == {f.sha256 for f in made.files}
    assert [str(r.uuid) for r in metadata.record_sets] == ["file-0-rows", "file-1-rows"]


def test_the_reference_library_loads_the_rows_through_it(made: Manifest, tmp_path: Path) -> None:
    (tmp_path / "croissant.json").write_bytes(to_json(made))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = list(opened(tmp_path / "croissant.json").records("file-0-rows"))
    assert [list(row.values()) for row in rows] == [[30, b"Bern", 1.5], [41, b"Basel", 2.5]]


def test_files_carry_digest_and_size_and_lie_below_the_url(made: Manifest) -> None:
    found = document(made, url="https://example.org/files/")["distribution"]
    odd = next(f for f in found if f["name"] == "deep/odd name.txt")
    assert odd["contentUrl"] == "https://example.org/files/deep/odd%20name.txt"
    assert odd["contentSize"] == "5 B"
    assert len(odd["sha256"]) == 64


def test_responsible_use_is_stated_in_its_own_vocabulary(made: Manifest) -> None:
    found = json.loads(to_json(made))
    assert found["rai:dataBiases"] == "invented"
    assert found["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]


def test_what_is_lacking_is_named_with_its_flag(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    bare = measure(tmp_path / "a.txt", card=Card())
    assert lacking(bare, url="https://example.org") == (
        "a description: --description",
        "a licence: --licence",
        "a creator: --creator",
        "a date of publication: --published",
    )

"""Columns that describe people become groups; whether the model is given them is said by their kind and by `aside`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest

import redan
from redan.core.errors import ShapeMismatch, UnknownName, UsageError
from redan.subjects.data import load_dataset

TABLE = "age,sex,race,income,label\n30,f,white,10,0\n40,m,black,20,1\n50,f,,30,1\n60,m,white,40,0\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(TABLE)
    return path


def test_sensitive_words_of_a_csv_are_groups_and_no_inputs(table: Path) -> None:
    data = load_dataset(str(table), sensitive=("sex", "race"))
    assert data.columns == ("age", "income")
    assert data.x.tolist() == [[30, 10], [40, 20], [50, 30], [60, 40]]
    assert data.groups["sex"].tolist() == ["f", "m", "f", "m"]
    assert data.groups["race"].tolist() == ["white", "black", "(missing)", "white"]


def test_sensitive_numbers_stay_inputs_unless_set_aside(table: Path) -> None:
    kept = load_dataset(str(table), sensitive=("age", "sex", "race"))
    assert kept.columns == ("age", "income")
    assert kept.groups["age"].tolist() == ["30", "40", "50", "60"]
    aside = load_dataset(str(table), sensitive=("age", "sex"), aside=("age", "race"))
    assert aside.columns == ("income",)
    assert list(aside.groups) == ["age", "sex"]


def test_parquet_gives_what_csv_gives(table: Path, tmp_path: Path) -> None:
    frame = pandas.read_csv(table, keep_default_na=False)
    frame.to_parquet(tmp_path / "people.parquet")
    ours = load_dataset(str(table), sensitive=("age", "sex", "race"), label="label")
    theirs = load_dataset(str(tmp_path / "people.parquet"), sensitive=("age", "sex", "race"), label="label")
    assert theirs.columns == ours.columns
    assert theirs.x.tolist() == ours.x.tolist()
    assert {k: v.tolist() for k, v in theirs.groups.items()} == {k: v.tolist() for k, v in ours.groups.items()}


def test_npz_gives_arrays_of_that_name_and_windows_cut_them(tmp_path: Path) -> None:
    sex = np.array(["f", "m", "f"])
    np.savez(tmp_path / "d.npz", x=np.eye(3), y=np.array([0, 1, 1]), sex=sex)
    data = load_dataset(str(tmp_path / "d.npz"), sensitive=("sex",), offset=1)
    assert data.groups["sex"].tolist() == ["m", "f"]
    with pytest.raises(UnknownName):
        load_dataset(str(tmp_path / "d.npz"), sensitive=("race",))


def test_arrays_come_with_groups_and_keep_them_when_loaded_again() -> None:
    data = load_dataset((np.eye(3), [0, 1, 1], {"sex": ["f", "m", "f"], "age": [20.0, 30.5, np.nan]}))
    assert data.groups["age"].tolist() == ["20", "30.5", "(missing)"]
    again = load_dataset(data, limit=2)
    assert again.groups["sex"].tolist() == ["f", "m"]
    with pytest.raises(ShapeMismatch, match="sex"):
        load_dataset((np.eye(3), [0, 1, 1], {"sex": ["f", "m"]}))


def test_words_of_a_frame_are_groups() -> None:
    frame = pandas.DataFrame({"age": [1, 2, 3], "sex": ["f", "m", "f"], "name": ["a", "b", "c"]})
    data = load_dataset((frame, [0, 1, 1]), sensitive=("sex", "age"), aside=("name",))
    assert data.columns == ("age",)
    assert data.groups["sex"].tolist() == ["f", "m", "f"]
    assert data.groups["age"].tolist() == ["1", "2", "3"]


def test_bundled_tables_have_groups_too() -> None:
    data = load_dataset("wine", sensitive=("hue",), aside=("ash",))
    assert len(data.groups["hue"]) == len(data)
    assert "hue" in data.columns
    assert "ash" not in data.columns


def test_unknown_columns_and_the_label_are_refused(table: Path) -> None:
    with pytest.raises(UnknownName, match="sx"):
        load_dataset(str(table), sensitive=("sx",))
    with pytest.raises(UsageError, match="label"):
        load_dataset(str(table), sensitive=("label",), label="label")
    with pytest.raises(UnknownName):
        load_dataset("digits", sensitive=("sex",))
    with pytest.raises(ShapeMismatch, match="left"):
        load_dataset(str(table), aside=("age", "sex", "race", "income", "label"))


def test_a_target_names_the_groups_of_its_arrays() -> None:
    net = redan.subject(
        lambda x: (x[:, 0] > 0).astype(int), data=(np.eye(3), [1, 0, 0], {"sex": ["f", "m", "f"]}), bounds=(0, 1)
    )
    assert net.inputs.sensitive == ("sex",)

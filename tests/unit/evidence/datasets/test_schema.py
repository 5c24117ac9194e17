"""Schemas: what is inferred from training data, and what breaks it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from redan.core.errors import Unreadable
from redan.evidence.datasets.checking import check
from redan.evidence.datasets.reading import read_table
from redan.evidence.datasets.schema import Violation, infer, read, to_json, violations

ROWS = 60


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """People with an age, a city, an income that some lack, a number of their own and a colour as one-hot."""
    lines = ["id,age,city,income,postcode,colour_red,colour_blue"]
    for i in range(ROWS):
        income = "" if i % 10 == 0 else f"{1000.5 + i}"
        red = i % 2
        lines.append(f"{i},{20 + i},{('Bern', 'Basel')[i % 2]},{income},{i % 3:04d},{red},{1 - red}")
    path = tmp_path / "train.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_kinds_ranges_categories_missing_cells_and_groups_are_inferred(train: Path) -> None:
    found = infer(read_table(train, words=frozenset({"postcode"})), margin_fraction=0.1)
    rules = {r.name: r for r in found.rules}
    assert (rules["age"].kind, rules["age"].low, rules["age"].high) == ("integer", 14.0, 85.0)
    assert rules["city"].categories == ("Basel", "Bern")
    assert rules["postcode"].categories == ("0000", "0001", "0002")
    assert rules["income"].nullable
    assert rules["income"].missing_rate == pytest.approx(0.1)
    assert not rules["age"].nullable
    assert rules["id"].unique
    assert found.one_hot == (("colour_red", "colour_blue"),)


def test_the_training_data_fits_its_own_schema(train: Path) -> None:
    table = read_table(train)
    found = infer(table, margin_fraction=0)
    assert check(table, found) == ()
    assert all(violations(found, table.row(i)) == () for i in range(table.n_rows))


def test_every_broken_row_is_named_with_its_count_and_rate(train: Path, tmp_path: Path) -> None:
    schema = infer(read_table(train))
    lines = train.read_text().splitlines()
    lines[3] = lines[3].replace(",22,", ",999,")
    lines[5] = lines[5].replace(",24,", ",,")
    lines[7] = lines[7].replace("Bern", "Paris")
    lines[8] = lines[8].replace("0,1", "1,1") if lines[8].endswith("0,1") else lines[8].replace("1,0", "1,1")
    lines[9] = lines[9].replace(",28,", ",abc,")
    lines[10] = "3" + lines[10][1:]
    (tmp_path / "new.csv").write_text("\n".join(lines) + "\n")
    found = {(b.column, b.check): b for b in check(read_table(tmp_path / "new.csv", words=schema.words), schema)}
    assert {key: b.rows for key, b in found.items()} == {
        ("age", "high"): (2,),
        ("age", "missing"): (4,),
        ("age", "kind"): (8,),
        ("city", "category"): (6,),
        ("colour_red,colour_blue", "one-hot"): (7,),
        ("id", "unique"): (3, 9),
    }
    rate = found["id", "unique"].rate
    assert (rate.value, rate.n) == (2 / ROWS, ROWS)
    assert 0 < rate.low < rate.value < rate.high < 1


def test_a_text_column_of_digits_stays_text_when_it_is_checked(train: Path, tmp_path: Path) -> None:
    lines = train.read_text().splitlines()
    (tmp_path / "words.csv").write_text("\n".join([*lines[:-1], lines[-1].replace(",0002,", ",A1,")]) + "\n")
    schema = infer(read_table(tmp_path / "words.csv"))
    found = check(read_table(train, words=schema.words), schema)
    assert {(b.column, b.check) for b in found} <= {("postcode", "category")}


def test_absent_and_unexpected_columns_are_named(train: Path, tmp_path: Path) -> None:
    schema = infer(read_table(train))
    (tmp_path / "new.csv").write_text(train.read_text().replace("city", "town"))
    found = check(read_table(tmp_path / "new.csv"), schema)
    assert {(b.column, b.check, b.n_broken) for b in found} == {("city", "absent", ROWS), ("town", "unexpected", ROWS)}


def test_arrays_keep_type_shape_and_range(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "train.npz", x=rng.random((50, 3, 8, 8), dtype=np.float32), y=rng.integers(0, 3, 50))
    schema = infer(read_table(tmp_path / "train.npz"))
    for name, x, expected in (
        ("bytes", rng.integers(0, 255, (9, 3, 8, 8)).astype(np.uint8), {("x", "dtype"), ("x.max", "high")}),
        ("large", rng.random((9, 3, 9, 8), dtype=np.float32), {("x", "shape")}),
    ):
        np.savez(tmp_path / f"{name}.npz", x=x, y=np.arange(9) % 3)
        found = {(b.column, b.check) for b in check(read_table(tmp_path / f"{name}.npz"), schema)}
        assert expected <= found


def test_a_schema_survives_the_trip_through_its_file(train: Path, tmp_path: Path) -> None:
    schema = infer(read_table(train))
    (tmp_path / "s.json").write_bytes(to_json(schema))
    assert read(tmp_path / "s.json") == schema


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other"},
        {"rules": [{"name": "a"}]},
        {"rules": 3},
        {"one_hot": [["nowhere"]]},
        {"rows": "many"},
    ],
)
def test_what_is_no_schema_is_unreadable(train: Path, tmp_path: Path, change: dict[str, object]) -> None:
    document = {**json.loads(to_json(infer(read_table(train)))), **change}
    (tmp_path / "s.json").write_text(json.dumps(document))
    with pytest.raises(Unreadable, match="no schema"):
        read(tmp_path / "s.json")


def test_a_row_with_infinity_a_boolean_or_a_word_is_of_another_kind(train: Path) -> None:
    table = read_table(train)
    schema = infer(table)
    for odd in (float("inf"), True, "30", 30.5):
        assert violations(schema, {**table.row(1), "age": odd}) == (Violation(column="age", check="kind"),)
    assert violations(schema, {**table.row(1), "age": 30.0}) == ()


def test_columns_of_numbers_are_counted_in_bins_and_words_are_not(train: Path, tmp_path: Path) -> None:
    found = infer(read_table(train, words=frozenset({"postcode"})))
    rules = {r.name: r for r in found.rules}
    assert rules["colour_red"].edges == (0.5,)
    assert rules["colour_red"].counts == (30, 30, 0)
    assert len(rules["age"].edges) == 7
    assert sum(rules["age"].counts) == ROWS
    assert rules["income"].counts[-1] == ROWS / 10
    assert rules["city"].counts == rules["city"].edges == ()
    (tmp_path / "schema.json").write_bytes(to_json(found))
    assert read(tmp_path / "schema.json") == found


def test_a_schema_written_before_counts_were_kept_is_read(train: Path, tmp_path: Path) -> None:
    document = json.loads(to_json(infer(read_table(train))))
    for rule in document["rules"]:
        del rule["edges"], rule["counts"]
    (tmp_path / "schema.json").write_text(json.dumps(document))
    assert all(rule.counts == rule.edges == () for rule in read(tmp_path / "schema.json").rules)


@pytest.mark.parametrize(
    "change",
    [{"counts": [1]}, {"counts": [1, -1, 0]}, {"counts": ["1"] * 9}, {"edges": [2, 1]}, {"edges": ["a"]}, {"edges": 3}],
    ids=str,
)
def test_counts_that_fit_no_bins_are_no_schema(train: Path, tmp_path: Path, change: dict[str, object]) -> None:
    document = json.loads(to_json(infer(read_table(train))))
    document["rules"][1] |= change
    (tmp_path / "schema.json").write_text(json.dumps(document))
    with pytest.raises(Unreadable, match="no schema"):
        read(tmp_path / "schema.json")

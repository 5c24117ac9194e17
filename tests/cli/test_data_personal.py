"""`redan data personal`, `anonymise`, `pseudonymise`, `reveal`, `anonymity` and `minimise` as a user meets them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.conftest import Cli

PEOPLE = (
    "name,ssn,age,notes,city\n"
    'Ann Lee,536-22-8726,34,"call me at (415) 555-0132, now",Bern\n'
    "Bob Ray,219-09-1234,41,mail bob@ray.org please,Basel\n"
    "Cy Poe,457-55-5462,29,,Bern\n"
    "Ann Lee,536-22-8726,35,nothing,Chur\n"
)
SECRETS = ("536-22-8726", "(415) 555-0132", "bob@ray.org", "219-09-1234")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_each_kind_and_column_is_a_finding_and_nothing_is_shown_in_clear(cli: Cli, people: Path) -> None:
    ended = cli("data", "personal", people.name, "-f", "json")
    assert ended.code == 1
    found = {each["locations"][0]["address"]: each for each in json.loads(ended.out)["findings"]}
    assert set(found) == {"column name: name", "column ssn: us-ssn", "column notes: phone", "column notes: email"}
    ssn = found["column ssn: us-ssn"]
    assert (ssn["severity"], ssn["confidence"]) == ("high", "confirmed")
    assert (ssn["quantities"][0]["value"], ssn["quantities"][0]["n"]) == (1.0, 4)
    assert all(secret not in ended.out + ended.err for secret in SECRETS)


def test_names_are_said_not_to_be_looked_for_and_need_an_installed_pipeline(cli: Cli, people: Path) -> None:
    assert "names: not looked for" in cli("data", "personal", people.name, "--gate", "critical").out.replace(
        "\n    ", " "
    )
    assert cli("data", "personal", people.name, "--names", "no_such_pipeline").code in (2, 3)


def test_json_lines_texts_and_pictures_are_read(cli: Cli, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"id": 1, "text": "IBAN DE89 3704 0044 0532 0130 00"}\n{"id": 2, "more": "x"}\n')
    (folder / "b.txt").write_text("card 4539 1488 0343 6467\n")
    exif = Image.Exif()
    exif[0x013B] = "Jane Roe"
    exif.get_ifd(0x8825).update({1: "N", 2: (46.0, 57.0, 3.0), 3: "E", 4: (7.0, 26.0, 0.0)})
    Image.new("RGB", (4, 4)).save(folder / "c.jpg", exif=exif)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (folder / "weights.bin").write_bytes(b"\0" * 10)
    ended = cli("data", "personal", "data", "-f", "json")
    report = json.loads(ended.out)
    assert {each["locations"][0]["address"] for each in report["findings"]} == {
        "column text: iban",
        "column text: card",
        "tag artist",
        "tag gps",
    }
    assert "Jane Roe" not in ended.out
    assert ended.code == 1


def test_what_is_replaced_under_a_key_comes_back_exactly(cli: Cli, people: Path, tmp_path: Path) -> None:
    columns = ("-c", "name", "-c", "ssn=digits", "-c", "city=one-way", "--key", "file:people.key")
    made = cli("data", "pseudonymise", people.name, *columns, "-o", "safe.csv")
    assert made.code == 0
    assert "made a new key" in made.err
    safe, clear = rows(tmp_path / "safe.csv"), rows(people)
    assert [each["age"] for each in safe] == [each["age"] for each in clear]
    assert safe[0]["name"] == safe[3]["name"] != safe[1]["name"]
    assert safe[0]["ssn"] == safe[3]["ssn"] != clear[0]["ssn"]
    assert [sign for sign in safe[0]["ssn"] if not sign.isdigit()] == ["-", "-"]
    assert "Ann Lee" not in (tmp_path / "safe.csv").read_text()
    back = cli(
        "data", "reveal", "safe.csv", "-c", "name", "-c", "ssn=digits", "--key", "file:people.key", "-o", "back.csv"
    )
    assert back.code == 0
    for found, true in zip(rows(tmp_path / "back.csv"), clear, strict=True):
        assert {**found, "city": ""} == {**true, "city": ""}
    one_way = cli("data", "reveal", "safe.csv", "-c", "city=one-way", "--key", "file:people.key", "-o", "x.csv")
    assert one_way.code == 2


def test_another_key_reveals_nothing(cli: Cli, people: Path, tmp_path: Path) -> None:
    cli("data", "pseudonymise", people.name, "-c", "name", "--key", "file:one.key", "-o", "one.csv")
    cli("data", "pseudonymise", people.name, "-c", "name", "--key", "file:two.key", "-o", "two.csv")
    refused = cli("data", "reveal", "one.csv", "-c", "name", "--key", "file:two.key", "-o", "x.csv")
    assert refused.code != 0
    assert "row 1" in refused.err
    assert not (tmp_path / "x.csv").exists()
    missing = cli("data", "reveal", "one.csv", "-c", "name", "--key", "file:none.key", "-o", "x.csv")
    assert missing.code != 0


def test_a_value_too_short_for_its_way_is_named_by_row_and_not_shown(cli: Cli, people: Path) -> None:
    refused = cli("data", "pseudonymise", people.name, "-c", "age=digits", "--key", "file:k", "-o", "x.csv")
    assert refused.code == 2
    assert "column 'age', row 1" in refused.err
    assert "34" not in refused.err


@pytest.mark.parametrize("words", [("-c", "nme"), ("-c", "name=rot13"), ("-c", "name", "--as", "name")])
def test_a_wrong_column_way_or_join_is_refused(cli: Cli, people: Path, words: tuple[str, ...]) -> None:
    assert cli("data", "pseudonymise", people.name, *words, "--key", "file:k", "-o", "x.csv").code == 2


def test_columns_of_two_tables_join_under_one_name(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("customer\nAnn\n")
    (tmp_path / "b.csv").write_text("patient\nAnn\n")
    key = ("--key", "file:k")
    cli("data", "pseudonymise", "a.csv", "-c", "customer", "--as", "customer=person", *key, "-o", "a2.csv")
    cli("data", "pseudonymise", "b.csv", "-c", "patient", "--as", "patient=person", *key, "-o", "b2.csv")
    cli("data", "pseudonymise", "b.csv", "-c", "patient", *key, "-o", "b3.csv")
    first = rows(tmp_path / "a2.csv")[0]["customer"]
    assert first == rows(tmp_path / "b2.csv")[0]["patient"] != rows(tmp_path / "b3.csv")[0]["patient"]


def test_columns_are_dropped_masked_generalised_and_scrubbed(cli: Cli, people: Path, tmp_path: Path) -> None:
    steps = ("--drop", "name", "--mask", "ssn", "--generalise", "age", "--bins", "2", "--scrub", "notes")
    assert cli("data", "anonymise", people.name, *steps, "-o", "less.csv").code == 0
    found = rows(tmp_path / "less.csv")
    assert list(found[0]) == ["ssn", "age", "notes", "city"]
    assert [each["age"] for each in found] == ["34..41", "34..41", "29", "34..41"]
    assert found[0]["notes"] == "call me at [phone], now"
    assert found[1]["notes"] == "mail [email] please"
    assert all(secret not in (tmp_path / "less.csv").read_text() for secret in SECRETS)
    assert cli("data", "anonymise", people.name, "-o", "x.csv").code == 2
    assert cli("data", "anonymise", people.name, "--drop", "age", "--mask", "age", "-o", "x.csv").code == 2


def test_parquet_keeps_the_types_of_what_is_not_changed(cli: Cli, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"ssn": ["536-22-8726"], "age": [34], "when": [1.5]}), tmp_path / "a.parquet")
    assert cli("data", "pseudonymise", "a.parquet", "-c", "ssn", "--key", "file:k", "-o", "b.parquet").code == 0
    found = parquet.read_table(tmp_path / "b.parquet")
    assert [str(field.type) for field in found.schema] == ["string", "int64", "double"]
    assert found.column("ssn").to_pylist()[0].startswith("p_")


def anonymous(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    lines = ["age,sex,disease,rich"]
    for _ in range(400):
        age = int(draws.integers(18, 80))
        lines.append(f"{age},{'mf'[draws.integers(2)]},{('flu', 'cold', 'hiv')[draws.integers(3)]},{int(age > 50)}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")


def test_a_table_is_measured_and_written_with_k_reached(cli: Cli, tmp_path: Path) -> None:
    anonymous(tmp_path)
    words = ("--quasi", "age,sex", "--sensitive", "disease", "--k", "5")
    before = cli("data", "anonymity", "table.csv", *words, "--label", "rich", "--write", "less.csv", "-f", "json")
    assert before.code == 1
    quantities = {each["name"]: each["value"] for each in json.loads(before.out)["findings"][0]["quantities"]}
    assert quantities["k"] < 5
    assert quantities["rows_below_k"] > 0.2
    assert 0 < quantities["t_disease"] <= 1
    assert quantities["accuracy_before"] - quantities["accuracy_after"] < 0.2
    after = cli("data", "anonymity", "less.csv", *words, "-f", "json")
    assert after.code == 0
    quantities = {each["name"]: each["value"] for each in json.loads(after.out)["findings"][0]["quantities"]}
    assert quantities["k"] >= 5
    assert quantities["rows_below_k"] == 0
    assert len(rows(tmp_path / "less.csv")) >= 380


def test_a_column_that_the_table_lacks_is_named(cli: Cli, tmp_path: Path) -> None:
    anonymous(tmp_path)
    ended = cli("data", "anonymity", "table.csv", "--quasi", "agee")
    assert ended.code != 0
    assert "age" in ended.out + ended.err


def test_columns_that_a_model_does_not_need_are_told(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import numpy as np\n"
        "from sklearn.tree import DecisionTreeClassifier\n"
        "def net():\n"
        "    x = np.random.default_rng(0).normal(size=(500, 4))\n"
        "    return DecisionTreeClassifier(max_depth=1).fit(x, (x[:, 0] > 0).astype(int))\n"
    )
    draws = np.random.default_rng(1)
    lines = ["a,b,c,d,y", *(",".join(f"{v:.4f}" for v in x) + f",{int(x[0] > 0)}" for x in draws.normal(size=(200, 4)))]
    (tmp_path / "test.csv").write_text("\n".join(lines) + "\n")
    ended = cli("data", "minimise", "model.py:net", "test.csv", "--label", "y", "-f", "json")
    (found,) = json.loads(ended.out)["findings"]
    quantities = {each["name"]: each for each in found["quantities"]}
    assert quantities["spare_column_share"]["value"] == 0.75
    assert quantities["accuracy_lost"]["value"] < 0.1
    assert [row[1] for row in found["tables"][0]["rows"]][1:] == ["not needed"] * 3


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "a,a\n1,2\n"),
        ("b.csv", "a,b\n1\n"),
        ("c.jsonl", "[1]\n"),
        ("d.jsonl", "[" * 100_000),
        ("e.csv", ""),
        ("f.bin", ""),
    ],
)
def test_a_broken_table_is_refused(cli: Cli, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    ended = cli("data", "anonymise", name, "--drop", "a", "-o", "x" + name)
    assert ended.code in (2, 3)
    assert "bug" not in ended.err

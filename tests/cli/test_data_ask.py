"""`redan data allow` and `redan data ask` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Cli

LEDGER = ("--ledger", "privacy.ledger")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """400 people of two rows each; one cell of the ages is no number."""
    lines = [f"p{i // 2},{20 + i % 60},{('Bern', 'Basel')[i % 2]}" for i in range(800)]
    lines[5] = "p2,unknown,Bern"
    path = tmp_path / "people.csv"
    path.write_text("\n".join(["who,age,city", *lines]) + "\n")
    return path


def test_questions_are_answered_until_the_budget_is_spent(cli: Cli, people: Path) -> None:
    opened = cli("data", "allow", "people.csv", "--epsilon", 2, "--client-epsilon", 0.9, *LEDGER)
    assert (opened.code, opened.out) == (0, "")
    asked = ("data", "ask", "people.csv", "--mean", "age", "--bounds", "0,120", "--epsilon", 0.8, *LEDGER)

    first = cli(*asked)
    assert first.code == 0
    assert first.out.startswith("mean of age  ")
    second = cli(*asked)
    assert (second.code, second.out) == (1, "")
    assert "has ε = 0.1 left of 0.9, and this answer would cost 0.8" in second.err
    spent = json.loads(cli("data", "ask", "--spent", *LEDGER, "-f", "json").out)["accounts"]
    assert [(a["spent"]["epsilon"], a["n_answers"], a["n_lost"]) for a in spent] == [(0.8, 1, 0)]


def test_a_budget_for_a_served_model_is_opened_where_the_gateway_looks_for_it(cli: Cli, tmp_path: Path) -> None:
    ledger = ("--ledger", ".redan/privacy.ledger")
    opened = cli("data", "allow", "model:credit", "--epsilon", 5000, "--client-epsilon", 500, *ledger)
    assert opened.code == 0, opened.err
    assert "ε = 5000 in all, ε = 500 a client" in opened.err
    (account,) = json.loads(cli("data", "ask", "--spent", *ledger, "-f", "json").out)["accounts"]
    assert account["account"] == "model:credit"


def test_a_refused_question_never_opens_the_data(cli: Cli, tmp_path: Path) -> None:
    cli("data", "allow", "people", "--epsilon", 0.1, *LEDGER)
    (tmp_path / "people.csv").mkdir()  # reading it would fail with another exit code

    ended = cli("data", "ask", "people.csv", "--name", "people", "--count", "--epsilon", 1, *LEDGER)
    assert ended.code == 1
    assert "it was not read" in ended.err


def test_a_wrong_name_costs_nothing(cli: Cli, people: Path) -> None:
    cli("data", "allow", "people", "--epsilon", 1, *LEDGER)

    ended = cli(
        "data", "ask", people, "--name", "people", "--sum", "agee", "--bounds", "0,1", "--epsilon", 0.5, *LEDGER
    )
    assert ended.code == 2
    assert "did you mean 'age'" in ended.err
    assert "spent ε = 0 of ε = 1 by 0 answers" in cli("data", "ask", "--spent", *LEDGER).out


def test_a_question_that_fails_after_payment_stays_paid(cli: Cli, tmp_path: Path) -> None:
    cli("data", "allow", "people", "--epsilon", 1, *LEDGER)
    (tmp_path / "people.csv").write_text("who,age\na,1\nb,2,3\n")

    ended = cli(
        "data", "ask", "people.csv", "--name", "people", "--sum", "age", "--bounds", "0,1", "--epsilon", 0.5, *LEDGER
    )
    assert ended.code == 3
    assert "ε = 0.5 of ε = 1 by 0 answers, 1 paid for and never answered" in cli("data", "ask", "--spent", *LEDGER).out


def test_parquet_and_tabs_are_answered_too(cli: Cli, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"age": [30, None, 50], "city": ["Bern", "Basel", "Bern"], "code": [1, 1, 2]})
    parquet.write_table(table, tmp_path / "people.parquet")
    (tmp_path / "people.tsv").write_text("age\tcity\n30\tBern\n\tBasel\n50\tBern\n")
    cli("data", "allow", "people", "--epsilon", 1000, *LEDGER)

    def asked(*words: object) -> list[float]:
        ended = cli("data", "ask", *words, "--name", "people", "--epsilon", 50, *LEDGER, "-f", "json")
        return [each["value"] for each in json.loads(ended.out)["values"]]

    for name in ("people.parquet", "people.tsv"):
        assert asked(name, "--mean", "age", "--bounds", "0,100") == pytest.approx([40], abs=10)
        assert asked(name, "--histogram", "city", "--categories", "Bern,Basel") == pytest.approx([2, 1, 0], abs=1.5)
    assert asked("people.parquet", "--histogram", "code", "--categories", "1,2") == pytest.approx([2, 1, 0], abs=1.5)


def test_rows_of_one_person_are_bounded_by_a_column(cli: Cli, people: Path) -> None:
    cli("data", "allow", "people", "--epsilon", 1000, *LEDGER)

    def count(*words: object) -> float:
        ended = cli(
            "data", "ask", people, "--name", "people", "--count", "--epsilon", 50, *LEDGER, "-f", "json", *words
        )
        found = json.loads(ended.out)["values"][0]["value"]
        assert isinstance(found, float)
        return found

    assert count() == pytest.approx(800, abs=2)
    assert count("--people", "who") == pytest.approx(400, abs=2)
    assert count("--people", "who", "--rows-per-person", 2) == pytest.approx(800, abs=2)


def test_histogram_and_quantile_are_told_with_their_errors(cli: Cli, people: Path) -> None:
    cli("data", "allow", people, "--epsilon", 100, *LEDGER)

    bars = cli("data", "ask", people, "--histogram", "city", "--categories", "Bern,Basel", "--epsilon", 9, *LEDGER).out
    assert [line.split()[0] for line in bars.splitlines()] == ["Bern", "Basel", "other", "ε"]
    median = cli("data", "ask", people, "--quantile", "age:0.5", "--bounds", "0,120", "--epsilon", 9, *LEDGER).out
    assert "its rank is off by at most" in median


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--count"], "an answer has a price"),
        (["--epsilon", "1"], "one question at a time"),
        (["--count", "--sum", "age", "--epsilon", "1"], "one question at a time"),
        (["--sum", "age", "--epsilon", "1"], "needs public bounds"),
        (["--quantile", "age", "--epsilon", "1"], "names no share"),
        (["--sum", "age", "--bounds", "0;1", "--epsilon", "1"], "where a number belongs"),
        (["--histogram", "age", "--epsilon", "1"], "public categories"),
    ],
)
def test_questions_that_cannot_be_answered_are_explained(cli: Cli, people: Path, words: list[str], said: str) -> None:
    cli("data", "allow", "people", "--epsilon", 1, *LEDGER)

    ended = cli("data", "ask", people, "--name", "people", *words, *LEDGER)
    assert ended.code == 2
    assert said in ended.err
    assert "spent ε = 0 of" in cli("data", "ask", "--spent", *LEDGER).out


def test_without_an_account_nothing_is_answered(cli: Cli, people: Path) -> None:
    ended = cli("data", "ask", people, "--count", "--epsilon", 1, *LEDGER)

    assert ended.code == 3
    assert "redan data allow" in ended.err

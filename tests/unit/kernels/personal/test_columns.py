"""Columns are told by what their cells are and by what their heads say."""

from __future__ import annotations

import pytest

from redan.kernels.personal.columns import kind_of_head, told
from redan.kernels.personal.recognise import Recogniser


def of(head: str, cells: list[object]) -> list[tuple[str, int, int]]:
    return [(each.kind, each.rows, each.looked) for each in told(head, cells, Recogniser())]


def test_the_head_makes_plain_numbers_identifiers() -> None:
    numbers: list[object] = [536228726, 219091234, None, 457555462]
    assert of("ssn", numbers) == [("us-ssn", 3, 3)]
    assert of("amount", numbers) == []


def test_equal_cells_are_counted_each() -> None:
    assert of("contact", ["a.b@c.org", "a.b@c.org", "none"]) == [("email", 2, 3)]


def test_a_head_alone_is_told_with_no_rows_and_an_empty_column_is_not() -> None:
    assert of("Last Name", ["Lee"]) == [("name", 0, 1)]
    assert of("last_name", []) == []
    assert of("last_name", [None, ""]) == []


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        ("first_name", "name"),
        ("E-Mail", "email"),
        ("date_of_birth", "birth"),
        ("street address", "address"),
        ("diagnosis", "health"),
        ("ethnicity", "origin"),
        ("filename", ""),
        ("model_name", ""),
        ("latency", ""),
        ("race_time", ""),
    ],
)
def test_heads_are_read_as_whole_words(head: str, kind: str) -> None:
    assert kind_of_head(head) == kind


def test_examples_are_masked_and_few() -> None:
    cells: list[object] = [f"user{i}@mail{i}.org" for i in range(10)]
    (found,) = told("contact", cells, Recogniser())
    assert found.rows == 10
    assert 1 <= len(found.examples) <= 3
    assert not any("mail" in each for each in found.examples)


def test_names_come_from_what_was_given() -> None:
    found = told("note", ["met Ann today"], Recogniser(), names=lambda text: ["Ann"] if "Ann" in text else [])
    assert [(each.kind, each.rows) for each in found] == [("name", 1)]

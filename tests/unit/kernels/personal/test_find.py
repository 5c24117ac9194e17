"""Personal data are told by checksum, range, neighbour or the head of their column."""

from __future__ import annotations

import time

import pytest

from redan.kernels.personal import find, told_of


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("write to jane.doe@hospital.org", ["email"]),
        ("call +49 151 2345 6789", ["phone"]),
        ("IBAN DE89 3704 0044 0532 0130 00", ["iban"]),
        ("paid with 4539 1488 0343 6467", ["card"]),
        ("card: 4539148803436467", ["card"]),
        ("ssn 536-22-8726", ["us-ssn"]),
        ("national insurance AB 12 34 56 C", ["uk-nino"]),
        ("client_ip=81.2.69.142", ["ip"]),
        ("lat, lon: 52.5200, 13.4050", ["position"]),
        ("born 1980-02-03", ["birth"]),
        ("L898902C36UTO7408122F1204159ZE184226B<<<<<10", ["mrz"]),
    ],
)
def test_each_kind_is_found(text: str, kinds: list[str]) -> None:
    assert [each.kind for each in find(text)] == kinds


@pytest.mark.parametrize(
    "text",
    [
        "IBAN DE89 3704 0044 0532 0130 01",
        "paid with 4539 1488 0343 6468",
        "test card 4111 1111 1111 1111",
        "4539148803436467",
        "loss 0.4539148803436467",
        "ssn 000-22-8726, 123-45-6789",
        "mail user@example.com, noreply@corp.com, git@github.com, a@b.png",
        "version 10.2.3.4 of 2024-01-02",
        "client_ip=192.168.0.7",
        "L898902C37UTO7408122F1204159ZE184226B<<<<<10",
        "tensor([52.5200, 13.4050])",
        "epoch 100-200-3000: 555-123-4567890",
    ],
)
def test_what_only_looks_like_it_is_none(text: str) -> None:
    assert find(text) == []


@pytest.mark.parametrize(
    ("text", "media_type"),
    [
        ("name,age,email\nJane Roe,44,jr@clinic.de\n", "text/csv"),
        ("| name | email |\n|---|---|\n| Jane Roe | jr@clinic.de |\n", "text/plain"),
        (
            "<table><tr><th></th><th>name</th><th>email</th></tr>"
            "<tr><td>0</td><td>Jane Roe</td><td>jr@clinic.de</td></tr></table>",
            "text/html",
        ),
    ],
)
def test_a_column_of_names_counts_beside_one_about_them(text: str, media_type: str) -> None:
    assert sorted((each.kind, each.value) for each in find(text, media_type=media_type)) == [
        ("email", "jr@clinic.de"),
        ("record", "Jane Roe"),
    ]


def test_a_column_of_names_alone_is_nobodys() -> None:
    assert find("name,score\nresnet,0.5\nvit,0.7\n", media_type="text/csv") == []


def test_code_and_prose_are_not_told_of() -> None:
    told = [
        name for name in ("a.csv", "log.txt", "a.py", "README.txt", "package.json", "a.md", "d.jsonl") if told_of(name)
    ]
    assert told == ["a.csv", "log.txt", "d.jsonl"]


@pytest.mark.parametrize(
    "unit", ["a@", "a.", "1-", "+1 ", "DE89 ", "a@a.a.", "1.2345, ", "name dob\n", "1234 ", "name,"]
)
def test_time_grows_with_the_text_and_not_faster(unit: str) -> None:
    def cpu_s(length: int) -> float:
        text = unit * (length // len(unit))
        before = time.process_time()
        find(text)
        return time.process_time() - before

    find(unit)
    assert cpu_s(200_000) < 25 * max(cpu_s(20_000), 0.004)

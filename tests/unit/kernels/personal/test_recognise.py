"""Identifiers are told by format, check digits and words beside them, each with how sure it is."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from redan.kernels.personal.formats.registry import FORMATS, PERSONS, titles
from redan.kernels.personal.recognise import Recogniser

EVERYTHING = Recogniser([*titles()])


def told(text: str, *, kinds: list[str] | None = None, least: str = "likely") -> list[tuple[str, str, str]]:
    """Kind, value and strength of everything in a text."""
    found = Recogniser(kinds, least=least).find(text)  # type: ignore[arg-type] # strengths are words in the tables below
    return [(each.kind, text[each.start : each.end], each.strength) for each in found]


@pytest.mark.parametrize(
    ("text", "kind", "value", "strength"),
    [
        ("mail jane.doe@hospital.org.", "email", "jane.doe@hospital.org", "likely"),
        ("call +49 151 2345 6789 now", "phone", "+49 151 2345 6789", "likely"),
        ("his fax: 467 3395", "phone", "467 3395", "likely"),
        ("IBAN DE89 3704 0044 0532 0130 00 and more", "iban", "DE89 3704 0044 0532 0130 00", "sure"),
        ("4539 1488 0343 6467", "card", "4539 1488 0343 6467", "sure"),
        ("16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "crypto", "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "sure"),
        ("ssn 536-22-8726", "us-ssn", "536-22-8726", "sure"),
        ("my SSN: 536228726", "us-ssn", "536228726", "sure"),
        ("ITIN 912-70-1234", "us-itin", "912-70-1234", "likely"),
        ("NHS 943 476 5919", "uk-nhs", "943 476 5919", "sure"),
        ("NI AB 12 34 56 C", "uk-nino", "AB 12 34 56 C", "sure"),
        ("Steuer-ID 86095742719", "de-tax-id", "86095742719", "sure"),
        ("NIR 2 55 08 14 168 025 38", "fr-nir", "2 55 08 14 168 025 38", "sure"),
        ("DNI 12345678Z", "es-nif", "12345678Z", "sure"),
        ("codice fiscale RSSMRA85T10A562S", "it-fiscal-code", "RSSMRA85T10A562S", "sure"),
        ("PESEL 44051401359", "pl-pesel", "44051401359", "sure"),
        ("hetu 131052-308T", "fi-hetu", "131052-308T", "sure"),
        ("Aadhaar 2341 2341 2346", "in-aadhaar", "2341 2341 2346", "sure"),
        ("PAN ABCPE1234F", "in-pan", "ABCPE1234F", "likely"),
        ("TFN 123 456 782", "au-tfn", "123 456 782", "sure"),
        ("CPF 529.982.247-25", "br-cpf", "529.982.247-25", "sure"),
        ("NRIC S1234567D", "sg-nric", "S1234567D", "likely"),
        ("BSN 111222333", "nl-bsn", "111222333", "sure"),
        ("born 1980-02-03", "birth", "1980-02-03", "likely"),
        ("from 2001:db8:85a3::8a2e:370:7334", "ip", "2001:db8:85a3::8a2e:370:7334", "likely"),
        ("card 00:1A:2B:3C:4D:5E", "mac", "00:1A:2B:3C:4D:5E", "likely"),
        ("DEA AB1234563", "us-dea", "AB1234563", "sure"),
    ],
)  # fmt: skip
def test_a_value_is_found_whole_and_graded(text: str, kind: str, value: str, strength: str) -> None:
    assert told(text) == [(kind, value, strength)]


@pytest.mark.parametrize(
    "text",
    [
        "IBAN DE89 3704 0044 0532 0130 01",
        "4539 1488 0343 6468",
        "order 123456789 of 2024, 12 pieces at 3.50",
        "version 1.2.3, tensor 0.4539148803436467",
        "section 4.1.2 of 1999-2001",
        "b3f9c2d1e8a74f60 is a digest",
        "it took 12 minutes and 1,000,000 steps",
        "wallet 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ2",
        "ssn 000-22-8726",
        "hello@ world, @handle, a@b",
        "",
    ],
)
def test_what_only_looks_like_it_is_none(text: str) -> None:
    assert told(text) == []


def test_a_weak_value_is_told_only_when_asked_for_or_beside_its_word() -> None:
    assert told("912803456", kinds=["us-passport"]) == []
    assert told("912803456", kinds=["us-passport"], least="weak") == [("us-passport", "912803456", "weak")]
    assert told("passport 912803456", kinds=["us-passport"]) == [("us-passport", "912803456", "likely")]


def test_the_head_of_a_column_counts_as_a_word_beside_each_value() -> None:
    found = Recogniser(["us-ssn"]).find("536228726", head="ssn")
    assert [(each.kind, each.strength) for each in found] == [("us-ssn", "sure")]


def test_findings_stand_in_order_and_never_overlap() -> None:
    text = "ssn 536-22-8726 mail a.b@c.org tel (415) 555-0132 IBAN GB29NWBK60161331926819 4539148803436467 " * 20
    found = EVERYTHING.find(text)
    assert len(found) == 100
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_pages_and_firms_tell_of_no_person() -> None:
    assert {"url", "date", "au-abn", "de-vat"}.isdisjoint(PERSONS)
    assert told("see https://example.org/a?b=1, or www.web.de", kinds=["url"]) == [
        ("url", "https://example.org/a?b=1", "likely"),
        ("url", "www.web.de", "likely"),
    ]


def test_every_kind_has_one_title() -> None:
    assert {each.kind for each in FORMATS} < {*titles()}
    assert all(titles().values())


@pytest.mark.parametrize(
    "unit", ["1", "a@", "a.", "1-", "+1 ", "DE89 ", "a@a.a.", "1.1.1.", "AB 12 ", ":", "a1", "((1", "0:"]
)
def test_time_grows_with_the_text_and_not_faster(unit: str) -> None:
    def cpu_s(length: int) -> float:
        text = unit * (length // len(unit))
        before = time.process_time()
        EVERYTHING.find(text)
        return time.process_time() - before

    cpu_s(2000)
    assert cpu_s(40_000) < 30 * max(cpu_s(4_000), 0.004)

"""Dates, and dates of birth where a word says so."""

from __future__ import annotations

from redan.kernels.personal.formats.format import Format

_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_DAY, _NUMBER, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:\d{4}|\d{2})"
_FULL = (
    rf"\d{{4}}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d{{1,9}})?)?(?:Z|[+-][0-2]\d:[0-5]\d)"
    rf"|\d{{4}}([-/.]){_NUMBER}\1{_DAY}|{_DAY}([/.])(?:{_NUMBER})\2{_YEAR}|{_NUMBER}/{_DAY}/{_YEAR}"
    rf"|{_DAY}-{_NUMBER}-\d{{4}}|{_NUMBER}-{_DAY}-\d{{4}}|{_DAY}-{_MONTH}-{_YEAR}"
)
_PART = rf"{_MONTH}-{_YEAR}|{_DAY}-{_MONTH}|{_NUMBER}/{_YEAR}"

FORMATS = (
    Format(
        kind="birth", title="date of birth", heads="9{1,2}[-/.][9A]|9{4}[-/.]9", form=_FULL,
        words="dob born birth birthday birthdate geboren",
    ),
    Format(
        kind="date", title="date", heads="9{1,2}[-/.][9A]|9{4}[-/.]9|9{2}|9{4}", joins="-",
        form=f"{_FULL}|{_PART}", lead=4, formed=_FULL,
        is_person=False,
    ),
)  # fmt: skip

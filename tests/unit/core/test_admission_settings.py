"""The table [admission]: what it may say, and sentences for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from redan.core.config import load
from redan.core.errors import ConfigError
from redan.core.finding import Severity
from redan.core.settings import Admission, age_s


def admission(folder: Path, text: str) -> Admission:
    file = folder / "redan.toml"
    file.write_text(text, encoding="utf-8")
    return load(file=file, root=folder, environ={}).settings.admission


def test_requirements_are_tables_in_order(tmp_path: Path) -> None:
    found = admission(
        tmp_path,
        """
        [admission]
        keys = ["ml.pub"]
        max_age = "30d"
        [[admission.require]]
        statement = "robustness"
        claim = "robust_accuracy"
        at_least = 0.4
        params = {norm = "linf", eps = 0.1}
        max_age = "12h"
        [[admission.require]]
        statement = "approval"
        signers = 2
        not_sealer = true
        gate = "medium"
        """,
    )
    first, second = found.require
    assert (first.at_least, first.at_most, first.params) == (0.4, None, {"norm": "linf", "eps": 0.1})
    assert (second.signers, second.not_sealer, second.gate) == (2, True, Severity.MEDIUM)
    assert (age_s(found.max_age), age_s(first.max_age), age_s(second.max_age)) == (30 * 86400, 43200, None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('claim = "robust_accuracy"', "claim without a bound"),
        ("at_least = 0.4", "bound without a claim"),
        ('claim = "a"\nat_least = nan', "no finite number"),
        ('rule = "RDN-EVA-001"', "no claim to look for"),
        ("signers = 0", "below 1"),
        ('max_age = "a month"', "is no age"),
        ('max_age = "٣d"', "is no age"),
        ('use = "hope"', "expected one of"),
        ("atleast = 0.4", "unknown key"),
    ],
)
def test_a_requirement_that_could_not_hold_is_refused_when_it_is_read(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        admission(tmp_path, f'[[admission.require]]\nstatement = "robustness"\n{line}\n')


@pytest.mark.parametrize("name", ["", "Scan", "https://example.org/x"])
def test_a_statement_is_named_by_its_kind(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="names no statement"):
        admission(tmp_path, f'[[admission.require]]\nstatement = "{name}"\n')

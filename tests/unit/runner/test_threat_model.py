"""Which threats apply, from what redan.toml says about exposure; what is not tested is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from redan.core.config import Config, load
from redan.runner.threat_model import ThreatLine, ThreatModel, render, threat_model


def configured(folder: Path, text: str = "", environ: dict[str, str] | None = None) -> Config:
    """A project of that redan.toml."""
    file = folder / "redan.toml"
    file.write_text(text)
    return load(file=file, root=folder, environ=environ or {})


def lines(found: ThreatModel) -> dict[str, ThreatLine]:
    """Threat lines by threat."""
    return {line.threat: line for line in found.threats}


FILE = '[model]\ntarget = "net.onnx"\n'
ENDPOINT = '[model]\ntarget = "https://models.example/v1"\n'


@pytest.mark.parametrize(
    ("text", "applying"),
    [
        (FILE, {"supply_chain", "evasion", "theft"}),
        (ENDPOINT, {"evasion", "theft"}),
        (ENDPOINT + '[scan]\npaths = ["."]\n', {"supply_chain", "evasion", "theft"}),
        (FILE + '[exposure]\nqueries = "nobody"\n', {"supply_chain"}),
        (FILE + '[exposure]\nqueries = "internal"\n', {"supply_chain", "evasion"}),
        (FILE + '[exposure]\nqueries = "customers"\n', {"supply_chain", "evasion", "theft"}),
        (FILE + '[exposure]\nweights = "public"\n', {"supply_chain", "evasion"}),
        (FILE + "[exposure]\npersonal_data = true\n", {"supply_chain", "evasion", "theft", "privacy"}),
        (FILE + '[data]\nsensitive = ["age"]\n', {"supply_chain", "evasion", "theft", "privacy"}),
        (FILE + "[exposure]\noutside_data = true\n", {"supply_chain", "evasion", "theft", "poisoning"}),
        (FILE + "[exposure]\ndecides_about_people = true\n", {"supply_chain", "evasion", "theft", "bias", "opacity"}),
        (FILE + 'kind = "chat"\n', {"supply_chain", "evasion", "theft", "injection"}),
        (ENDPOINT + '[exposure]\nqueries = "nobody"\n', set()),
        (FILE + '[attack]\nthreats = ["privacy"]\n', {"supply_chain", "evasion", "theft", "privacy"}),
    ],
)
def test_which_threats_apply(tmp_path: Path, text: str, applying: set[str]) -> None:
    found = lines(threat_model(configured(tmp_path, text)))
    assert {threat for threat, line in found.items() if line.applies} == applying
    assert len(found) == 9
    assert all(line.why and line.question.endswith("?") for line in found.values())
    assert all(line.probes == () and line.tested == "does not apply" for line in found.values() if not line.applies)


@pytest.mark.parametrize(
    ("text", "threat", "tested"),
    [
        (FILE, "evasion", "NOT TESTED unless [data] test is given"),
        (FILE + '[data]\ntest = "digits"\n', "evasion", "will be tested"),
        (FILE, "supply_chain", "will be tested"),
        (FILE, "theft", "NOT TESTED unless [data] test is given"),
        (
            FILE.replace("[model]", '[model]\nkind = "chat"'),
            "injection",
            "NOT TESTED: this version has no probe for it",
        ),
        (FILE + '[attack]\nprobes = ["artifacts"]\n', "evasion", "NOT TESTED: no probe of it was chosen"),
    ],
)
def test_what_is_not_tested_is_said(tmp_path: Path, text: str, threat: str, tested: str) -> None:
    assert lines(threat_model(configured(tmp_path, text)))[threat].tested == tested


def test_what_a_probe_lacks_is_said_with_its_table(tmp_path: Path, register: Any, noise: type) -> None:
    register(noise, "noise", 1, data=("reference", "recipe"))
    tested = lines(threat_model(configured(tmp_path, FILE + '[attack]\nprobes = ["noise"]\n')))["evasion"].tested
    assert tested == "NOT TESTED unless [data] reference, [model] recipe is given"


def test_assets_with_what_is_known_about_them(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"abc")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"")
    config = configured(tmp_path, FILE + '[data]\ntest = "images"\ntrain = "digits"\n[scan]\npaths = ["gone"]\n')
    notes = {(asset.what, Path(asset.where).name): asset.note for asset in threat_model(config).assets}
    assert notes == {
        ("model", "net.onnx"): "3 bytes",
        ("test data", "images"): "folder with 1 files",
        ("training data", "digits"): "a built-in name",
        ("files to scan", "gone"): "NOT FOUND",
        ("files to scan", "net.onnx"): "3 bytes",
    }


def test_more_rows_take_longer_and_scanning_does_not(tmp_path: Path) -> None:
    text = FILE + '[attack]\nthreats = ["evasion"]\n[data]\ntest = "digits"\n'
    usual, many = (threat_model(configured(tmp_path, text + f"limit = {n}\n")).seconds for n in (1000, 10_000))
    assert many == 10 * usual
    scan = FILE + '[attack]\nprobes = ["artifacts"]\n[data]\n'
    few, more = (threat_model(configured(tmp_path, scan + f"limit = {n}\n")).seconds for n in (10, 10_000))
    assert few == more


def test_the_text_names_every_threat_and_the_reason(tmp_path: Path) -> None:
    found = threat_model(configured(tmp_path, '[project]\nname = "Fraud"\n' + FILE))
    text = render(found)
    assert text.startswith("Threat model of Fraud\n")
    assert text.endswith("redan check\n")
    words = " ".join(text.split())
    for line in found.threats:
        assert line.threat in text
        assert line.question in text
        assert line.why in words
        assert line.tested in words
    assert "NOT FOUND" in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_project_without_anything_is_told_where_to_begin(tmp_path: Path) -> None:
    assert "none named: redan init" in render(threat_model(configured(tmp_path)))

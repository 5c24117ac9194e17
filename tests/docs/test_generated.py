"""What documentation repeats from the code is what the code says today."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import jsonschema
import pytest

from redan.cli.verbs import VERBS
from redan.core import catalogue
from redan.core.codec import hints_of
from redan.core.config import load
from redan.core.policy import Ignore
from redan.core.report import SCHEMA, Report
from redan.core.schema import schema
from redan.core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@pytest.mark.parametrize("script", ["manifest.py", "gen_docs.py"])
def test_generated_files_are_up_to_date(script: str) -> None:
    words = [sys.executable, ROOT / "scripts" / script, "--check"]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_schema_is_that_of_the_records() -> None:
    committed = json.loads((DOCS / "schema" / "redan-1.json").read_text(encoding="utf-8"))
    assert committed == schema(Report, title=SCHEMA)


def test_a_real_report_fits_the_schema_and_a_changed_one_does_not(tmp_path: Path) -> None:
    from redan import scan

    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"weights": [0.1]}))
    document = json.loads(scan(tmp_path / "x.pkl").to_json())
    rules = jsonschema.Draft202012Validator(json.loads((DOCS / "schema" / "redan-1.json").read_text(encoding="utf-8")))
    assert list(rules.iter_errors(document)) == []
    document["gate"]["verdict"] = "clean"
    document["surprise"] = 1
    assert {error.json_path for error in rules.iter_errors(document)} == {"$", "$.gate.verdict"}


def test_every_rule_has_a_page_with_sections() -> None:
    found = [e for kind in ("probe", "rule", "mitigation", "monitor") for e in catalogue.entries(kind)]
    assert found
    for entry in found:
        page = (DOCS / "rules" / f"{entry.id}.md").read_text(encoding="utf-8")
        assert page.count("\n## ") >= (3 if entry.kind == "probe" else 1), entry.id


def test_every_setting_is_documented() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for table in fields(Settings):
        record = Ignore if table.name == "ignore" else hints_of(Settings)[table.name]
        heading = "[[ignore]]" if record is Ignore else f"[{table.name}]"
        _, _, section = page.partition(f"\n## `{heading}`\n")
        for item in fields(record):
            if is_dataclass(hints_of(record)[item.name]):
                assert f"\n## `[{table.name}.{item.name}]`\n" in page
                continue
            assert f"| `{item.name}` |" in section.partition("\n## ")[0], f"[{table.name}] {item.name}"


def test_every_verb_and_exit_code_is_documented() -> None:
    page = (DOCS / "verbs.md").read_text(encoding="utf-8")
    commands = (DOCS / "commands.md").read_text(encoding="utf-8")
    for verb in VERBS:
        assert f"`redan {verb}" in page, verb
        assert f"## `redan {verb}`" in commands, verb
    for code in (0, 1, 2, 3, 4, 130):
        assert f"\n| {code} |" in page, code


def test_every_writer_is_documented() -> None:
    page = (DOCS / "reports.md").read_text(encoding="utf-8")
    for entry in catalogue.entries("writer"):
        assert f"| `{entry.name}` | `{entry.suffix}` |" in page, entry.name


@pytest.mark.parametrize("file", sorted((ROOT / "examples").rglob("redan.toml")), ids=lambda file: file.parent.name)
def test_settings_of_examples_are_known(file: Path) -> None:
    assert load(file=file, root=file.parent, environ={}).settings.model.target

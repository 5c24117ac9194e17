"""What others script against: documents on stdout, files, formats, verbs and their words."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest
from tests.cli.conftest import Cli

from redan.cli.verbs import VERBS
from redan.core import catalogue


@pytest.fixture
def project(tmp_path: Path, net: Path, data: Callable[..., Path]) -> Path:
    """A project whose model is weak and whose folder holds nothing hostile."""
    (tmp_path / "redan.toml").write_text(
        f"""
[project]
name = "corner"
[model]
target = "net.py:three"
bounds = [0, 1]
[data]
test = "{data(3).name}"
[attack]
norm = "linf"
eps = 0.6
""",
        encoding="utf-8",
    )
    return tmp_path


def ignoring(project: Path, lines: str) -> None:
    file = project / "redan.toml"
    file.write_text(file.read_text() + "\n[[ignore]]\n" + lines + "\n", encoding="utf-8")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb(cli: Cli, verb: str) -> None:
    ended = cli(verb, "--help")
    assert ended.code == 0
    assert ended.out.startswith("Usage: redan " + verb)
    assert import_module(f"redan.cli.{verb.replace('-', '_')}").command.name == verb


def test_scan_writes_one_document(cli: Cli, tmp_path: Path, hostile: Path, benign: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "notes.md").write_text("# words", encoding="utf-8")
    ended = cli("scan", tmp_path, "--format", "json")
    document = json.loads(ended.out)
    verdicts = {a["path"]: a["verdict"] for a in document["artifacts"]}
    assert verdicts == {"hostile.pkl": "unsafe", "benign.pkl": "safe"}
    assert all(isinstance(a["reasons"], list) for a in document["artifacts"])
    assert [(e["path"], e["format"], e["by"]) for e in document["examined"]] == [("deep/notes.md", "md", ["secrets"])]
    assert document["unexamined"] == []
    assert document["schema"] == "redan/1"


def test_a_finding_names_its_byte(cli: Cli, hostile: Path) -> None:
    document = json.loads(cli("scan", hostile, "--format", "json").out)
    assert any("byte" in place["address"] for f in document["findings"] for place in f["locations"])


def test_output_file_and_stdout_hold_the_same(cli: Cli, project: Path) -> None:
    printed = json.loads(cli("check", "--format", "json").out)
    ended = cli("check", "-o", "out.json")
    written = json.loads((project / "out.json").read_text())
    assert ended.out == ""
    for document in (printed, written):
        document["run"] = document["run"]["seed"]
        for probe in document["probes"]:
            probe.update(cpu_s=0, wall_s=0)
    assert printed == written


def test_formats_of_a_kept_run(cli: Cli, project: Path) -> None:
    cli("check")
    assert json.loads(cli("report", "latest", "--format", "sarif").out)["version"] == "2.1.0"
    assert ET.fromstring(cli("report", "latest", "--format", "junit").out).tag in ("testsuites", "testsuite")
    assert cli("report", "latest", "--format", "html").out.lower().startswith("<!doctype html")
    assert "| " in cli("report", "latest", "--format", "markdown").out
    assert cli("report", "latest").out.startswith("FAIL")
    assert cli("report", "latest", "-o", "r.nonsense").code == 2


def test_diff_tells_worse_from_noise(cli: Cli, project: Path) -> None:
    cli("check", "--eps", 0.6, "-o", "weak.json")
    cli("check", "--eps", 0.6, "--limit", 12, "-o", "fewer.json")
    assert cli("diff", "weak.json", "fewer.json").code == 0
    # the same question asked of a model that lost its robustness
    net = project / "net.py"
    cli("check", "--eps", 0.2, "-o", "strong.json")
    net.write_text(net.read_text().replace("* 4", "* 0.0"), encoding="utf-8")
    cli("check", "--eps", 0.2, "-o", "lost.json")
    ended = cli("diff", "strong.json", "lost.json")
    assert ended.code == 1, ended.out
    assert cli("diff", "lost.json", "strong.json").code == 0


def test_baseline_lets_a_team_start(cli: Cli, project: Path) -> None:
    assert cli("check", "-o", "first.json").code == 1
    ended = cli("check", "--baseline", "first.json")
    assert ended.code == 0
    assert "baseline" in ended.out


def test_an_ignore_needs_reason_and_expiry_and_stays_visible(cli: Cli, project: Path) -> None:
    soon = (datetime.now(UTC).date() + timedelta(days=30)).isoformat()
    ignoring(project, f'rule = "RDN-EVA-001"\nreason = "accepted until the next release"\nexpires = "{soon}"')
    ended = cli("check")
    assert ended.code == 0
    assert "accepted until the next release" in ended.out


def test_an_expired_ignore_gates_again(cli: Cli, project: Path) -> None:
    ignoring(project, 'rule = "RDN-EVA-001"\nreason = "was fine once"\nexpires = "2020-01-01"')
    ended = cli("check")
    assert ended.code == 1
    assert "expired" in ended.out


@pytest.mark.parametrize("lines", ['rule = "RDN-EVA-001"\nexpires = "2099-01-01"', 'rule = "X"\nreason = "y"'])
def test_an_ignore_without_reason_or_expiry_is_refused(cli: Cli, project: Path, lines: str) -> None:
    ignoring(project, lines)
    assert cli("check").code == 2


def test_show_config_names_every_origin(cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDAN_GATE_LEVEL", "low")
    out = cli("check", "--show-config", "--seed", 5).out
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert "environment REDAN_GATE_LEVEL" in rows["gate.level"]
    assert "flag" in rows["run.seed"]
    assert "redan.toml" in rows["attack.eps"]
    assert "default" in rows["run.folder"]


def test_list_and_explain_know_the_whole_catalogue(cli: Cli) -> None:
    listed = json.loads(cli("list", "--format", "json").out)
    assert {e["id"] for e in listed} == {e.id for e in catalogue.entries()}
    for entry in catalogue.entries():
        if entry.kind != "writer":
            ended = cli("explain", entry.id)
            assert ended.code == 0
            assert entry.title in ended.out


def test_a_newcomer_comes_from_init_to_a_finding(cli: Cli, tmp_path: Path) -> None:
    assert cli("init", "--example", "--ci", "both").code == 0
    assert (tmp_path / ".github" / "workflows" / "redan.yml").is_file()
    assert cli("init").code == 2
    ended = cli("plan")
    assert ended.code == 0
    assert "does not apply" in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines() if str(tmp_path) not in line)
    ended = cli("check", "--quick")
    assert ended.code in (0, 1)
    assert "robust accuracy" in ended.out
    runs = list((tmp_path / ".redan" / "runs").glob("*/report.html"))
    assert len(runs) == 1


def test_a_refused_model_is_never_clean(cli: Cli, project: Path, hostile: Path) -> None:
    file = project / "redan.toml"
    file.write_text(file.read_text().replace("net.py:three", hostile.name), encoding="utf-8")
    ended = cli("check")
    assert ended.code == 1
    assert "not loaded" in ended.out
    assert "RDN-SUP-002" in ended.out


def test_doctor_works_anywhere(cli: Cli) -> None:
    ended = cli("doctor")
    assert ended.code == 0
    assert "torch" in ended.out

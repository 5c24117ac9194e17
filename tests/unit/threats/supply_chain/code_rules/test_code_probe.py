"""The probes of code on folders as people have them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from redan.core.policy import Ignore, Policy
from redan.core.report import Report
from redan.kernels.code import ruff
from redan.runner.plan import Choice
from redan.runner.scan import scan
from redan.threats.supply_chain.probes import code as code_probe


def judged(folder: Path, *probes: str, **settings) -> Report:
    return scan(folder, choice=Choice(threats=("supply_chain",), probes=probes or ("code",)), **settings)


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """A service that unpickles what it is sent, in another file."""
    (tmp_path / "serve.py").write_text(
        "from flask import Flask, request\nfrom util import restore\napp = Flask('x')\n"
        "@app.post('/p')\ndef p():\n    return restore(request.data)\n"
    )
    (tmp_path / "util.py").write_text("import pickle\ndef restore(blob):\n    return pickle.loads(blob)\n")
    return tmp_path


def test_a_request_is_followed_into_another_file_and_gates(service: Path) -> None:
    report = judged(service)
    (finding,) = report.findings
    assert finding.rule == "RDN-SUP-055"
    assert (finding.locations[0].uri, finding.locations[0].address) == ("util.py", "line 3")
    assert report.gate.exit_code == 1
    assert {e.path for e in report.examined} == {"serve.py", "util.py"}


def test_a_finding_that_is_ignored_stays_visible_and_a_comment_counts_nothing(service: Path) -> None:
    text = (service / "util.py").read_text()
    (service / "util.py").write_text(text.replace("(blob)\n", "(blob)  # noqa  # redan: ignore\n"))
    ignore = Ignore(rule="RDN-SUP-055", path="util.py", reason="behind a queue of our own", expires="2999-01-01")
    report = judged(service, policy=Policy(ignores=(ignore,), today=date(2026, 1, 1)))
    assert [f.status for f in report.findings] == ["suppressed"]
    assert report.gate.exit_code == 0
    assert [f.status for f in judged(service).findings] == ["open"]


def test_cells_have_addresses_and_a_broken_cell_hides_no_other(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": "torch.load(weights_only=False)"},
        {
            "cell_type": "code",
            "source": ["import torch\n", "!ls\n", "torch.load('x', weights_only=False)"],
            "outputs": [],
        },
        {"cell_type": "code", "source": "print 'old'", "outputs": []},
    ]
    (tmp_path / "n.ipynb").write_text(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}))
    report = judged(tmp_path)
    (finding,) = report.findings
    assert finding.locations[0].address == "cell 2, line 3"
    assert [u.path for u in report.unexamined] == ["n.ipynb, cell 3"]


def test_what_cannot_be_read_is_named_even_where_another_probe_read_it(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("print 'x'\n")
    (tmp_path / "binary.py").write_bytes(b"\0\1\2" * 99)
    report = judged(tmp_path, "code", "secrets")
    assert {u.path for u in report.unexamined} == {"old.py, as code", "binary.py, as code"}
    assert report.gate.exit_code in (0, 3)


def test_the_same_place_is_told_once_and_a_flood_is_counted(tmp_path: Path) -> None:
    (tmp_path / "many.py").write_text("import torch\n" + "torch.load('x', weights_only=False)\n" * 250)
    findings = judged(tmp_path).findings
    assert len(findings) == code_probe.MOST_PLACES + 1
    assert "149 more places" in findings[-1].title
    assert len({f.fingerprint for f in findings}) == len(findings)


def test_general_rules_speak_where_ours_do_not(tmp_path: Path) -> None:
    if ruff.program() is None:
        pytest.skip("ruff is not installed")
    (tmp_path / "x.py").write_text(
        "import pickle, telnetlib\nassert pickle.load(open('x'))\ntelnetlib.Telnet('x')  # noqa\n"
    )
    (tmp_path / "pyproject.toml").write_text("[tool.ruff.lint]\nignore = ['S']\n")
    findings = judged(tmp_path, "general-python").findings
    assert {f.params["code"] for f in findings} == {"S312", "S401"} or {f.params["code"] for f in findings} == {"S312"}


def test_without_ruff_the_report_says_not_run(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruff, "program", lambda: None)
    (ran,) = judged(service, "general-python").probes
    assert (ran.outcome, "ruff is not installed" in ran.why) == ("skipped", True)


def test_a_program_that_is_no_ruff_fails_the_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.py").write_text("x = 1\n")
    monkeypatch.setattr(ruff, "program", lambda: "/bin/false")
    (ran,) = judged(tmp_path, "general-python").probes
    assert ran.outcome == "failed"

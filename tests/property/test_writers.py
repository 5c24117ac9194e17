"""Every writer, for any report: any Unicode in any string, numbers that are none, nothing at all, very much.

REDAN_HYPOTHESIS=full runs more than 10 000 cases; the normal run takes a sample of them.
"""

from __future__ import annotations

import json
import os
import re
import runpy
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unicodedata import category
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from redan.core.compare import compare
from redan.core.errors import EvidenceError
from redan.core.finding import Evidence, Finding, Severity
from redan.core.report import Gate, Report, Run, Tool
from redan.core.subject import SubjectRef
from redan.reports import html, junit, markdown, sarif, table
from redan.reports import json as json_writer
from redan.reports.figures import GLUE, bounded
from redan.reports.summary import SET_ASIDE, counting, gaps

FULL = os.environ.get("REDAN_HYPOTHESIS") == "full"
CASES = 1400 if FULL else 120

ANY = runpy.run_path(str(Path(__file__).with_name("any_report.py")))
REPORT, FINDING, EVIDENCE = ANY["REPORT"], ANY["FINDING"], ANY["EVIDENCE"]
PNG = b"\x89PNG\r\n\x1a\n"


def cases(count: int = CASES) -> Callable[[Any], Any]:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=not FULL,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )


def flat(text: str) -> str:
    return re.sub(r"\s+", "", text)


def hidden(text: str) -> set[str]:
    return {c for c in text if category(c) in ("Cc", "Cf", "Cs") and c not in "\n\u200b"}


@cases()
@given(REPORT)
def test_json_reads_back_to_the_same_report(report: Report) -> None:
    written = json_writer.write(report)
    written.decode("ascii")
    read = Report.from_json(written)
    assert json.loads(read.to_json()) == json.loads(written)
    assert [f.status for f in read.findings] == [f.status for f in report.findings]
    assert [len(f.series) for f in read.findings] == [len(f.series) for f in report.findings]


@cases()
@given(REPORT, st.integers(20, 200))
def test_table_is_never_wider_than_asked_and_cuts_no_number(report: Report, width: int) -> None:
    wcwidth = pytest.importorskip("wcwidth", reason="wcwidth is the independent measure of cells")
    text = table.write(report, width=width).decode()
    for line in text.split("\n"):
        cells = wcwidth.wcswidth(line)
        assert 0 <= cells <= width, (cells, width, line)
    assert not hidden(text)
    told = flat(text)
    for finding in counting(report):
        for quantity in finding.quantities:
            assert flat(bounded(quantity).replace(GLUE, " ")) in told
    assert text.startswith(report.gate.verdict.upper())


@cases(CASES // 4)
@given(REPORT, st.integers(20, 200))
def test_colour_changes_nothing_but_colour(report: Report, width: int) -> None:
    plain, coloured = table.write(report, width=width), table.write(report, width=width, colour=True)
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", coloured) == plain


@cases()
@given(REPORT)
def test_sarif_parses_strictly_and_holds_every_finding(report: Report) -> None:
    text = sarif.write(report).decode("utf-8")
    log = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    run = log["runs"][0]
    assert len(run["results"]) == len(report.findings)
    for result, finding in zip(run["results"], report.findings, strict=True):
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert bool(result["suppressions"]) is (finding.status in SET_ASIDE)
        assert all(
            p["physicalLocation"]["artifactLocation"]["uri"].isascii()
            for p in result["locations"]
            if "physicalLocation" in p
        )
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == len(gaps(report))


@cases()
@given(REPORT)
def test_junit_parses_and_counts_itself(report: Report) -> None:
    root = ET.fromstring(junit.write(report))
    for element in (root, *root.iter("testsuite")):
        cases_below = list(element.iter("testcase"))
        assert int(element.attrib["tests"]) == len(cases_below)
        for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(element.attrib[name]) == sum(c.find(tag) is not None for c in cases_below)
    gating = sum(f.gates(report.gate.level) for f in report.findings)
    assert len(list(root.iter("failure"))) == gating or (gating == 0 and report.gate.verdict == "fail")
    passed = [c for c in root.iter("testcase") if not {e.tag for e in c} & {"failure", "error", "skipped"}]
    ran = sum(p.outcome == "ran" for p in report.probes)
    assert len(passed) <= ran + len(report.findings)


class Page(HTMLParser):
    """Checks that tags are balanced and that nothing foreign became markup."""

    VOID = frozenset({"meta", "img", "br", "hr", "input"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/> is not how this page closes tags")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


def check_page(data: bytes) -> None:
    text = data.decode("utf-8")
    assert not hidden(text)
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert "x-redan" not in page.seen
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("style", "srcset")]
    assert all((v or "").startswith("data:image/png;base64,") for k, v in page.attributes if k == "src")
    links = {v or "" for k, v in page.attributes if k == "href"}
    assert all(
        v.startswith(("#", "https://arxiv.org/", "https://doi.org/", "https://cwe.", "https://atlas.")) for v in links
    )
    ids = [v for k, v in page.attributes if k == "id"]
    assert len(ids) == len(set(ids))


@cases()
@given(REPORT)
def test_html_is_balanced_and_escapes_everything(report: Report) -> None:
    data = html.write(report)
    check_page(data)
    assert data.count(b'class="finding"') == len(report.findings)


class Pictures:
    """Has bytes for half of all digests."""

    def get(self, sha256: str) -> bytes:
        if sha256 < "8":
            raise EvidenceError("not there")
        return PNG

    def put(self, evidence: Evidence) -> None:
        raise NotImplementedError

    def decode(self, evidence: Evidence) -> bytes:
        return self.get(evidence.sha256)


@cases(CASES // 4)
@given(st.lists(EVIDENCE, min_size=1, max_size=4), FINDING)
def test_html_says_so_where_a_picture_is_missing(evidence: list[Evidence], finding: Finding) -> None:
    from dataclasses import replace

    report = Report(
        tool=Tool(name="redan", version="0"),
        run=Run(
            command="",
            seed=0,
            threads=1,
            machine="",
            versions={},
            config_digest="",
            started="",
            wall_s=0,
            cpu_s=0,
            complete=True,
        ),
        subject=SubjectRef(name="m", kind="torch"),
        gate=Gate(level=Severity.HIGH, verdict="pass", exit_code=0),
        findings=(replace(finding, evidence=tuple(evidence)),),
        blobs=Pictures(),
    )
    data = html.write(report)
    check_page(data)
    pictures = [e for e in evidence if e.media_type == "image/png"]
    missing = sum(e.sha256 < "8" for e in pictures)
    assert data.count(b"lies in the run folder") >= missing
    assert data.count(b'src="data:image/png') == len(pictures) - missing


ROW = re.compile(r"(?<!\\)\|")


@cases()
@given(REPORT)
def test_markdown_has_one_row_a_finding(report: Report) -> None:
    text = markdown.write(report).decode("utf-8")
    assert len(text.encode()) < 65_536
    assert not hidden(text)
    assert not re.search(r"<(?!/?code>|br>)[a-zA-Z!/?]", text)
    if "did not fit here" in text:
        return
    for title, count in (
        ("Findings", len(counting(report))),
        ("Set aside, not gating", len(report.findings) - len(counting(report))),
    ):
        _, _, section = text.partition(f"### {title}\n")
        rows = [line for line in section.partition("###")[0].splitlines() if line.startswith("| ")]
        assert len(rows) == (count + 2 if count else 0)
        assert all(len(ROW.findall(row)) == 5 for row in rows)


@cases()
@given(REPORT, REPORT, st.integers(20, 200))
def test_comparisons_hold_for_any_two_reports(before: Report, after: Report, width: int) -> None:
    comparison = compare(before, after)
    check_page(html.write_comparison(comparison))
    text = table.write_comparison(comparison, width=width).decode()
    wcwidth = pytest.importorskip("wcwidth", reason="wcwidth is the independent measure of cells")
    assert all(0 <= wcwidth.wcswidth(line) <= width for line in text.split("\n"))
    rows = [line for line in markdown.write_comparison(comparison).decode().splitlines() if ROW.match(line)]
    assert all(len(ROW.findall(row)) in (4, 6) for row in rows)
    assert len(json.loads(json_writer.write_comparison(comparison))["changes"]) == len(comparison.changes)

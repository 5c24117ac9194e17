"""Every writer, for any report: any Unicode in any string, numbers that are none, nothing at all, very much.

REDAN_HYPOTHESIS=full runs more than 10 000 cases; the normal run takes a sample of them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from unicodedata import category
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from redan.core.compare import compare
from redan.core.errors import EvidenceError
from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity, Suppression
from redan.core.report import Artifact, Gate, Ran, Report, Run, Tool, Unexamined
from redan.core.subject import Binding, Component, SubjectRef
from redan.reports import html, junit, markdown, sarif, table
from redan.reports import json as json_writer
from redan.reports.figures import GLUE, bounded
from redan.reports.summary import SET_ASIDE, counting, gaps

FULL = os.environ.get("REDAN_HYPOTHESIS") == "full"
CASES = 1250 if FULL else 120

HOSTILE = (
    "<x-redan onload=alert(1)>",
    "</script><x-redan>",
    "</style><x-redan>",
    '" onmouseover="x',
    "' onfocus='x",
    "&lt;&#60;&amp",
    "<!-- -->",
    "]]>",
    "| a | b |",
    "`` ` ```",
    "[x](javascript:alert(1))",
    "@everyone #1 https://evil.example www.evil.example",
    "\x1b[31mred\x1b[0m\x07\x00\r\n\t",
    "\u202egnp.exe\u2066\u200b\ufeff\u2028\u2029",
    "\udc80\ud800 lone \udfff",
    "模型🧨👩‍💻☺️🇩🇪é́́",
    "\ufffe\uffff\U0010ffff\ue000",
    "a" * 3000,
    "宽" * 1500,
    "word " * 1200,
    "1234567890" * 30,
    "|" * 200,
    "",
    " ",
)
TEXT = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec=None, exclude_categories=()), max_size=30))
NAME = st.one_of(
    TEXT, st.sampled_from(("robust_accuracy", "clean_accuracy", "clean_by_class", "by_class", "waterfall"))
)
NUMBER = st.one_of(st.floats(), st.floats(0, 1), st.sampled_from((0.0, 1.0, float("nan"), float("inf"), 1e308, 5e-324)))
COUNT = st.integers(0, 10**12)
SCALAR = st.one_of(
    TEXT, st.integers(-(10**18), 10**18), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)
DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
UNIT = st.one_of(st.sampled_from(("fraction", "count", "s", "bytes", "linf", "")), TEXT)
PNG = b"\x89PNG\r\n\x1a\n"


def many(strategy: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=most).map(tuple)


QUANTITY = st.builds(
    Quantity,
    name=NAME,
    value=NUMBER,
    unit=UNIT,
    n=COUNT,
    low=NUMBER,
    high=NUMBER,
    better=st.sampled_from(("higher", "lower", "neither")),
    partial=st.booleans(),
)
SERIES = st.builds(
    Series,
    name=NAME,
    x=st.one_of(many(NUMBER, 30), many(TEXT, 12)),
    y=many(NUMBER, 30),
    low=many(NUMBER, 30),
    high=many(NUMBER, 30),
    n=many(COUNT, 30),
    x_unit=UNIT,
    y_unit=UNIT,
)
EVIDENCE = st.builds(
    Evidence,
    name=st.one_of(TEXT, st.sampled_from(("triptych-0", "adversarial"))),
    sha256=DIGEST,
    media_type=st.one_of(st.just("image/png"), TEXT),
    size_bytes=COUNT,
    note=TEXT,
    payload=st.none(),
)
ADDRESS = st.one_of(TEXT, st.builds("{}@ byte {}".format, TEXT, COUNT))
FINDING = st.builds(
    Finding,
    rule=st.one_of(st.sampled_from(("RDN-EVA-001", "RDN-SUP-001")), TEXT),
    threat=st.one_of(st.sampled_from(("evasion", "supply_chain")), TEXT),
    subject=TEXT,
    title=TEXT,
    severity=st.sampled_from(Severity),
    status=st.sampled_from(("open", "suppressed", "baseline", "mitigated", "inconclusive")),
    confidence=st.sampled_from(("confirmed", "likely", "possible")),
    detail=TEXT,
    params=st.dictionaries(TEXT, SCALAR, max_size=3),
    quantities=many(QUANTITY),
    series=many(SERIES, 2),
    locations=many(st.builds(Location, uri=TEXT, address=ADDRESS), 4),
    evidence=many(EVIDENCE, 2),
    remedies=TEXTS,
    references=many(st.one_of(TEXT, st.sampled_from(("cwe:502", "arxiv:2003.01690", "doi:10.1/<x-redan>")))),
    suppression=st.one_of(st.none(), st.builds(Suppression, reason=TEXT, expires=TEXT, source=TEXT)),
)
REPORT = st.builds(
    Report,
    tool=st.builds(Tool, name=TEXT, version=TEXT),
    run=st.builds(
        Run,
        command=TEXT,
        seed=st.integers(),
        threads=COUNT,
        machine=TEXT,
        versions=st.dictionaries(TEXT, TEXT, max_size=2),
        config_digest=TEXT,
        started=st.one_of(TEXT, st.just("2026-11-21T10:44:00Z")),
        wall_s=NUMBER,
        cpu_s=NUMBER,
        complete=st.booleans(),
        stopped=TEXT,
    ),
    subject=st.builds(
        SubjectRef,
        name=TEXT,
        kind=st.sampled_from(("torch", "files", "http")),
        components=many(
            st.builds(Component, role=st.sampled_from(("weights", "code")), uri=TEXT, sha256=DIGEST, size_bytes=COUNT),
            2,
        ),
        binding=st.builds(Binding, kind=st.sampled_from(("memory", "file")), uri=TEXT, detail=TEXT),
        lineage=TEXTS,
    ),
    gate=st.builds(
        Gate,
        level=st.sampled_from(Severity),
        verdict=st.sampled_from(("pass", "fail", "undecided")),
        exit_code=st.sampled_from((0, 1, 3, 130)),
        reasons=TEXTS,
    ),
    probes=many(
        st.builds(
            Ran,
            probe=st.one_of(st.sampled_from(("RDN-EVA-001", "RDN-SUP-001")), TEXT),
            name=TEXT,
            threat=st.one_of(st.sampled_from(("evasion", "supply_chain")), TEXT),
            outcome=st.sampled_from(("ran", "partial", "skipped", "failed")),
            why=TEXT,
            n_findings=COUNT,
            queries=COUNT,
            cpu_s=NUMBER,
            wall_s=NUMBER,
        )
    ),
    findings=many(FINDING, 4),
    artifacts=many(
        st.builds(
            Artifact,
            path=TEXT,
            verdict=st.sampled_from(("safe", "unknown", "unsafe")),
            reasons=TEXTS,
            format=TEXT,
            sha256=st.one_of(DIGEST, TEXT),
            size_bytes=COUNT,
        )
    ),
    unexamined=many(st.builds(Unexamined, path=TEXT, why=TEXT)),
    asked=st.dictionaries(TEXT, SCALAR, max_size=2),
    notes=TEXTS,
    blobs=st.just(None),
)


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
    assert all(len(ROW.findall(row)) in (4, 5) for row in rows)
    assert len(json.loads(json_writer.write_comparison(comparison))["changes"]) == len(comparison.changes)

"""Strategies for any report: any Unicode in any string, numbers that are none, nothing at all, very much."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity, Suppression, Table
from redan.core.report import Artifact, Examined, Gate, Ran, Report, Run, Tool, Unexamined
from redan.core.subject import Binding, Component, SubjectRef

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
    TEXT,
    st.sampled_from(("robust_accuracy", "clean_accuracy", "clean_by_class", "by_class", "waterfall")),
    st.sampled_from(("accuracy_by_eps", "certified_by_eps", "before_accuracy_by_eps", "distance_histogram")),
)
NUMBER = st.one_of(st.floats(), st.floats(0, 1), st.sampled_from((0.0, 1.0, float("nan"), float("inf"), 1e308, 5e-324)))
COUNT = st.integers(0, 10**12)
SCALAR = st.one_of(
    TEXT, st.integers(-(10**18), 10**18), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)
DIGEST = st.text("0123456789abcdef", min_size=64, max_size=64)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
UNIT = st.one_of(st.sampled_from(("fraction", "count", "s", "bytes", "linf", "")), TEXT)


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
TABLE = st.builds(
    Table,
    name=NAME,
    columns=many(TEXT, 4),
    rows=many(many(st.one_of(SCALAR, NUMBER), 5), 4),
    draw=st.sampled_from(("plain", "heat", "scatter")),
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
    tables=many(TABLE, 2),
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
    examined=many(st.builds(Examined, path=TEXT, format=TEXT, by=st.tuples(TEXT))),
    unexamined=many(st.builds(Unexamined, path=TEXT, why=TEXT)),
    asked=st.dictionaries(TEXT, SCALAR, max_size=2),
    notes=TEXTS,
    blobs=st.just(None),
)

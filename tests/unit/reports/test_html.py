from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

import pytest

from redan.core.compare import compare
from redan.core.finding import Finding, Series, Severity
from redan.core.report import Gate, Report
from redan.reports import html
from redan.reports.html.charts import rate_bar
from redan.reports.html.lines import line_chart
from redan.reports.html.markup import Html, el, text
from redan.reports.html.page import POLICY
from redan.reports.html.script import JS
from redan.reports.html.style import CSS


def test_strings_are_escaped_and_markup_is_not() -> None:
    assert el("p", "<b>", Html("<i></i>"), class_='a"b') == '<p class="a&quot;b">&lt;b&gt;<i></i></p>'
    assert el("input", checked=True, hidden=False) == "<input checked>"
    assert text("a\x1b\nb", keep="\n") == "a\\x1b\nb"


def test_the_policy_allows_exactly_this_style_and_script(report: Report) -> None:
    page = html.write(report).decode()
    for tag, source in (("style", CSS), ("script", JS)):
        inline = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert inline == [source]
        assert b64encode(sha256(source.encode()).digest()).decode() in POLICY
    assert POLICY.startswith("default-src 'none'")
    assert "unsafe" not in POLICY


def test_every_finding_is_on_the_page(report: Report) -> None:
    page = html.write(report).decode()
    counting, aside = page.split('<section id="aside"')
    assert [counting.count('class="finding"'), aside.count('class="finding"')] == [4, 2]


def test_nothing_is_loaded_from_anywhere(report: Report) -> None:
    page = html.write(report).decode()
    assert not re.search(r"""(?:src|srcset|action|data|poster)=["'](?!data:)""", page)
    assert not re.search(r"url\(|@import", page)


def test_every_number_has_its_sample_and_interval(report: Report) -> None:
    page = html.write(report).decode().replace("\u00a0", " ")
    for cells in (
        ("69.3 %", "66.4 to 72.1 %", "1,000"),
        ("18.0 %", "11.7 to 26.7 %", "100"),
        ("41.0 %", "38.0 to 44.1 %", "1,000"),
    ):
        assert re.search('</td><td class="n">'.join(map(re.escape, cells)), page), cells


def test_the_waterfall_ends_where_robust_accuracy_stands(report: Report) -> None:
    page = html.write(report).decode().replace("\u00a0", " ")
    assert "Of 1,000 images before the first stage." in page
    assert re.search(r"still standing</th>.*?<td class=\"n\">693</td>", page)


def test_a_waterfall_that_starts_at_the_right_ones_starts_there(report: Report) -> None:
    attack = report.findings[0]
    stages = Series(name="waterfall", x=("apgd-ce", "fmn"), y=(120.0, 31.0), y_unit="images")
    page = html.write(replace(report, findings=(replace(attack, series=(stages,)),))).decode().replace("\u00a0", " ")
    assert "Of 844 images before the first stage." in page
    assert re.search(r"still standing</th>.*?<td class=\"n\">693</td>", page)


def test_pictures_lie_inside_or_their_absence_is_said(report: Report) -> None:
    assert html.write(report).count(b'src="data:image/png;base64,') == 3
    bare = html.write(replace(report, blobs=None))
    assert bare.count(b"lies in the run folder") == 3
    assert b"<img" not in bare


def test_suppressed_findings_stay_visible_with_reason_and_expiry(report: Report) -> None:
    page = html.write(report).decode()
    assert "trained by us in 2024, digest pinned (until 2027-03-31, from redan.toml [[ignore]])" in page


def test_only_exact_identifiers_become_links(report: Report) -> None:
    bad = ("cwe:502/../x", "arxiv:javascript", "doi:10.1/x y", "atlas:AML", "https://evil.example", "cwe:502\n")
    one = Finding(rule="R", threat="t", subject="s", title="x", severity=Severity.LOW, references=(*bad, "cwe:79"))
    links = re.findall(r'href="(https[^"]*)"', html.write(replace(report, findings=(one,))).decode())
    assert links == ["https://cwe.mitre.org/data/definitions/79.html"]


@pytest.mark.parametrize(
    ("verdict", "sentence"),
    [("pass", "Nothing open reaches"), ("fail", "Something open reaches"), ("undecided", "Undecided is not a pass")],
)
def test_the_verdict_is_said_in_words(report: Report, verdict: str, sentence: str) -> None:
    gate = Gate(level=Severity.HIGH, verdict=verdict, exit_code=0)  # type: ignore[arg-type]  # one of the three words
    page = html.write(replace(report, gate=gate)).decode()
    assert sentence in page
    assert f'class="word">{verdict.upper()}<' in page


def test_an_empty_report_does_not_look_clean(report: Report) -> None:
    empty = replace(report, findings=(), probes=(), artifacts=(), unexamined=(), notes=())
    page = html.write(empty).decode()
    assert "Nothing ran, so nothing could be found." in page
    assert "nothing was measured" in page


def test_bars_stay_inside_their_scale() -> None:
    drawn = rate_bar(7.0, -1.0, float("inf"), twin=float("nan"))
    edges = [float(x) + float(w) for x, w in re.findall(r'x="([-\d.]+)" y="\d+" width="([-\d.]+)"', drawn)]
    assert edges
    assert all(0 <= edge <= 100 for edge in edges)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((0.0, 1e308), (0.1, 0.2)),
        ((-1e308, 1e308), (0.1, 0.2)),
        ((0.0, 5e-324), (0.1, 0.2)),
        ((1.0, 1.0), (0.1, 0.2)),
        ((float("nan"), 1.0), (0.1, 0.2)),
        ((0.0,), (0.5,)),
    ],
)
def test_a_curve_that_cannot_be_drawn_is_left_to_its_table(x: tuple[float, ...], y: tuple[float, ...]) -> None:
    drawn = line_chart(Series(name="c", x=x, y=y, y_unit="fraction"), label="c")
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_a_curve_runs_from_the_upper_left_to_the_lower_right(report: Report) -> None:
    series = report.findings[0].curve("accuracy_by_eps")
    assert series is not None
    drawn = line_chart(series, label="accuracy", mark=0.1)
    [points] = re.findall(r'<polyline points="([^"]+)"', drawn)
    places = [tuple(map(float, p.split(","))) for p in points.split()]
    assert len(places) == 8
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert [y for _, y in places] == sorted(y for _, y in places)
    assert 'class="mark"' in drawn


def test_a_comparison_shows_both_sides(report: Report, made: dict[str, object]) -> None:
    hardened = made["hardened"](report)  # type: ignore[operator]  # a function of the golden module
    page = html.write_comparison(compare(report, hardened)).decode().replace("\u00a0", " ")
    assert "robust accuracy, before" in page
    assert "robust accuracy, after" in page
    assert "78.0 %" in page
    assert "Better beyond noise" in page
    assert "unchanged (suppressed)" in page

from __future__ import annotations

from dataclasses import replace

import pytest

from redan.core.finding import Finding, Severity
from redan.core.report import Report
from redan.reports import markdown
from redan.reports.markdown import MOST_BYTES, code, plain


@pytest.mark.parametrize(
    ("foreign", "escaped"),
    [
        ("a|b", "a&#124;b"),
        ("`x`", "&#96;x&#96;"),
        ("<img src=x>", "&#60;img src=x&#62;"),
        ("&lt;", "&#38;lt;"),
        ("[a](b)", "\\[a\\](b)"),
        ("*a* _b_ ~c~", "\\*a\\* \\_b\\_ \\~c\\~"),
        ("\\|", "\\\\&#124;"),
        ("@everyone", "@\u200beveryone"),
        ("@ byte 12", "@ byte 12"),
        ("see #12", "see #\u200b12"),
        ("https://evil.example", "https\u200b://evil.example"),
        ("a\nb", "a\\\\x0ab"),
        ("  x", "x"),
    ],
)
def test_foreign_text_is_no_markup(foreign: str, escaped: str) -> None:
    assert plain(foreign) == escaped


def test_code_holds_any_text() -> None:
    assert code("a`|<b>.pkl") == "<code>a&#96;&#124;&#60;b&#62;.pkl</code>"
    assert code("  ") == ""


def test_the_verdict_is_the_heading(report: Report) -> None:
    text = markdown.write(report).decode()
    assert text.startswith("## ❌ Redan: FAIL – fashion\\_cnn\n")
    assert "| bias | – | – | – | – | – | **not tested** |" in text


def test_a_report_too_long_for_a_comment_says_what_is_missing(report: Report) -> None:
    one = Finding(rule="R", threat="t", subject="s", title="x" * 200, severity=Severity.LOW)
    text = markdown.write(replace(report, findings=(one,) * 2000)).decode()
    assert len(text.encode()) < MOST_BYTES + 200
    assert "lines did not fit here**: see the HTML or JSON report." in text

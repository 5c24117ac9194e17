"""What every writer promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Any
from unicodedata import category
from xml.etree import ElementTree as ET

from redan.core.codec import encode
from redan.core.inputs import Inputs
from redan.core.report import Report
from redan.testing import world
from redan.testing.promise import Broken, Check, checks, insist
from redan.testing.reports import sample_reports

_KEPT = "\n\t"


@dataclass(kw_only=True)
class WriterCase:
    """A writer.

    Attributes:
        thing: the function Report → bytes.
        media_type: what it writes; decides how the result is parsed.
    """

    thing: Callable[[Report], bytes]
    media_type: str = ""
    kind: str = "writer"

    @property
    def name(self) -> str:
        """Module and name of the function: most writers are called ``write``."""
        return f"{getattr(self.thing, '__module__', '')}.{getattr(self.thing, '__name__', 'writer')}"

    def text(self, report: Report) -> str:
        """Write a report and decode it."""
        return self.thing(report).decode("utf-8")


def writes_bytes_of_every_report(case: WriterCase) -> None:
    """Whatever the report holds, the result is bytes in UTF-8."""
    for what, report in sample_reports().items():
        try:
            written = case.thing(report)
            insist(isinstance(written, bytes), f"it returns {type(written).__name__}", "return bytes")
            written.decode("utf-8")
        except Broken:
            raise
        except Exception as err:
            raise Broken(
                f"the report {what!r} raises {type(err).__name__}: {err}",
                "expect any text (lone surrogates too), no numbers, infinite numbers, and nothing at all",
            ) from err


def is_pure(case: WriterCase) -> None:
    """The same report gives the same bytes, and neither report nor global state changes."""
    for what, report in sample_reports().items():
        before = encode(report)
        with world.untouched(None, Inputs()):
            first = case.thing(report)
        with world.stirred(1):
            again = case.thing(report)
        insist(first == again, f"the report {what!r} gave different bytes", "no clocks, random numbers or sets of text")
        insist(encode(report) == before, f"the report {what!r} was changed", "work on copies of what it holds")


def result_parses(case: WriterCase) -> None:
    """JSON, XML and HTML are well formed whatever the report holds."""
    for what, report in sample_reports().items():
        text = case.text(report)
        try:
            _parse(text, case.media_type)
        except (ValueError, ET.ParseError) as err:
            raise Broken(
                f"the report {what!r} gives {case.media_type} that does not parse: {err}", "escape it"
            ) from err


def no_control_characters(case: WriterCase) -> None:
    """No character that a terminal or a browser obeys reaches the output from a report."""
    for what, report in sample_reports().items():
        obeyed = {c for c in case.text(report) if category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in _KEPT}
        insist(
            not obeyed,
            f"the report {what!r} lets {', '.join(sorted(map(repr, obeyed)))} through",
            "show control and direction characters as escapes",
        )


def what_was_not_tested_is_said(case: WriterCase) -> None:
    """A probe that failed, was skipped or cut short is named with its reason, and the verdict is not a pass."""
    text = case.text(sample_reports()["incomplete"])
    for word in ("failed", "skipped", "partial"):
        insist(
            f"reason-of-{word}" in text, f"nothing says why a probe was {word}", "write each probe's outcome and why"
        )
    clean = sample_reports()["clean"]
    undecided = replace(clean, gate=replace(clean.gate, verdict="undecided", exit_code=3))
    insist(case.text(clean) != case.text(undecided), "pass and undecided read the same", "write the gate's verdict")


def every_finding_is_there(case: WriterCase) -> None:
    """Each finding is shown with its rule, those set aside too, and with the reason for it."""
    report = sample_reports()["findings"]
    text = case.text(report)
    titles = [f.title for f in report.findings if f.title not in text]
    insist(not titles, f"findings are missing: {', '.join(titles)}", "show every status; the suppressed stay visible")
    insist("RDN-EVA-001" in text, "the rule of a finding is missing", "write finding.rule")
    insist("reason-of-suppressed" in text, "why a finding was set aside is missing", "write suppression.reason")


def numbers_come_with_sample_size(case: WriterCase) -> None:
    """Another sample size or another interval gives another document."""
    report = sample_reports()["findings"]
    first = replace(report.findings[0], quantities=report.findings[0].quantities[:1])
    alone = replace(report, findings=(first,))
    for change in ({"n": 4321}, {"low": 0.1234}):
        changed: dict[str, Any] = change
        quantity = replace(first.quantities[0], **changed)
        other = replace(report, findings=(replace(first, quantities=(quantity,)),))
        insist(
            case.text(other) != case.text(alone),
            f"{next(iter(change))} of a quantity is not shown",
            "write n and the 95 % interval beside each value",
        )


class _Strict(HTMLParser):
    """Reads HTML and remembers whether a script or a handler of a report's own came through."""

    def __init__(self) -> None:
        super().__init__()
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look for attributes that run code or load from elsewhere."""
        for name, value in attrs:
            remote = name in ("src", "href") and (value or "").strip().lower().startswith(("javascript:", "x"))
            if name.startswith("on") or remote:
                self.handlers.append(f"<{tag} {name}>")


def _parse(text: str, media_type: str) -> None:
    if media_type.endswith("json"):
        json.loads(text, parse_constant=_no_constant)
    elif media_type.endswith("xml"):
        ET.fromstring(text)  # noqa: S314  # it was written a moment ago, by the writer under test
    elif media_type.startswith("text/html"):
        reader = _Strict()
        reader.feed(text)
        reader.close()
        if reader.handlers or "<script>alert" in text:
            raise ValueError(f"text of the report became markup: {reader.handlers or '<script>'}")


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def writer_checks() -> tuple[Check, ...]:
    """Return every check of a writer, each to be called with a `WriterCase`."""
    return checks(
        writes_bytes_of_every_report,
        is_pure,
        result_parses,
        no_control_characters,
        what_was_not_tested_is_said,
        every_finding_is_there,
        numbers_come_with_sample_size,
    )


def check_writer(writer: Callable[[Report], bytes], *, media_type: str = "") -> None:
    """Check everything that a writer promises, and stop at the first promise that is broken.

    Example:
        >>> def test_csv_keeps_its_promises():
        ...     check_writer(write_csv, media_type="text/csv")

    Args:
        writer: the function under ``@writer``.
        media_type: what it writes; JSON, XML and HTML are also parsed.

    Raises:
        AssertionError: naming the promise, what was seen, and how to mend it.
    """
    case = WriterCase(thing=writer, media_type=media_type)
    for check in writer_checks():
        check(case)

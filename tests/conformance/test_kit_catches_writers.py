"""For each promise of a writer one that breaks it: the kit says which promise, and passes one that keeps them all."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from redan.core.codec import encode
from redan.core.report import Report
from redan.reports.json import write as write_json
from redan.testing import WriterCase, check_writer, writer_checks


def broken_by(case: Any, checks: tuple[Any, ...]) -> dict[str, str]:
    """Return which promises a case breaks, and what the kit says."""
    found = {}
    for check in checks:
        try:
            check(case)
        except AssertionError as err:
            found[check.name] = str(err)
    return found


def as_json(change: Callable[[dict[str, Any]], Any] = lambda document: document) -> Callable[[Report], bytes]:
    """A writer of JSON that changes something first."""

    def write(report: Report) -> bytes:
        document = encode(report)
        changed = change(document)
        return json.dumps(document if changed is None else changed).encode()

    return write


def without(*names: str) -> Callable[[dict[str, Any]], Any]:
    """Leave out part of the document."""
    return lambda document: {k: v for k, v in document.items() if k not in names}


def only_open(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what was set aside."""
    return {**document, "findings": [f for f in document["findings"] if f["status"] == "open"]}


def bare_numbers(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out sample sizes."""
    for finding in document["findings"]:
        finding["quantities"] = [{"name": q["name"], "value": q["value"]} for q in finding["quantities"]]
    return document


def drawing(report: Report) -> bytes:
    """Write something random."""
    return json.dumps([random.random(), encode(report)]).encode()


def raw(report: Report) -> bytes:
    """Write text as it came."""
    return str(encode(report)).replace("\\x1b", "\x1b").encode("utf-8", "backslashreplace")


def gluing(report: Report) -> bytes:
    """Write JSON by hand."""
    return (
        '{"subject": "' + report.subject.name + '", "titles": "' + "".join(f.title for f in report.findings)
    ).encode("utf-8", "replace")


def hoping(report: Report) -> bytes:
    """Expect a finding and a decodable name."""
    return report.findings[0].title.encode()


WRITERS: list[tuple[Callable[[Report], Any], str, str]] = [
    (hoping, "writes_bytes_of_every_report", "raises IndexError"),
    (lambda report: "text", "writes_bytes_of_every_report", "it returns str"),
    (lambda report: b"\xff", "writes_bytes_of_every_report", "raises UnicodeDecodeError"),
    (drawing, "is_pure", "global state was changed: random"),
    (gluing, "result_parses", "does not parse"),
    (raw, "no_control_characters", "lets '\\x1b'"),
    (as_json(without("probes")), "what_was_not_tested_is_said", "nothing says why a probe was failed"),
    (as_json(without("gate")), "what_was_not_tested_is_said", "pass and undecided read the same"),
    (as_json(only_open), "every_finding_is_there", "findings are missing: title-of-suppressed"),
    (as_json(bare_numbers), "numbers_come_with_sample_size", "n of a quantity is not shown"),
]


@pytest.mark.parametrize(("write", "promise", "words"), WRITERS)
def test_a_writer_that_breaks_a_promise_is_caught(write: Any, promise: str, words: str) -> None:
    found = broken_by(WriterCase(thing=write, media_type="application/json"), writer_checks_of(promise))
    assert words in found[promise]


def writer_checks_of(promise: str) -> tuple[Any, ...]:
    """The one check of that name."""
    return tuple(check for check in writer_checks() if check.name == promise)


@pytest.mark.parametrize("markup", ["<p>{}</p>", "<a href='{}'>x</a>"])
def test_text_that_becomes_markup_is_caught(markup: str) -> None:
    def write(report: Report) -> bytes:
        return markup.format("".join(f.title for f in report.findings)).encode("utf-8", "replace")

    found = broken_by(WriterCase(thing=write, media_type="text/html"), writer_checks_of("result_parses"))
    assert "text of the report became markup" in found["result_parses"]


def test_a_writer_that_keeps_every_promise_passes() -> None:
    check_writer(as_json(), media_type="application/json")
    check_writer(write_json, media_type="application/json")


def test_every_promise_of_a_writer_has_somebody_who_breaks_it() -> None:
    assert {check.name for check in writer_checks()} == {promise for _, promise, _ in WRITERS}

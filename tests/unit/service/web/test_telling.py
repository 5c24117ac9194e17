"""What goes wrong a thousand times a second is written once, with how often it came."""

from __future__ import annotations

from redan.service.web.telling import EVERY_S, MOST_KINDS, Telling


def test_the_same_failure_is_written_once_and_then_with_its_number() -> None:
    written: list[str] = []
    now = [0.0]
    telling = Telling(written.append, lambda: now[0])
    for _ in range(1000):
        telling.tell("the database does not answer")
    assert written == ["the database does not answer\n"]
    now[0] = EVERY_S + 1
    telling.tell("the database does not answer")
    assert written[1:] == ["the database does not answer (999 more like it since it was written last)\n"]


def test_another_failure_tells_what_was_held_back_of_the_first() -> None:
    written: list[str] = []
    now = [0.0]
    telling = Telling(written.append, lambda: now[0])
    for _ in range(3):
        telling.tell("Traceback\n  File one\nValueError: a")
    telling.tell("Traceback\n  File one\nValueError: b")
    now[0] = EVERY_S + 1
    telling.tell("c")
    assert written == [
        "Traceback\n  File one\nValueError: a\n",
        "Traceback\n  File one\nValueError: b\n",
        "ValueError: a (2 more like it since it was written last)\n",
        "c\n",
    ]


def test_failures_that_all_differ_are_bounded_and_counted() -> None:
    written: list[str] = []
    now = [0.0]
    telling = Telling(written.append, lambda: now[0])
    for i in range(10_000):
        telling.tell(f"failure {i}")
    assert len(written) == MOST_KINDS
    now[0] = EVERY_S + 1
    telling.tell("failure x")
    assert written[MOST_KINDS:] == [
        f"other failures ({10_000 - MOST_KINDS} more like it since it was written last)\n",
        "failure x\n",
    ]

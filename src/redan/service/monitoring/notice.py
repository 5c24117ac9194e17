"""What an alert says, in words that no channel can be tricked with."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from redan.core.finding import Severity

if TYPE_CHECKING:
    from redan.core.finding import Finding

MOST_CHARS = 2000
State = Literal["open", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to somebody.

    Attributes:
        state: whether the finding stands or is gone.
        fingerprint: of the finding.
        rule: its rule.
        threat: its threat.
        subject: name of the model or part.
        title: one line without control characters.
        detail: a paragraph; lines end with a line feed.
        severity: of the finding.
        at_s: when it was found, seconds since the epoch.
        times: how often it was found since it was first sent.
        replica: which replica says so.
    """

    state: State
    fingerprint: str
    rule: str
    threat: str
    subject: str
    title: str
    detail: str
    severity: Severity
    at_s: float
    times: int
    replica: str

    @property
    def headline(self) -> str:
        """One line: state or severity, subject and title."""
        word = "resolved" if self.state == "resolved" else self.severity.word
        return f"[redan {word}] {self.subject}: {self.title}"


def notice_of(finding: Finding, *, state: State, at_s: float, times: int, replica: str) -> Notice:
    """Say what is to be sent of a finding: its words, which a client may have chosen, cleaned and cut."""
    return Notice(
        state=state,
        fingerprint=finding.fingerprint,
        rule=one_line(finding.rule, 64),
        threat=one_line(finding.threat, 64),
        subject=one_line(finding.subject, 200),
        title=one_line(finding.title, 400),
        detail="\n".join(one_line(line, MOST_CHARS) for line in finding.detail[:MOST_CHARS].splitlines()),
        severity=finding.severity,
        at_s=at_s,
        times=times,
        replica=one_line(replica, 200),
    )


def one_line(text: str, most: int) -> str:
    """Replace what ends a line, controls a terminal or turns the direction of writing, and cut what is too long.

    Args:
        text: any.
        most: most characters that are kept.
    """
    # Cc: controls, Cf: format such as bidirectional overrides, Cs: lone surrogates, Zl and Zp: ends of lines
    clean = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text[: most + 1])
    return clean if len(clean) <= most else clean[: most - 1] + "…"

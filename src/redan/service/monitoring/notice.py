"""What an alert says, in words that no channel can be tricked with."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from redan.core.finding import Severity

if TYPE_CHECKING:
    from redan.core.finding import Finding

MOST_CHARS = 2000
_MOST = {"fingerprint": 64, "rule": 64, "threat": 64, "subject": 200, "title": 400, "replica": 200}
State = Literal["open", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One message to somebody; whatever it is made of, no field but ``detail`` holds a line end or control character.

    Attributes:
        state: whether the finding stands or is gone.
        fingerprint: of the finding.
        rule: its rule.
        threat: its threat.
        subject: name of the model or part.
        title: one line.
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

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            object.__setattr__(self, name, one_line(getattr(self, name), most))
        lines = self.detail[:MOST_CHARS].splitlines()
        object.__setattr__(self, "detail", "\n".join(one_line(line, MOST_CHARS) for line in lines))

    @property
    def id(self) -> str:
        """Identifier of the message, the same whenever it is sent again; letters, digits, ``_`` and ``-`` alone."""
        name = re.sub(r"[^\w-]", "_", self.fingerprint, flags=re.ASCII)
        return f"{name}-{self.state}-{int(self.at_s * 1000)}"

    @property
    def headline(self) -> str:
        """One line: state or severity, subject and title."""
        word = "resolved" if self.state == "resolved" else self.severity.word
        return f"[redan {word}] {self.subject}: {self.title}"


def notice_of(finding: Finding, *, state: State, at_s: float, times: int, replica: str) -> Notice:
    """Say what is to be sent of a finding."""
    return Notice(
        state=state,
        fingerprint=finding.fingerprint,
        rule=finding.rule,
        threat=finding.threat,
        subject=finding.subject,
        title=finding.title,
        detail=finding.detail,
        severity=finding.severity,
        at_s=at_s,
        times=times,
        replica=replica,
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

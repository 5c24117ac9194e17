"""Post-mortems: a template that holds what is known, and the rule that people must have filled in the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.core.errors import UsageError
from redan.evidence.store.clear import shown_time

if TYPE_CHECKING:
    from redan.service.incidents.history import Leak
    from redan.service.incidents.incident import Incident

TO_FILL = "TO FILL"
SECTIONS = ("What happened", "Why it could happen", "What was lost", "What we change, who does it, until when")
LARGEST_CHARS = 60_000


def template(incident: Incident, leak: Leak | None) -> str:
    """Return a post-mortem in Markdown with everything that is known filled in.

    Args:
        incident: what happened.
        leak: what its clients were told, or None where no log can be read.
    """
    happened, why, lost, change = SECTIONS
    lines = [
        f"# Post-mortem of incident {incident.number}: {incident.title}",
        "",
        f"- Rule {incident.rule}, threat {incident.threat}, subject {incident.subject}, "
        f"severity {incident.severity.word}",
        *(f"- {line}" for line in metrics(incident, leak)),
        "",
        f"## {happened}",
        "",
        f"{TO_FILL}: in plain words, for somebody who was not there.",
        "",
        *(f"- {shown_time(e.t_us)} {e.who}: {e.kind}: {_inline(e.text)}" for e in incident.entries),
        "",
        f"## {why}",
        "",
        f"{TO_FILL}",
        "",
        f"## {lost}",
        "",
        f"{TO_FILL}: what the answers above are worth to whoever has them.",
        "",
        f"## {change}",
        "",
        f"{TO_FILL}",
        "",
    ]
    return "\n".join(lines)


def metrics(incident: Incident, leak: Leak | None) -> list[str]:
    """Return the numbers of an incident, one a line; what is not known says so."""
    lines = []
    if leak is not None and leak.first_us is not None and leak.first_us < incident.opened_us:
        lines.append(f"Time to detect: {_span(incident.opened_us - leak.first_us)} after the client's first answer")
    else:
        lines.append("Time to detect: unknown, the logs hold no earlier answer to its clients")
    if incident.contained_us is None:
        lines.append("Time to contain: not contained")
    elif incident.contain_ms is not None:
        lines.append(f"Time to contain: {incident.contain_ms:.0f} ms by a steady clock")
    else:
        lines.append(f"Time to contain: {_span(incident.contained_us - incident.opened_us)} by the wall clock")
    if incident.closed_us is not None:
        lines.append(f"Time to close: {_span(incident.closed_us - incident.opened_us)}")
    if leak is None or not leak.n_logs:
        return [*lines, "Answers to its clients: unknown, no audit log can be read here"]
    return [
        *lines,
        f"Answers to its clients before: {leak.queries_before} requests, {leak.rows_before} rows",
        f"Answers until containment: {leak.queries_after} requests, {leak.rows_after} rows",
        f"Answers since containment: {leak.queries_contained} requests; refused since opening: {leak.refused}",
        f"Counted in {leak.n_logs} audit log(s) of this machine",
    ]


def checked(text: str) -> str:
    """Return a post-mortem that people have filled in.

    Raises:
        UsageError: a section is missing, empty or not filled in, or the text is too long.
    """
    if len(text) > LARGEST_CHARS:
        raise UsageError(f"the post-mortem has {len(text)} characters; at most {LARGEST_CHARS} are kept")
    for title in SECTIONS:
        found = re.search(rf"^## {re.escape(title)}[ \t]*$(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
        if found is None:
            raise UsageError(f"the post-mortem has no section {title!r}", hint="redan incident postmortem NUMBER")
        if not found[1].strip():
            raise UsageError(f"the section {title!r} is empty", hint="say what is known, or that nothing is")
    if TO_FILL in text:
        line = next(i for i, line in enumerate(text.splitlines(), 1) if TO_FILL in line)
        raise UsageError(f"line {line} of the post-mortem is still {TO_FILL!r}", hint="fill it in, then close")
    return text


def _inline(text: str) -> str:
    """Return a text that cannot end its line or begin something in Markdown."""
    return " ".join(text.split()).replace(TO_FILL, "to fill")


def _span(us: int) -> str:
    seconds = us / 1e6
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

"""Personal data breaches: the clock of 72 hours and drafts of what GDPR articles 33 and 34 ask to be told.

Source: Regulation (EU) 2016/679, articles 33(1), 33(3) and 34(2). A draft is not legal advice; a person completes and
sends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from redan.core.errors import UsageError
from redan.evidence.store.clear import shown_time

if TYPE_CHECKING:
    from redan.core.settings_service import Incidents
    from redan.service.incidents.history import Leak
    from redan.service.incidents.incident import Incident

To = Literal["authority", "subjects"]
UNKNOWN = "[UNKNOWN: to be completed]"
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """What a manifest of the training data says of the people in it.

    Attributes:
        name: of the data set.
        columns: names of its columns.
        rows: how many records.
    """

    name: str
    columns: tuple[str, ...]
    rows: int | None


def concerned(path: Path) -> Concerned:
    """Read what is known of the data from its manifest (redan data manifest).

    Raises:
        Unreadable: it is none.
    """
    from redan.evidence.datasets.manifest import read

    manifest = read(path).manifest
    tables = [file.table for file in manifest.files if file.table is not None]
    columns = dict.fromkeys(
        str(column.get("name", ""))
        for table in tables
        for column in table.get("columns", ())
        if isinstance(column, dict)
    )
    rows = [table.get("rows") for table in tables]
    known = [n for n in rows if isinstance(n, int)]
    return Concerned(
        name=manifest.card.name or path.name, columns=tuple(filter(None, columns)), rows=sum(known) if known else None
    )


def clock(incident: Incident, now_us: int) -> str:
    """Return how much of the 72 hours is left, from the time that was written down once."""
    if incident.aware_us is None or incident.deadline_us is None:
        return ""
    if now_us < incident.aware_us:
        return f"due {shown_time(incident.deadline_us)} (this machine's clock is set before the breach was told)"
    left_h = (incident.deadline_us - now_us) / _HOUR_US
    if left_h < 0:
        return f"was due {shown_time(incident.deadline_us)}, {-left_h:.1f} h ago"
    return f"due {shown_time(incident.deadline_us)}, {left_h:.1f} h left"


def draft(
    incident: Incident,
    to: To,
    settings: Incidents,
    *,
    leak: Leak | None,
    data: Concerned | None,
    now_us: int,
) -> str:
    """Return a notification in Markdown; what is not known stands there as unknown.

    Args:
        incident: with a breach told.
        to: the supervisory authority (article 33) or the people concerned (article 34).
        settings: who answers for the data.
        leak: what the clients were told, or None.
        data: what a manifest says of the people, or None.
        now_us: time of the draft.

    Raises:
        UsageError: nobody has said that personal data were breached.
    """
    if incident.aware_us is None:
        raise UsageError(
            f"nobody has said that incident {incident.number} is a breach of personal data",
            hint=f"redan incident breach {incident.number}",
        )
    make = _to_authority if to == "authority" else _to_subjects
    return "\n".join(make(incident, settings, leak, data, now_us)) + "\n"


def _to_authority(
    incident: Incident, settings: Incidents, leak: Leak | None, data: Concerned | None, now_us: int
) -> list[str]:
    assert incident.aware_us is not None
    assert incident.deadline_us is not None
    late = now_us > incident.deadline_us
    return [
        f"# Notification of a personal data breach (GDPR article 33), incident {incident.number}",
        "",
        f"Controller: {settings.controller or UNKNOWN}",
        f"Became aware: {shown_time(incident.aware_us)}; {clock(incident, now_us)}",
        *([f"Reasons for the delay (article 33(1)): {UNKNOWN}"] if late else []),
        "",
        "## Nature of the breach (article 33(3)(a))",
        "",
        f"{incident.title}. Found by {incident.rule} at {incident.subject}, {shown_time(incident.opened_us)}.",
        *_told(leak),
        f"Categories of data subjects: {UNKNOWN}",
        f"Approximate number of data subjects: {UNKNOWN if data is None or data.rows is None else _most(data)}",
        f"Categories of records: {_columns(data)}",
        f"Approximate number of records: {UNKNOWN if data is None or data.rows is None else _most(data)}",
        "",
        "## Contact (article 33(3)(b))",
        "",
        settings.contact or UNKNOWN,
        "",
        "## Likely consequences (article 33(3)(c))",
        "",
        _consequences(incident),
        "",
        "## Measures taken or proposed (article 33(3)(d))",
        "",
        *_measures(incident),
        "",
        "Information that is unknown now may follow in phases (article 33(4)).",
    ]


def _to_subjects(
    incident: Incident, settings: Incidents, leak: Leak | None, data: Concerned | None, now_us: int
) -> list[str]:
    return [
        "# Information about a breach of your personal data (GDPR article 34)",
        "",
        f"{settings.controller or UNKNOWN} tells you that personal data may have been disclosed.",
        "",
        "## What happened",
        "",
        f"On {shown_time(incident.opened_us)} we found: {incident.title}.",
        f"Which of your data may be concerned: {_columns(data)}",
        "",
        "## What this may mean for you",
        "",
        _consequences(incident),
        "",
        "## What we have done, and what you can do",
        "",
        *_measures(incident),
        f"What you can do: {UNKNOWN}",
        "",
        "## Whom to ask",
        "",
        settings.contact or UNKNOWN,
    ]


def _told(leak: Leak | None) -> list[str]:
    if leak is None or not leak.n_logs:
        return [f"Answers given to the clients concerned: {UNKNOWN}"]
    n = leak.queries_before + leak.queries_after + leak.queries_contained
    return [f"Answers given to the clients concerned: {n} requests, {leak.rows_before + leak.rows_after} rows or more."]


def _most(data: Concerned) -> str:
    return f"at most {data.rows} (rows of {data.name}; one person may have several)"


def _columns(data: Concerned | None) -> str:
    if data is None or not data.columns:
        return UNKNOWN
    more = f" and {len(data.columns) - 30} more" if len(data.columns) > 30 else ""
    return f"{', '.join(data.columns[:30])}{more} ({data.name})"


_CONSEQUENCES = {
    "privacy": "Whoever asked may learn whether somebody is in the training data, or attributes of that person.",
    "theft": "A copy of the model may be searched for its training data without our guards.",
}


def _consequences(incident: Incident) -> str:
    return f"{_CONSEQUENCES.get(incident.threat, '')} {UNKNOWN}".strip()


def _measures(incident: Incident) -> list[str]:
    done = [e for e in incident.entries if e.kind == "step" and e.body["status"] in ("done", "undone")]
    return [f"- {shown_time(e.t_us)}: {e.text}" for e in done] or [f"- {UNKNOWN}"]

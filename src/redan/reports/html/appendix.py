"""What stands behind the findings: files, probes, the command to repeat it, the facts of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.reports.figures import figure, plural
from redan.reports.html.markup import Html, el, join, listing, table
from redan.reports.html.verdict import pairs, tag
from redan.reports.summary import also_read

if TYPE_CHECKING:
    from redan.core.report import Artifact, Report

MOST_ARTIFACTS = 1000


def artifacts(report: Report) -> Html:
    """Return the files with their verdicts, the unsafe ones first."""
    order = ("unsafe", "unknown", "safe")
    found = sorted(report.artifacts, key=lambda a: order.index(a.verdict))
    read = [el("p", f"Also read: {'; '.join(also_read(report))}.")] if report.examined else []
    if not found:
        return join(read)
    note = "Safe means: everything in the file was read and every name in it is allowed. Unknown is not safe."
    columns = ("file", "verdict", "reasons", "format", "bytes", "SHA-256")
    left = len(found) - MOST_ARTIFACTS
    more = el("p", f"and {plural(left, 'file')} more, in the JSON report") if left > 0 else None
    shown = table("Files", columns, map(_artifact, found[:MOST_ARTIFACTS]), numeric="    n")
    return join([el("p", note, class_="soft"), shown, more, *read])


def _artifact(artifact: Artifact) -> tuple[Html | str, ...]:
    digest = el("span", artifact.sha256[:16], class_="mono") if artifact.sha256 else "–"
    name = el("span", artifact.path, class_="mono")
    return name, tag(artifact.verdict), listing(artifact.reasons), artifact.format, f"{artifact.size_bytes:,}", digest


def probes(report: Report) -> Html:
    """Return what ran, what did not and why, and what it cost."""
    if not report.probes:
        return el("p", "No probe is recorded, so nothing was measured.")
    rows = [
        (
            p.name,
            p.probe,
            p.threat,
            tag(p.outcome),
            p.why,
            f"{p.n_findings:,}",
            f"{p.queries:,}",
            figure(p.cpu_s),
            figure(p.wall_s),
        )
        for p in report.probes
    ]
    columns = ("probe", "id", "threat", "outcome", "why", "findings", "queries", "CPU s", "wall s")
    return table("Probes", columns, rows, numeric="     nnnn")


def again(report: Report) -> Html:
    """Return the command that repeats the run."""
    if not report.run.command:
        return el("p", "No command is recorded for this run.")
    note = "The same seed and data give the same findings; times differ."
    return join([el("pre", report.run.command, tabindex="0"), el("p", note, class_="soft")])


def facts(report: Report) -> Html:
    """Return seed, threads, versions and digests."""
    run, subject = report.run, report.subject
    told = pairs(
        [
            ("Seed", str(run.seed)),
            ("Threads", str(run.threads)),
            ("Machine", run.machine),
            ("Started", run.started),
            ("Wall time", figure(run.wall_s, "s")),
            ("CPU time", figure(run.cpu_s, "s")),
            ("Ran to its end", "yes" if run.complete else f"no: {run.stopped or 'see what was not tested'}"),
            ("Versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
            ("Settings, SHA-256", el("span", run.config_digest, class_="mono") if run.config_digest else None),
            (
                "Subject",
                f"{subject.name} ({subject.kind}, {subject.binding.kind} {subject.binding.uri})".replace(" )", ")"),
            ),
            ("Subject, SHA-256 over its parts", el("span", subject.digest, class_="mono") if subject.digest else None),
            ("Made from", ", ".join(subject.lineage)),
        ]
    )
    parts = [(c.role, c.uri, f"{c.size_bytes:,}", el("span", c.sha256, class_="mono")) for c in subject.components]
    columns = ("part", "where", "bytes", "SHA-256")
    return join(
        [told, table("Parts of the subject", columns, parts, numeric="  n") if parts else None, listing(report.notes)]
    )

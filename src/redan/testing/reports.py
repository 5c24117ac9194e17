"""Reports for trying writers on: clean, full of findings, incomplete, hostile, without numbers."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity, Status, Suppression, Table
from redan.core.report import Artifact, Examined, Gate, Ran, Report, Run, Tool, Unexamined
from redan.core.subject import Component, SubjectRef

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[31mred\x1b[0m \x07\x00",
    "]]> -- `` | [x](javascript:alert(1))",
    "\u202egnp.exe \u2066\ufeff",
    "\udc80 lone surrogate",
    "line\r\nbreak\u2028",
    "=cmd|' /C calc'!A0",
)
"""Text that somebody else chose: names of files, classes and columns reach reports as they are."""

_RATE = Quantity(name="robust_accuracy", value=0.4, unit="fraction", n=50, low=0.28, high=0.54, better="higher")
_SET_ASIDE: tuple[tuple[Status, Severity], ...] = (
    ("baseline", Severity.CRITICAL),
    ("mitigated", Severity.LOW),
    ("inconclusive", Severity.MEDIUM),
    ("open", Severity.INFO),
)


def sample_reports() -> dict[str, Report]:
    """Return reports by what is special about them; every one is different in what a writer has to show."""
    found = _findings()
    return {
        "empty": report(),
        "clean": report(Ran(probe="RDN-SUP-001", name="artifacts", threat="supply_chain", outcome="ran")),
        "findings": replace(report(*_outcomes()[:1]), findings=found),
        "incomplete": replace(report(*_outcomes()), findings=found[:1]),
        "hostile": _hostile(),
        "no numbers": replace(report(*_outcomes()[:1]), findings=(_without_numbers(),)),
    }


def report(*probes: Ran) -> Report:
    """Return a report of these outcomes without findings."""
    done = bool(probes) and all(p.outcome == "ran" for p in probes)
    run = Run(
        command="redan check",
        seed=0,
        threads=1,
        machine="x86_64 Linux",
        versions={"redan": "0"},
        config_digest="",
        started="2026-01-01T00:00:00+00:00",
        wall_s=1.5,
        cpu_s=1.25,
        complete=done,
        stopped="" if done else "interrupted",
    )
    gate = Gate(level=Severity.HIGH, verdict="pass", exit_code=0, reasons=("no open finding at or above high",))
    weights = Component(role="weights", uri="net.pt", sha256="ab" * 32, size_bytes=12)
    return Report(
        tool=Tool(name="redan", version="0"),
        run=run,
        subject=SubjectRef(name="net", kind="torch", components=(weights,)),
        gate=gate if done else replace(gate, verdict="undecided", exit_code=3, reasons=("nothing was measured",)),
        probes=probes,
    )


def _outcomes() -> tuple[Ran, ...]:
    return (
        Ran(probe="RDN-EVA-001", name="cascade", threat="evasion", outcome="ran", n_findings=1, queries=900),
        Ran(probe="RDN-EVA-003", name="hopskipjump", threat="evasion", outcome="partial", why="reason-of-partial"),
        Ran(probe="RDN-PRI-001", name="loss-threshold", threat="privacy", outcome="skipped", why="reason-of-skipped"),
        Ran(probe="RDN-SUP-001", name="artifacts", threat="supply_chain", outcome="failed", why="reason-of-failed"),
    )


def _findings() -> tuple[Finding, ...]:
    curve = Series(name="accuracy_by_eps", x=(0.0, 0.1), y=(0.9, 0.4), low=(0.8, 0.3), high=(1.0, 0.5), n=(50, 50))
    base = Finding(
        rule="RDN-EVA-001",
        threat="evasion",
        subject="net",
        title="title-of-open",
        severity=Severity.HIGH,
        detail="What it means, in a sentence.",
        params={"norm": "linf", "eps": 0.1},
        quantities=(_RATE, replace(_RATE, name="clean_accuracy", value=0.9, low=0.8, high=0.96)),
        series=(curve, Series(name="by_class", x=("cat", "dog"), y=(0.5, 0.3), y_unit="fraction")),
        tables=(
            Table(name="confusion", columns=("true", "cat", "dog"), rows=(("cat", 3, 1), ("dog", 0, 4)), draw="heat"),
        ),
        locations=(Location(uri="data/test.npz", address="sample 7"),),
        evidence=(Evidence.of("adversarial", b"bytes", "application/x-npy").stored(),),
        remedies=("Train it again.",),
        references=("atlas:AML.T0043", "cwe:502"),
    )
    why = Suppression(reason="reason-of-suppressed", expires="2027-01-01", source="redan.toml [[ignore]]")
    aside = replace(base, title="title-of-suppressed", status="suppressed", suppression=why, params={"eps": 0.2})
    others = (
        replace(base, title=f"title-of-{status}", status=status, severity=severity, params={"eps": float(severity)})
        for status, severity in _SET_ASIDE
    )
    return (base, aside, *others)


def _hostile() -> Report:
    first = _findings()[0]
    findings = tuple(
        replace(
            first,
            subject=text,
            title=text,
            detail=text,
            params={text: text},
            quantities=(replace(_RATE, name=text, unit=text),),
            series=(Series(name=text, x=(text, "b"), y=(0.5, 0.1), x_unit=text, y_unit=text),),
            tables=(Table(name=text, columns=(text, "b"), rows=((text, 0.5), ("c", text)), draw="heat"),),
            locations=(Location(uri=text, address=text),),
            evidence=(Evidence(name=text, sha256="00" * 32, media_type=text, size_bytes=1, note=text),),
            remedies=(text,),
            references=(text,),
        )
        for text in HOSTILE
    )
    ran = Ran(probe="RDN-SUP-001", name=HOSTILE[0], threat=HOSTILE[1], outcome="failed", why=HOSTILE[2])
    base = report(ran)
    return replace(
        base,
        subject=replace(base.subject, name=HOSTILE[0]),
        findings=findings,
        artifacts=tuple(Artifact(path=text, verdict="unknown", reasons=(text,), format=text) for text in HOSTILE),
        examined=tuple(Examined(path=text, format=text, by=(text,)) for text in HOSTILE),
        unexamined=tuple(Unexamined(path=text, why=text) for text in HOSTILE),
        notes=HOSTILE,
    )


def _without_numbers() -> Finding:
    nothing = replace(_RATE, value=nan, low=nan, high=nan, n=0)
    endless = Quantity(name="median_distance", value=inf, unit="linf", n=5, low=-inf, high=inf, better="higher")
    curve = Series(name="accuracy_by_eps", x=(0.0, inf), y=(nan, 0.1), x_unit="linf", y_unit="fraction")
    empty = Series(name="by_class", x=(), y=())
    return replace(_findings()[0], quantities=(nothing, endless), series=(curve, empty))

"""The rehearsal: every model file is loaded once in the sandbox, and what the loader did is held against the scan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import SubjectFailed
from redan.core.finding import Evidence, Finding, Location, Quantity, Severity
from redan.core.probe import Spec
from redan.threats.supply_chain.rules import acts_on_load, unseen_name

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.catalogue import Rule
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.subjects.sandbox.rehearsing import Rehearsal

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingParams(core_params.Params):
    """Nothing to set: what a file does must not depend on the caller."""


@probe(
    Spec(
        id="RDN-SUP-006",
        name="loading",
        threat="supply_chain",
        title="What loading each model file really does, in the sandbox and beside the scan",
        source="Python library reference, audit events; Linux documentation, Landlock and seccomp",
        needs=("bytes",),
        cost="seconds",
        default=False,
        references=("cwe:502", "atlas:AML.T0010", "atlas:AML.T0018", "owasp:ML06"),
    )
)
class Loading:
    """Loads every model file once in the sandbox and compares.

    What it measures:
        The names that the real loader resolves, against those that the scan read from the same bytes; the acts that
        the sandbox refused; type, shapes and dtypes of what was loaded.

    Why it matters:
        A scan is a model of the loader. Where the two disagree, somebody found a gap.

    How:
        A process without network, writes, other processes or foreign files (Landlock, seccomp, limits) loads the file
        with its own library. Audit events tell each resolved name and each refused act before it happens.

    Shapes:
        Input: a file or folder. Output: one finding of what was loaded for each file; one for each difference or act.

    Units:
        Counts of names and acts.

    Error of the estimate:
        None for what happened in this one load. A file that behaves differently elsewhere (by date, machine, user) is
        not caught.

    Cost:
        One import of the file's library and one load, in a process of its own.

    Sources:
        PEP 578; Python library reference, audit events table; Linux documentation, Landlock and seccomp.

    Limits:
        Linux 6.7 or later. Native code has no audit events: what it tries is refused without a name.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = LoadingParams

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: LoadingParams,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding]:
        """Load each model file in sorted order.

        Raises:
            UnsafeArtifact: this machine has no sandbox.
            SubjectFailed: a file could not be loaded and did nothing that explains it.
        """
        from redan.kernels.artifacts import inspect, is_artifact
        from redan.subjects.sandbox.rehearsing import rehearse

        failures: list[str] = []
        for file, shown in subject.files():
            if budget.stop():
                break
            if not file.is_file() or not is_artifact(reading := inspect(file)):
                continue
            observe.started("loading", 1)
            rehearsal = rehearse(file, reading)
            observe.finished("loading", shown)
            yield from findings(rehearsal, shown, subject.root.name)
            if rehearsal.failure and not rehearsal.tried and not rehearsal.unseen:
                failures.append(f"{shown}: {rehearsal.failure}")
        if failures:
            raise SubjectFailed(f"not loaded: {'; '.join(failures[:_SHOWN])}")


def findings(rehearsal: Rehearsal, shown: str, subject_name: str) -> Iterator[Finding]:
    """Turn one rehearsal into findings: differences, acts, and what was loaded."""
    for name in rehearsal.unseen:
        title = f"{shown}: the loader resolved {name}, which the scan did not see"
        yield _finding(unseen_name.RULE, title, shown, name)
    for act in rehearsal.tried:
        yield _finding(acts_on_load.RULE, f"{shown}: loading tried {act}; the sandbox refused", shown, act)
    if rehearsal.type:
        yield _loaded(rehearsal, shown, subject_name)


def _finding(rule: Rule, title: str, shown: str, address: str) -> Finding:
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=shown.partition("/")[0],
        title=title,
        severity=rule.severity,
        detail=rule.title,
        locations=(Location(uri=shown, address=address),),
        remedies=(rule.remedy,),
        references=rule.references,
    )


def _loaded(rehearsal: Rehearsal, shown: str, subject_name: str) -> Finding:
    n, missing = len(rehearsal.resolved), len(rehearsal.unused)
    agreed = "the scan saw all of them" if not rehearsal.unseen else f"{len(rehearsal.unseen)} unseen by the scan"
    unused = f"; {missing} that the scan saw were not needed" if missing else ""
    record = {
        "type": rehearsal.type,
        "parts": [{"name": p.name, "shape": list(p.shape), "dtype": p.dtype} for p in rehearsal.parts],
        "resolved": list(rehearsal.resolved),
        "imported": list(rehearsal.imported),
        "unused": list(rehearsal.unused),
        "tried": list(rehearsal.tried),
    }
    counts = (("resolved_names", n), ("unseen_names", len(rehearsal.unseen)), ("refused_acts", len(rehearsal.tried)))
    return Finding(
        rule="RDN-SUP-006",
        threat="supply_chain",
        subject=subject_name,
        title=f"{shown}: a {rehearsal.type} with {len(rehearsal.parts)} arrays; {n} names resolved, {agreed}{unused}",
        severity=Severity.INFO,
        detail="What one load in the sandbox made of the file.",
        quantities=tuple(_count(name, value) for name, value in counts),
        locations=(Location(uri=shown),),
        evidence=(Evidence.of("loaded", json.dumps(record, indent=1).encode(), "application/json", "one load"),),
        references=("cwe:502",),
    )


def _count(name: str, value: int) -> Quantity:
    number = float(value)
    return Quantity(name=name, value=number, unit="count", n=1, low=number, high=number, better="lower")

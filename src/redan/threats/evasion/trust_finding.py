"""The verdict of the masking suite as a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Severity, Table
from redan.evidence.blobs import NPY, TORCH_NPY, save_npy
from redan.threats.evasion.measured import exact, percent, rate, replay
from redan.threats.evasion.trust import COLUMNS

if TYPE_CHECKING:
    from redan.core.finding import Scalar
    from redan.core.probe import Spec
    from redan.threats.evasion.measured import Setting
    from redan.threats.evasion.trust import Trusted

_REMEDIES = (
    "quote the repaired accuracy, never that of the usual attack",
    "adversarial training: redan.harden(net, against='evasion')",
)


def finding(spec: Spec, name: str, params: dict[str, Scalar], found: Trusted, where: Setting) -> Finding:
    """Put verdict, checks, accuracies and points together; masked is high, since a quoted number is wrong."""
    masked, undecided = found.verdict == "masked", found.verdict == "could not decide"
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=name,
        title=_title(found),
        severity=Severity.HIGH if masked else Severity.INFO,
        status="inconclusive" if undecided else "open",
        detail=_detail(found),
        params=params,
        quantities=_quantities(found),
        series=_series(found),
        tables=(Table(name="checks", columns=COLUMNS, rows=found.rows()),) if found.checks else (),
        locations=(Location(uri=found.data.name),),
        evidence=_evidence(found, where),
        remedies=_REMEDIES if masked else (),
        references=spec.references,
    )


def _title(found: Trusted) -> str:
    n = len(found.data)
    if found.verdict == "could not decide":
        return f"Whether its robustness is real could not be decided: {found.reason}"
    if found.verdict == "trustworthy":
        return f"None of {len(found.checks)} checks says that gradients are masked"
    usual, left = percent(float((~found.before).mean())), percent(float((~found.after).mean()))
    return f"Masked gradients: usual attacks leave {usual} of {n} inputs, repaired ones {left}"


def _detail(found: Trusted) -> str:
    flagged = [check for check in found.checks if check.flagged]
    parts = [f"{check.name} {check.value:.3g} (at most {check.threshold:g} is honest)" for check in flagged]
    words = []
    if parts:
        words.append(f"{len(flagged)} of {len(found.checks)} checks are flagged: {'; '.join(parts)}.")
    if found.repairs:
        words.append(f"Repaired: {', '.join(found.repairs)}.")
    if found.wrong_rate < 1:
        words.append(f"Where it falls, {percent(found.wrong_rate)} of the random answers are wrong.")
    if found.verdict == "trustworthy":
        words.append("That is no proof: it means that the usual signs of a hidden weakness are absent.")
    if found.reason and parts:
        words.append(f"The suite ended early: {found.reason}.")
    return " ".join(words)


def _quantities(found: Trusted) -> tuple[Quantity, ...]:
    partial = bool(found.reason)
    n = len(found.data)
    flagged = sum(check.flagged for check in found.checks)
    return (
        rate("repaired_accuracy", ~found.after, better="higher", partial=partial),
        rate("usual_accuracy", ~found.before, better="higher", partial=partial),
        rate("clean_accuracy", found.clean, better="higher", partial=partial),
        Quantity(
            name="checks_flagged",
            value=float(flagged),
            unit="count",
            n=len(found.checks),
            low=float(flagged),
            high=float(flagged),
            better="lower",
            partial=partial,
        ),
        exact("samples_asked", found.queries, n),
    )


def _series(found: Trusted) -> tuple[Series, ...]:
    if not found.stages:
        return ()
    names, counts = zip(*found.stages, strict=True)
    return (Series(name="waterfall", x=names, y=tuple(map(float, counts)), x_unit="stage", y_unit="inputs"),)


def _evidence(found: Trusted, where: Setting) -> tuple[Evidence, ...]:
    return (
        Evidence.of("adversarial", save_npy(found.adversarial), TORCH_NPY, "every input, moved where an attack did it"),
        Evidence.of("success", save_npy(found.after), TORCH_NPY, "which inputs fell to any attack"),
        Evidence.of("success-usual", save_npy(found.before), TORCH_NPY, "which inputs fell to the usual attack"),
        Evidence.of("indices", save_npy(found.data.indices), NPY, "rows of the source, in the same order"),
        replay(where, found.data),
    )

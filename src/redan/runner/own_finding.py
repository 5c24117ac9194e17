"""What is said of a model that was marked or whose fingerprint was taken: before and after, with the price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redan.core.finding import Finding, Location, Quantity, Severity, Table
from redan.kernels.ownership.null import fitted
from redan.kernels.statistics import mcnemar, wilson
from redan.runner.harden_measuring import latencies
from redan.threats.theft.rules.marked import RULE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from redan.core.inputs import Dataset
    from redan.core.subject import Subject
    from redan.evidence.ownership import Mark
    from redan.runner.own_mark import MarkParams, Owned

CLEAR = 1e-6
"""p-value of the owner's own model above which nothing can be claimed with a mark."""
LEARNED = 0.9
"""Share of the secrets below which little is left after a thief's work."""
BATCH = 256
_MORE = {
    "triggers": "train longer: --param steps=5000",
    "weights": "train longer: --param steps=5000",
    "fingerprint": "take more points: --param points=1000",
}


def finding_of(owned: Owned, before: Subject, test: Dataset, params: MarkParams) -> Finding:
    """Compare the model as it was with the marked one on the test rows.

    Args:
        owned: the model with its secrets and the counts of independent models.
        before: the model as it was.
        test: rows that both answer.
        params: how the mark was put in.
    """
    changed = owned.subject is not before
    told: dict[str, float] = {mark.kind: _own_p(mark) for mark in owned.marks}
    weak = [mark for mark in owned.marks if told[mark.kind] >= CLEAR]
    faint = [mark for mark in owned.marks if mark.matched < LEARNED * mark.n]
    right = _right(before, test)
    after = _right(owned.subject, test) if changed else right
    slow = latencies([before, owned.subject] if changed else [before], test.x)
    quantities = (
        *(_matched(mark) for mark in owned.marks),
        _accuracy("clean_accuracy_before", right),
        _accuracy("clean_accuracy", after),
        *(_p(mark, told[mark.kind]) for mark in owned.marks),
        _exact("training_cpu_s", owned.training_cpu_s, "s"),
    )
    return Finding(
        rule=RULE.id,
        threat=RULE.threat,
        subject=owned.subject.ref.name,
        title=_title(owned, right, after),
        severity=Severity.MEDIUM if weak else Severity.LOW if faint else RULE.severity,
        detail=_detail(owned, weak, faint, right, after),
        params=params.as_dict(),
        quantities=quantities,
        tables=(_before_after(owned, right, after, slow), _marks(owned, told)),
        locations=(Location(uri=test.name),),
        remedies=tuple(dict.fromkeys(_MORE[mark.kind] for mark in (*weak, *faint))) or (RULE.remedy,),
        references=RULE.references,
    )


def _own_p(mark: Mark) -> float:
    return fitted(mark.independent, mark.n).p_value(mark.matched, mark.n)


def _right(subject: Any, test: Dataset) -> NDArray[np.bool_]:
    import numpy as np

    parts = [subject.labels(test.x[i : i + BATCH]) == test.y[i : i + BATCH] for i in range(0, len(test), BATCH)]
    return np.concatenate(parts)


def _title(owned: Owned, right: NDArray[np.bool_], after: NDArray[np.bool_]) -> str:
    kept = ", ".join(f"{mark.matched} of {mark.n} {mark.kind}" for mark in owned.marks)
    return f"{owned.subject.ref.name!r} gives {kept}; clean accuracy {right.mean():.1%} -> {after.mean():.1%}"


def _detail(
    owned: Owned, weak: list[Mark], faint: list[Mark], right: NDArray[np.bool_], after: NDArray[np.bool_]
) -> str:
    p = mcnemar(right.tolist(), after.tolist())
    told = (
        f"Measured on the same {len(right)} test rows (McNemar p = {p:.2g}); {owned.note}. "
        f"Independent models: {owned.independent}."
    )
    if weak:
        names = " and ".join(mark.kind for mark in weak)
        return f"Nothing can be claimed with the {names}: strangers match as often. {told}"
    if faint:
        names = " and ".join(mark.kind for mark in faint)
        return f"The model knows few of the {names}; fine-tuning or pruning will leave too few of them. {told}"
    return f"The owner's own model is told from independent ones at p < {CLEAR:g} by every mark. {told}"


def _matched(mark: Mark) -> Quantity:
    low, high = wilson(mark.matched, mark.n)
    name, value = f"{mark.kind}_match_rate", mark.matched / mark.n
    return Quantity(name=name, value=value, unit="fraction", n=mark.n, low=low, high=high, better="higher")


def _accuracy(name: str, right: NDArray[np.bool_]) -> Quantity:
    n, hits = len(right), int(right.sum())
    low, high = wilson(hits, n)
    return Quantity(name=name, value=hits / n, unit="fraction", n=n, low=low, high=high, better="higher")


def _p(mark: Mark, value: float) -> Quantity:
    name = f"{mark.kind}_p_value"
    return Quantity(name=name, value=value, unit="probability", n=mark.n, low=value, high=value, better="lower")


def _exact(name: str, value: float, unit: str) -> Quantity:
    return Quantity(name=name, value=value, unit=unit, n=1, low=value, high=value, better="lower")


def _before_after(
    owned: Owned, right: NDArray[np.bool_], after: NDArray[np.bool_], slow: tuple[Quantity, ...]
) -> Table:
    then, now = slow[0].value, slow[-1].value
    rows = (
        ("clean accuracy", _percent(right), _percent(after), f"{100 * (after.mean() - right.mean()):+.1f} points"),
        ("latency a row", f"{1e6 * then:.1f} µs", f"{1e6 * now:.1f} µs", f"× {now / then:.2f}" if then > 0 else "–"),
        ("training", "–", f"{owned.training_cpu_s:.1f} CPU s", "–"),
    )
    return Table(name="before_and_after", columns=("what", "before", "after", "change"), rows=rows)


def _percent(right: NDArray[np.bool_]) -> str:
    low, high = wilson(int(right.sum()), len(right))
    return f"{right.mean():.1%} ({100 * low:.1f}\N{EN DASH}{100 * high:.1f})"


def _marks(owned: Owned, told: dict[str, float]) -> Table:
    rows = tuple(
        (
            mark.kind,
            mark.n,
            mark.matched,
            f"{min(mark.independent)}\N{EN DASH}{max(mark.independent)}",
            f"{100 * fitted(mark.independent, mark.n).upper:.1f}",
            f"{told[mark.kind]:.1e}",
        )
        for mark in owned.marks
    )
    columns = ("mark", "secrets", "model's", "independent", "99 % below %", "p-value")
    return Table(name="marks", columns=columns, rows=rows)

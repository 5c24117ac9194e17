"""What an attack on texts found, as quantities, curves, examples and evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.finding import Evidence, Finding, Location, Quantity, Series, Table
from redan.evidence.blobs import NPY, save_npy
from redan.evidence.replay import Replay, digest_of
from redan.kernels.statistics import median_interval, wilson
from redan.kernels.text_attacks.slots import Slots, edit_distance, marked
from redan.threats.evasion.measured import by_class, exact, label, percent, rate
from redan.threats.evasion.threat import THREAT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.finding import Better, Confidence, Scalar
    from redan.core.inputs import Dataset
    from redan.core.probe import Spec
    from redan.core.subject import Subject

EXAMPLES = 12
SHOWN = 240
"""Characters of an example."""
REMEDIES = ("text-normalisation", "text-augmentation", "limit queries where the model is served")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attack:
    """Result of an attack on n texts.

    Attributes:
        data: what was attacked.
        slots: the texts taken apart.
        changes: place → word, for each text that fell; empty otherwise.
        already: (n,) bool, the model errs without attack.
        success: (n,) bool, it errs; with those above.
        given: (n,) classes the model gives at the end, −1 where it was not asked again.
        allowed: words that each text might change.
        queries: texts asked about.
        calls: in so many calls.
        graded: scores were asked, not labels alone.
        reason: why it was cut short, else empty.
        cosine: how alike two texts are, None where nothing tells.
        notes: what else a reader must know.
        most_words: the parameter.
    """

    data: Dataset
    slots: Sequence[Slots]
    changes: Sequence[Mapping[int, str]]
    already: NDArray[np.bool_]
    success: NDArray[np.bool_]
    given: NDArray[np.int64]
    allowed: Sequence[int]
    queries: int
    calls: int
    graded: bool
    reason: str
    cosine: Callable[[str, str], float] | None
    notes: tuple[str, ...]
    most_words: int

    @property
    def words_changed(self) -> NDArray[np.float64]:
        """(n,) words changed where a text fell: 0 where the model errs without attack, inf where nothing was found."""
        counts = np.array([len(c) for c in self.changes], float)
        return np.where(self.already, 0.0, np.where(self.success, counts, np.inf))

    @property
    def fell(self) -> list[int]:
        """Places of the texts that only the attack made fall, the fewest changes first."""
        order = np.argsort(self.words_changed, kind="stable")
        return [int(i) for i in order if self.success[i] and not self.already[i]]

    def text(self, place: int) -> str:
        """Return a text as the attack left it."""
        return self.slots[place].joined(self.changes[place])


def text_finding(
    spec: Spec,
    subject: Subject,
    params: dict[str, Scalar],
    found: Attack,
    *,
    confidence: Confidence = "confirmed",
    tables: tuple[Table, ...] = (),
) -> Finding:
    """Put everything together; the severity comes from the pessimistic end of robust accuracy."""
    partial = bool(found.reason)
    robust = rate("robust_accuracy", ~found.success, better="higher", partial=partial)
    clean = rate("clean_accuracy", ~found.already, better="higher", partial=partial)
    right = ~found.already
    y = np.asarray(found.data.y)
    numbers = (
        robust,
        clean,
        rate("attack_success_rate", found.success[right], better="lower", partial=partial),
        *_prices(found, partial=partial),
        exact("queries", found.queries, len(y)),
        exact("calls", found.calls, len(y)),
    )
    return Finding(
        rule=spec.id,
        threat=spec.threat,
        subject=subject.ref.name,
        title=f"{percent(robust.value)} of {robust.n} texts withstand {spec.name} of at most {found.most_words} words",
        severity=THREAT.severity(robust),
        confidence=confidence,
        detail=_detail(found, robust, clean),
        params=params,
        quantities=tuple(q for q in numbers if q.n),
        series=(
            by_words(found),
            by_class("by_class", ~found.success, y, found.data.classes or subject.classes),
            by_class("clean_by_class", right, y, found.data.classes or subject.classes),
        ),
        tables=(*tables, *_examples(found, found.data.classes or subject.classes)),
        locations=(Location(uri=found.data.name),),
        evidence=_evidence(found),
        remedies=REMEDIES,
        references=spec.references,
    )


def _detail(found: Attack, robust: Quantity, clean: Quantity) -> str:
    asked = "scores" if found.graded else "labels alone"
    parts = [
        f"Without attack {percent(clean.value)} are right. With at most {found.most_words} changed words the attack, "
        f"which saw {asked}, leaves {percent(robust.value)} (95 % interval {percent(robust.low)} to "
        f"{percent(robust.high)}, n = {robust.n}); a stronger attack can only lower it.",
        f"The attack was cut short ({found.reason})." if found.reason else "",
        *(f"{note}." for note in found.notes),
    ]
    return " ".join(part for part in parts if part)


def _prices(found: Attack, *, partial: bool) -> tuple[Quantity, ...]:
    """Return medians over the texts that fell: words, edits, words that stayed, likeness."""
    fell = found.fell
    edits = [float(edit_distance(found.slots[i], found.changes[i])) for i in fell]
    words = [float(len(found.changes[i])) for i in fell]
    kept = [1 - len(found.changes[i]) / len(found.slots[i].words) for i in fell]
    rows = [
        _median("median_words_changed", words, "words", "higher", partial=partial),
        _median("median_edit_distance", edits, "characters", "higher", partial=partial),
        _median("median_words_kept", kept, "share", "lower", partial=partial),
    ]
    if found.cosine is not None:
        alike = [found.cosine(found.slots[i].joined({}), found.text(i)) for i in fell]
        rows.append(_median("median_cosine", alike, "cosine", "lower", partial=partial))
    return tuple(row for row in rows if row is not None)


def _median(name: str, values: list[float], unit: str, better: Better, *, partial: bool) -> Quantity | None:
    if not values:
        return None
    low, high = median_interval(values)
    middle = sorted(values)[len(values) // 2]
    return Quantity(
        name=name,
        value=middle,
        unit=unit,
        n=len(values),
        low=max(low, min(values)),
        high=min(high, max(values)),
        better=better,
        partial=partial,
    )


def by_words(found: Attack) -> Series:
    """Return robust accuracy against the most words that may change."""
    n, steps = len(found.success), range(found.most_words + 1)
    kept = [int((found.words_changed > step).sum()) for step in steps]
    bands = [wilson(k, n) for k in kept]
    return Series(
        name="accuracy_by_words",
        x=tuple(map(float, steps)),
        y=tuple(k / n for k in kept),
        low=tuple(low for low, _ in bands),
        high=tuple(high for _, high in bands),
        n=(n,) * len(kept),
        x_unit="words changed",
        y_unit="fraction",
    )


def _examples(found: Attack, classes: tuple[str, ...]) -> tuple[Table, ...]:
    """Return fallen texts with their changes, of different classes first; hidden signs are written out."""
    y, order = np.asarray(found.data.y), found.fell
    first = {int(y[i]): i for i in reversed(order)}
    varied = sorted(first.values(), key=order.index)
    chosen = (varied + [i for i in order if i not in set(varied)])[:EXAMPLES]
    rows = tuple(
        (
            int(found.data.indices[i]),
            label(int(y[i]), classes),
            label(int(found.given[i]), classes) if found.given[i] >= 0 else "another",
            written_out(marked(found.slots[i], found.changes[i], most=SHOWN)),
        )
        for i in chosen
    )
    return (Table(name="examples", columns=("row", "true class", "taken for", "text"), rows=rows),) if rows else ()


def written_out(text: str) -> str:
    """Return a text whose letters beyond Latin are written as their numbers: look-alikes would look alike."""
    return "".join(sign if sign.isascii() or sign in "→…" else f"\\u{ord(sign):04x}" for sign in text)


def _evidence(found: Attack) -> tuple[Evidence, ...]:
    rows = [
        {
            "index": int(index),
            "allowed": found.allowed[i],
            "already": bool(found.already[i]),
            "success": bool(found.success[i]),
            "changes": [[place, word] for place, word in sorted(found.changes[i].items())],
            "text": found.text(i),
        }
        for i, index in enumerate(found.data.indices.tolist())
    ]
    replay = Replay(
        norm="words",
        eps=float(found.most_words),
        bounds=(0.0, 1.0),
        data=found.data.name,
        data_sha256=found.data.sha256,
        rows_sha256=digest_of(found.data),
    )
    return (
        Evidence.of("texts", _json(rows), "application/json", "every text as the attack left it, and what it changed"),
        Evidence.of("success", save_npy(found.success), NPY, "which texts fell"),
        Evidence.of("distance", save_npy(found.words_changed), NPY, "words changed where a text fell"),
        Evidence.of("replay", replay.to_json(), "application/json", "what to verify the evidence against"),
    )


def _json(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True).encode() + b"\n"

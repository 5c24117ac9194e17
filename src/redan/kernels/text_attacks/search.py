"""The search for few words whose change makes a classifier err; all texts advance together, in few large calls.

Words are ranked by what the model loses when they are left out (Gao et al. 2018, DeepWordBug, "replace-1"; Ren et al.
2019, PWWS), then changed one after the other, the best of their candidates each time. What is not needed is taken back
at the end. With labels alone the order is drawn, changes are made blindly, and the whole is repeated with other draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.draws import words as draw_words
from redan.kernels.text_attacks.slots import Slots, slots

if TYPE_CHECKING:
    from redan.kernels.text_attacks.asking import Asking

    Changes = dict[int, str]
    Propose = Callable[[str, np.uint64, int], Sequence[str]]

ORDER_STREAM = 1_000_003
"""Stream of the draws that break ties; candidates draw from streams below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be changed.

    Attributes:
        words: most words of a text.
        share: most of its words as a fraction; one word always may.
        length: most that the text may grow or shrink, as a fraction of its characters; one sign always may.
        width: words whose candidates are compared in one step.
        restarts: blind searches where only labels are known.
    """

    words: int = 8
    share: float = 0.25
    length: float = 0.25
    width: int = 2
    restarts: int = 4

    def allowed(self, text: Slots) -> int:
        """Return how many words of a text may be changed."""
        return min(self.words, max(1, math.floor(self.share * len(text.words))), len(text.words))

    def keeps_length(self, text: Slots, changes: Changes) -> bool:
        """Whether the text with its changes is about as long as before."""
        before = sum(map(len, (*text.words, *text.gaps)))
        grown = sum(len(word) - len(text.words[at]) for at, word in changes.items())
        return abs(grown) <= max(1.0, self.length * before)


@dataclass(slots=True, kw_only=True)
class Walker:
    """One text on its way."""

    text: Slots
    truth: int
    key: np.uint64
    allowed: int
    margin: float = -math.inf
    changes: Changes = field(default_factory=dict)
    best: Changes | None = None
    order: list[int] = field(default_factory=list)


def search(
    asking: Asking, texts: Sequence[str], y: Sequence[int], keys: Sequence[np.uint64], propose: Propose, limits: Limits
) -> list[Walker]:
    """Attack every text.

    Args:
        asking: counted access to the model; raises `Ended` when nothing more may be asked.
        texts: (n,) clean texts.
        y: (n,) true classes.
        keys: (n,) keys of the draws.
        propose: word, key and place → its candidates.
        limits: what may be changed.

    Returns:
        A walker for each text; ``best`` holds the changes that make the model err: empty where it errs without any,
        None where none were found.
    """
    walkers = []
    for text, truth, key in zip(texts, y, keys, strict=True):
        parts = slots(text)
        walkers.append(Walker(text=parts, truth=int(truth), key=key, allowed=limits.allowed(parts)))
    if asking.begun([w.text.joined({}) for w in walkers], walkers):
        for attempt in range(1 if asking.graded else limits.restarts):
            live = [w for w in walkers if w.best is None and w.text.words]
            if not live or not _ranked(asking, live, attempt) or not _walked(asking, live, propose, limits, attempt):
                break
        _shrunk(asking, [w for w in walkers if w.best])
    return walkers


def _ranked(asking: Asking, live: list[Walker], attempt: int) -> bool:
    """Order the words of each text by what leaving them out does; ties, and all words without scores, by a draw."""
    gains: list[list[float]] = [[0.0] * len(w.text.words) for w in live]
    if asking.graded:
        places = [(w, at) for w in live for at in range(len(w.text.words))]
        found = asking.margins(((w.text.joined({at: ""}), w.truth) for w, at in places), len(places))
        if found is None:
            return False
        start = 0
        for number, w in enumerate(live):
            gains[number] = found[start : start + len(w.text.words)].tolist()
            start += len(w.text.words)
    for w, gain in zip(live, gains, strict=True):
        ties = draw_words([w.key], (len(gain),), stream=ORDER_STREAM + attempt)[0]  # type: ignore[arg-type]  # one key
        w.changes = {}
        w.order = sorted(range(len(gain)), key=lambda at: (-gain[at], int(ties[at])))
    return True


def _walked(asking: Asking, live: list[Walker], propose: Propose, limits: Limits, attempt: int) -> bool:
    width = limits.width if asking.graded else 1
    while live:
        steps = [(w, at, form) for w in live for at, form in _forms(w, propose, limits, width, attempt, asking.graded)]
        found = asking.margins(((w.text.joined({**w.changes, at: form}), w.truth) for w, at, form in steps), len(steps))
        if found is None:
            return False
        start = 0
        for w in live:
            mine = [step[1:] for step in steps[start : start + _count(steps, start, w)]]
            _step(w, mine, found[start : start + len(mine)], graded=asking.graded, width=width)
            start += len(mine)
        live = [w for w in live if w.best is None and w.order and len(w.changes) < w.allowed]
    return True


def _count(steps: list[tuple[Walker, int, str]], start: int, walker: Walker) -> int:
    end = start
    while end < len(steps) and steps[end][0] is walker:
        end += 1
    return end - start


def _forms(
    w: Walker, propose: Propose, limits: Limits, width: int, attempt: int, graded: bool
) -> Iterator[tuple[int, str]]:
    """Yield places and words that may stand there next; without scores one for each place, drawn."""
    for at in w.order[:width]:
        forms = [
            form
            for form in propose(w.text.words[at], w.key, at)
            if limits.keeps_length(w.text, {**w.changes, at: form})
        ]
        if not graded and forms:
            draw = int(draw_words([w.key], (1,), stream=2 * ORDER_STREAM + attempt * 4096 + at)[0, 0] >> 32)  # type: ignore[arg-type]  # one key
            forms = [forms[draw % len(forms)]]
        for form in forms:
            yield at, form


def _step(w: Walker, forms: list[tuple[int, str]], margins: np.ndarray, *, graded: bool, width: int) -> None:
    """Take the best change; places that brought nothing are left alone."""
    tried = w.order[:width]
    best = int(np.argmax(margins)) if len(forms) else -1
    if best >= 0 and (not graded or margins[best] > w.margin):
        at, form = forms[best]
        w.changes = {**w.changes, at: form}
        w.order.remove(at)
        w.margin = float(margins[best]) if graded else w.margin
        if margins[best] > 0:
            w.best = w.changes
        return
    w.order = [at for at in w.order if at not in tried]


def _shrunk(asking: Asking, fallen: list[Walker]) -> None:
    """Take changes back one by one as long as the model still errs."""
    live = [w for w in fallen if w.best is not None and len(w.best) > 1]
    while live:
        steps = [(w, at) for w in live for at in sorted(w.best or {})]
        found = asking.margins(((w.text.joined(_without(w, at)), w.truth) for w, at in steps), len(steps))
        if found is None:
            return
        margins: dict[int, list[tuple[float, int]]] = {}
        for (w, at), margin in zip(steps, found.tolist(), strict=True):
            margins.setdefault(id(w), []).append((margin, -at))
        still = []
        for w in live:
            margin, place = max(margins[id(w)])
            if margin > 0:
                w.best = _without(w, -place)
                still.append(w)
        live = [w for w in still if w.best is not None and len(w.best) > 1]


def _without(w: Walker, at: int) -> Changes:
    return {place: word for place, word in (w.best or {}).items() if place != at}

"""A text holds more green tokens than chance allows: it was generated with the owner's mark.

What it means:
    After each context a secret share of the tokens is green. A model that raises their logits writes more of them; the
    p-value is the exact binomial probability that a text written without the key has as many.

Why it matters:
    It tells text of one's own model from other text: in training data, in answers that somebody resells, in forgeries.

How it is found:
    The text is split by the generating model's tokenizer; each distinct pair of context and token counts once.

What to do:
    Keep such text out of training data, or ask whoever sells it where it comes from.

Limits:
    Short texts, low entropy (code, quotations) and paraphrase leave no sign. Many texts tried with one key need a
    stricter threshold.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-THE-011",
        name="text-mark",
        threat="theft",
        title="A text carries the mark of a generator, with an exact p-value",
        severity=Severity.HIGH,
        remedy="Keep it out of training data, or ask for its origin.",
        references=("arxiv:2301.10226",),
    ),
    module=__name__,
    doc=__doc__,
)

"""A package, model or data set has a licence that is not allowed here, restricts its use, or is not known.

What it means:
    Not allowed: the licence is none of those in ``[scan] licences``. Restricted: it says what the work may not be used
    for, as RAIL, Llama and Gemma licences and the non-commercial ones of Creative Commons do. Unknown: nothing is
    stated, or words such as ``BSD`` or ``other`` that name no licence exactly.

Why it matters:
    A model trained from, or shipped with, a work under such a licence can often not be sold or passed on as planned;
    restrictions of use must be imposed on everybody downstream. Finding out late is expensive.

How it is found:
    The metadata of installed packages and lock files, the front matter of model and data cards, Croissant descriptions
    and the titles of licence texts are read. Expressions follow SPDX: each part of an AND and one part of an OR must
    be allowed. Without an allow-list only restrictions are told.

What to do:
    Choose another version or work, obtain another licence, or add the licence to the allow-list after reading it.

Limits:
    No legal advice. What a text says below its title, and what was changed in it, is not read.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-029",
        name="licence-not-fit",
        threat="supply_chain",
        title="A licence is not allowed, restricts use, or is not known",
        severity=Severity.HIGH,
        remedy="Choose another version or work, obtain another licence, or allow this one after reading it.",
        references=("cwe:1357",),
    ),
    module=__name__,
    doc=__doc__,
)

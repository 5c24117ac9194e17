"""A stored output or attachment holds a script, a frame or something from another server.

What it means:
    The HTML, SVG or JavaScript of an output does something when the notebook is opened: it runs, or it fetches.

Why it matters:
    Viewers that trust a notebook run its outputs with the reader's session; a picture from another server tells who
    opens the notebook and when.

How it is found:
    Outputs, Markdown and attachments are searched for ``<script>``, event attributes, ``javascript:``, frames, objects
    and pictures with an address of another server, and JavaScript outputs.

What to do:
    Clear the outputs before you share the notebook (``redan redact --outputs drop``), and do not trust foreign ones.

Limits:
    Libraries of plots store scripts in their outputs too; that they are harmless is not shown.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-017",
        name="notebook-active-output",
        threat="supply_chain",
        title="A stored output runs or fetches something when the notebook is opened",
        severity=Severity.MEDIUM,
        remedy="Clear the outputs; do not trust notebooks of others.",
        references=("cwe:79", "cwe:829"),
    ),
    module=__name__,
    doc=__doc__,
)

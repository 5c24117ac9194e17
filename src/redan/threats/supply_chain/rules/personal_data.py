"""Outputs or data files hold personal data.

What it means:
    Values have the format of e-mail addresses, phone numbers, bank accounts, cards, national numbers, passport lines,
    dates of birth or positions, or a table has a column of names beside columns about their bearers.

Why it matters:
    Whoever gets the notebook or the file gets the people in it. A model trained on such a table may repeat it, and the
    law asks for a reason, a purpose and a way to delete.

How it is found:
    Only in outputs of notebooks and in data files (CSV, JSON, text), never in code. Checksums and issued ranges are
    verified where the number has them (IBAN, cards, social security, passports); dates, positions and addresses of
    machines count only beside a word that makes them personal. Values are masked.

What to do:
    Clear the outputs, or write a clean copy: ``redan redact NOTEBOOK -o clean.ipynb``. Replace direct identifiers in
    data by keyed pseudonyms before training.

Limits:
    Names in running text are not found. Test data that looks real is taken for real.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-014",
        name="personal-data-in-file",
        threat="supply_chain",
        title="Outputs or data files hold personal data",
        severity=Severity.MEDIUM,
        remedy="Clear or redact the outputs; replace identifiers in data by keyed pseudonyms.",
        references=("cwe:359", "atlas:AML.T0057"),
    ),
    module=__name__,
    doc=__doc__,
)

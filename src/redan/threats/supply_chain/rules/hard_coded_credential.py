"""A random value stands beside a name such as password, token or API key.

What it means:
    No provider's format tells the value, its name does, and it is random enough to be meant: no placeholder, no
    variable, no path, no number, no word.

Why it matters:
    A password in a file is known to everyone who ever had the file, and it is hard to change, because the code that
    needs it has to change too.

How it is found:
    Names are split into words, so that ``max_tokens`` and ``cache_key`` are none. Values are judged by length,
    alphabet and Shannon entropy only beside such a name: in assignments, arguments, JSON, YAML, shell options,
    tables with that head, ``.netrc`` entries and HTTP headers.

What to do:
    Change the credential, then read it from the environment or a vault. A harmless value is allowed by its SHA-256 with
    a reason and a date (``allow_secret`` in ``[scan]``).

Limits:
    Passwords made of plain words, and those beside a name that says nothing, are not found.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-012",
        name="hard-coded-credential",
        threat="supply_chain",
        title="A random value stands beside a name such as password or token",
        severity=Severity.HIGH,
        remedy="Change it, then read it from the environment or a vault.",
        references=("cwe:798", "cwe:259", "atlas:AML.T0055"),
    ),
    module=__name__,
    doc=__doc__,
)

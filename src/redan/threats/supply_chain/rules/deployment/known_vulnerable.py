"""The version has known vulnerabilities.

What it means:
    The version that the server tells of itself lies in the range of an advisory.

Why it matters:
    Exploits for model servers are public and are tried by machines.

How it is found:
    Versions are compared with a short table of advisories that comes with Redan; the vulnerability itself is
    not tried, so the result is likely, never confirmed.

What to do:
    Upgrade to the version that the finding names.

Limits:
    Only what a harmless request shows is told. "Not seen" is no promise, and what could not be looked at is listed as
    not tested.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-083",
        name="known-vulnerable-server",
        threat="supply_chain",
        title="The version has known vulnerabilities",
        severity=Severity.HIGH,
        remedy="Upgrade to the version that the finding names.",
        references=("cwe:1395",),
    ),
    module=__name__,
    doc=__doc__,
)

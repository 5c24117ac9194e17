"""Decisions that cannot be recorded now, or records that were accepted and lost.

What it means:
    The audit log of a replica takes no records: its disk is full or failed, or more waits than may wait. Or, in
    asynchronous mode, records whose callers were answered never reached the disk; the finding says how many.

Why it matters:
    What is not recorded cannot be proved later, and a full disk is the simplest way to make a gateway forget. In
    durable mode nothing is answered meanwhile, so this is an outage too.

How it is found:
    The auditor looks four times a second whether its log takes records, and counts what a failing disk lost.

What to do:
    Make room on the volume of `[audit] log`, or replace the disk; the gateway goes on by itself. Where records were
    lost, `[audit] mode = "durable"` answers only what is recorded.

Limits:
    A log that was changed by somebody is found by `redan audit verify` and by witnesses, not by this.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-OPE-207",
        name="unrecorded",
        threat="operation",
        title="Decisions that cannot be recorded",
        severity=Severity.HIGH,
        remedy="Make room on the volume of the audit log, or replace its disk.",
        references=("cwe:778", "nist:ai-rmf-measure-2.4"),
    ),
    module=__name__,
    doc=__doc__,
)

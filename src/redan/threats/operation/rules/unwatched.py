"""Answered requests that no watcher saw, or a watcher that could not start.

What it means:
    Requests came faster than the watchers beside the path may work, or a watcher's file could not be opened. What was
    not seen is unknown, not clean.

Why it matters:
    An attack hides in what nobody looks at, and a storm of requests is the cheapest way to make it so.

How it is found:
    Watchers read from a queue of bounded length and may use a bounded share of a core. Rows beyond either are counted;
    the finding comes when more than one in a hundred of a minute's rows was not seen.

What to do:
    Lower the rates of clients, calibrate cheaper detectors, or give the gateway another core or replica. Rows that were
    dropped are still in the audit log: `redan watch` looks at them later, where inputs are kept.

Limits:
    The share is of rows, not of clients: rows are dropped fairly by client, so that one storm does not hide the others.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-OPE-205",
        name="unwatched",
        threat="operation",
        title="Answered requests that no watcher saw",
        severity=Severity.MEDIUM,
        remedy="Lower the rates, calibrate cheaper detectors, or add a replica.",
        references=("nist:ai-rmf-measure-2.4", "cwe:778"),
    ),
    module=__name__,
    doc=__doc__,
)

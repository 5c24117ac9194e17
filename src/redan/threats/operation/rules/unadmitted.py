"""A version that left service because its statements no longer suffice, or a replaced file that was refused.

What it means:
    A version that answered requests was revoked, its statements became too old, the policy asks for more, or a key that
    vouched no longer counts; it answers nobody any more. At severity medium it still answers, and what now lies at its
    target was refused.

Why it matters:
    Either somebody with a key says that the model must not be used, or what proved its safety has run out. A file that
    was exchanged without statements is how a model with a backdoor would arrive.

How it is found:
    The gateway judges the statements of every loaded version when the files that hold them change, at each reload, at
    each promotion, and every `[serve] recheck`, against the digest of the bytes that it loaded.

What to do:
    Read the reason. Promote or roll back to another version, or measure the same bytes again and seal the report. Where
    the file was exchanged, find out by whom before anything is sealed.

Limits:
    A revocation works when its statement reaches the bundle or registry that the gateway reads, within three seconds.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-OPE-206",
        name="unadmitted",
        threat="operation",
        title="A version that is not admitted any more",
        severity=Severity.HIGH,
        remedy="Promote another version, or measure the same bytes again and seal the report.",
        references=("atlas:AML.T0010", "cwe:345"),
    ),
    module=__name__,
    doc=__doc__,
)

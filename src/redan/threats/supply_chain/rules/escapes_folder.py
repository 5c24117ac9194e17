"""Unpacking or loading this file reaches outside its own folder.

What it means:
    A member of the archive has an absolute name, climbs with ``..``, or is a link that points elsewhere; or a model
    names external data by such a path.

Why it matters:
    Unpacking overwrites files of the person who unpacks; loading reads files that the author chose, for example keys.

How it is found:
    Names and link targets of every member are read from the archive's own directory, and external data paths from the
    model's graph; nothing is unpacked.

What to do:
    Do not unpack it with a tool that follows such names. Ask for a clean archive.

Limits:
    Whether a given tool follows such names depends on its version and its settings.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-004",
        name="escapes-folder",
        threat="supply_chain",
        title="The file reaches outside its own folder",
        severity=Severity.HIGH,
        remedy="Do not unpack or load it; ask for an archive with plain relative names.",
        references=("cwe:22", "cwe:59", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)

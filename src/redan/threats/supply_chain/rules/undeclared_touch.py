"""A command asked for something that was not declared.

What it means:
    A training or conversion command under ``redan run`` tried to read or write a file, to execute a program or to open
    a socket that was not among what its owner declared. The sandbox refused.

Why it matters:
    What was not declared is no part of the provenance. A model that depends on it cannot be explained or rebuilt, and a
    write, a program or a connection that nobody declared may be an attack on the machine that trains.

How it is found:
    The kernel asks a supervisor about every open, execution and socket of the command and all its children, native code
    included; Landlock and seccomp refuse what was not granted.

What to do:
    Declare what is legitimate (``--read``, ``--write``, ``--exec``); look into the rest.

Limits:
    Libraries ask for many small files of the system out of habit (accounts, certificates); reads are of low severity.
    Paths are read from the memory of the command, which can change them: the trace records, it does not prove.
"""

from __future__ import annotations

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity

RULE = rule(
    Rule(
        id="RDN-SUP-009",
        name="undeclared-touch",
        threat="supply_chain",
        title="A command asked for something that was not declared",
        severity=Severity.MEDIUM,
        remedy="Declare it with --read, --write or --exec if it is legitimate; look into it otherwise.",
        references=("cwe:829", "atlas:AML.T0010", "owasp:ML06"),
    ),
    module=__name__,
    doc=__doc__,
)

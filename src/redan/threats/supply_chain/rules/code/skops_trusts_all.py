"""``skops.io.load`` trusts everything that the file itself names.

What it means:
    The list of trusted types is taken from the file (``get_untrusted_types``) without looking, or the check is off
    (``trusted=True``, as versions before 0.10 allowed).

Why it matters:
    skops refuses types that it does not know so that a person looks at them; handing its own question back as the
    answer makes it as dangerous as a pickle.

How it is found:
    Calls of ``skops.io.load`` and ``loads`` whose ``trusted`` is constantly true, ``'*'``, or the direct result of
    ``get_untrusted_types``.

What to do:
    Print the untrusted types once, look at each, and write the list into the code.

Bad:
        import skops.io as sio
        unknown = sio.get_untrusted_types(file="m.skops")
        model = sio.load("m.skops", trusted=unknown)

Good:
        import skops.io as sio
        model = sio.load("m.skops", trusted=["numpy.dtype"])

Limits:
    A list that is filtered before it is passed counts as looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-045",
        name="skops-trusts-all",
        threat="supply_chain",
        title="A skops file is trusted with whatever it names",
        severity=Severity.HIGH,
        remedy='List the types that you have looked at: trusted=["package.Type"].',
        references=(
            "cwe:502",
            "cwe:1357",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)


def check(module: Module) -> Iterator[Match]:
    """Yield the calls that trust a file blindly."""
    for call in module.called("skops.io.load", "skops.io.loads"):
        trusted = call.argument("trusted", 1)
        if trusted is None:
            continue
        if trusted.value is True or trusted.value == "*":
            yield Match(line=call.line, says="skops trusts every type that the file names")
        elif any(name.endswith("get_untrusted_types()") for name in module.names(trusted)):
            yield Match(line=call.line, says="skops is handed back what the file itself asked to be trusted")

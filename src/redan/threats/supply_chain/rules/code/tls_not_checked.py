"""A connection is made without checking who answers.

What it means:
    ``verify=False``, ``CERT_NONE``, an unverified context, or an environment variable switches the check of
    certificates off.

Why it matters:
    Anybody on the way can give another model, data set or answer, and reads the token that is sent along.

How it is found:
    Keywords and attributes with these constants, ``ssl._create_unverified_context``, and variables such as
    ``PYTHONHTTPSVERIFY`` and an empty ``CURL_CA_BUNDLE``.

What to do:
    Trust the authority that signed the server's certificate by its file.

Bad:
        import requests
        requests.get("https://models.example.org/w.bin", verify=False, timeout=9)

Good:
        import requests
        requests.get("https://models.example.org/w.bin", verify="/etc/ssl/company.pem", timeout=9)

Limits:
    ``verify`` is a keyword of many functions; it counts for HTTP clients, cloud clients and sessions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-057",
        name="tls-not-checked",
        threat="supply_chain",
        title="Certificates are not checked",
        severity=Severity.HIGH,
        remedy="Leave verification on; give the certificate of a private authority (verify=PATH, cafile=…).",
        references=(
            "cwe:295",
            "atlas:AML.T0010",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

CLIENTS = ("requests.", "httpx.", "boto3.", "aiohttp.", "urllib3.", "huggingface_hub.", "botocore.")
VARIABLES = {
    "PYTHONHTTPSVERIFY": ("0",),
    "CURL_CA_BUNDLE": ("",),
    "REQUESTS_CA_BUNDLE": ("",),
    "GIT_SSL_NO_VERIFY": ("1", "true"),
}
"""Environment variable → values that switch the check off."""


def check(module: Module) -> Iterator[Match]:
    """Yield what switches the check of certificates off."""
    for word in ("verify", "ssl", "verify_ssl", "ssl_verify", "check_hostname"):
        for call, argument in module.given(word):
            if argument.value is False and any(name.startswith(CLIENTS) for name in call.names):
                yield Match(line=call.line, says=f"{call.names[0]} with {word}=False")
    for call in module.called("ssl._create_unverified_context"):
        yield Match(line=call.line, says="an SSL context that checks nothing")
    yield from _attributes(module)
    for line, name, value in module.environment():
        if value in VARIABLES.get(name, ()):
            yield Match(line=line, says=f"{name}={value!r} switches the check of certificates off")


def _attributes(module: Module) -> Iterator[Match]:
    if not module.mentions("verify_mode", ".verify ", ".verify=", "_create_default_https_context"):
        return
    for statement in ast.walk(module.source.tree):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Attribute):
            continue
        attribute, value = statement.targets[0].attr, statement.value
        scope = module.scopes[0]
        if attribute == "verify_mode" and "ssl.CERT_NONE" in module.resolved(value, scope):
            yield Match(line=statement.lineno, says="verify_mode = CERT_NONE")
        elif (
            attribute == "verify"
            and isinstance(value, ast.Constant)
            and value.value is False
            and _imports_client(module)
        ):
            yield Match(line=statement.lineno, says="a session with verify = False", confidence="likely")
        elif attribute == "_create_default_https_context" and "ssl._create_unverified_context" in module.resolved(
            value, scope
        ):
            yield Match(line=statement.lineno, says="every HTTPS connection of this process is unchecked")


def _imports_client(module: Module) -> bool:
    bindings = (b for scope in module.scopes for found in scope.bindings.values() for b in found)
    return any(b.kind == "import" and b.name.startswith(("requests", "httpx")) for b in bindings)

"""A model of a registry is loaded, which runs the code it was saved with.

What it means:
    ``mlflow.pyfunc.load_model`` and its flavours unpickle the model and may import code that was logged with it;
    artefacts of Weights & Biases and ClearML are used the same way.

Why it matters:
    Whoever can write to the registry runs code where the model is served. A stage such as ``Production`` or an
    alias can be moved to another version at any time.

How it is found:
    Loads with a constant address that names a stage, an alias or ``latest``.

What to do:
    Name a version (``models:/name/7``) and verify its digest or signature before loading.

Bad:
        import mlflow
        model = mlflow.pyfunc.load_model("models:/churn/Production")

Good:
        import mlflow
        model = mlflow.pyfunc.load_model("models:/churn/7")

Limits:
    Addresses that are computed are not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-077",
        name="mlflow-pickled-model",
        threat="supply_chain",
        title="A tracked model is loaded by pickle from a registry",
        severity=Severity.MEDIUM,
        remedy="Log models with a signature in formats without code; pin the version and verify its digest.",
        references=(
            "cwe:502",
            "cwe:494",
            "atlas:AML.T0010",
            "owasp:ML06",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

MOVING = re.compile(r"models:/[^/@]+(?:@[\w.-]+|/(?:latest|Production|Staging|Archived|None|champion))$", re.IGNORECASE)
LATEST = re.compile(r".+:(latest|v?production|best)$")


def check(module: Module) -> Iterator[Match]:
    """Yield the loads of what somebody can move."""
    for name, call in module.ending(".load_model", ".download_artifacts"):
        uri = call.value("model_uri", 0)
        if name.startswith("mlflow.") and isinstance(uri, str) and MOVING.fullmatch(uri):
            yield Match(
                line=call.line, says=f"{name} loads {uri!r}, which can be moved to another model", confidence="likely"
            )
    for _, call in module.ending(".use_artifact", ".use_model"):
        artifact = call.value("artifact_or_name", 0)
        if isinstance(artifact, str) and LATEST.fullmatch(artifact):
            yield Match(line=call.line, says=f"{artifact!r} can be moved to another artefact", confidence="possible")

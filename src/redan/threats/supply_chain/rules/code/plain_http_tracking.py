"""A tracking server or registry is reached over plain HTTP.

What it means:
    MLflow, Weights & Biases, Comet, ClearML and hub endpoints are addressed with ``http://`` on another machine.

Why it matters:
    Anybody on the way reads the token and the model, and can give another model when it is loaded from the
    registry.

How it is found:
    Constant addresses in ``mlflow.set_tracking_uri`` and its like, and in the environment variables of these tools.
    Addresses of this machine are left out.

What to do:
    Put a proxy with a certificate in front of the server.

Bad:
        import mlflow
        mlflow.set_tracking_uri("http://mlflow.example.org:5000")

Good:
        import mlflow
        mlflow.set_tracking_uri("https://mlflow.example.org")

Limits:
    Private networks where this is accepted are not known, so confidence is ``likely``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-063",
        name="plain-http-tracking",
        threat="supply_chain",
        title="Runs, models or tokens are sent over plain HTTP",
        severity=Severity.MEDIUM,
        remedy="Use https:// for the tracking server.",
        references=(
            "cwe:319",
            "atlas:AML.T0010",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

VARIABLES = frozenset(
    {
        "MLFLOW_TRACKING_URI",
        "MLFLOW_REGISTRY_URI",
        "WANDB_BASE_URL",
        "COMET_URL_OVERRIDE",
        "CLEARML_API_HOST",
        "HF_ENDPOINT",
        "AWS_ENDPOINT_URL",
        "MLFLOW_S3_ENDPOINT_URL",
        "OPENAI_BASE_URL",
    }
)
CALLS = {
    "mlflow.set_tracking_uri": ("uri", 0),
    "mlflow.set_registry_uri": ("uri", 0),
    "mlflow.MlflowClient": ("tracking_uri", 0),
    "mlflow.tracking.MlflowClient": ("tracking_uri", 0),
    "wandb.login": ("host", 2),
    "wandb.Settings": ("base_url", -1),
    "huggingface_hub.HfApi": ("endpoint", 0),
    "openai.OpenAI": ("base_url", -1),
}
LOCAL = ("localhost", "127.", "0.0.0.0", "::1", "host.docker.internal", "{}")  # noqa: S104  # addresses of this machine


def check(module: Module) -> Iterator[Match]:
    """Yield the addresses without encryption."""
    for call in module.called(*CALLS):
        word, place = next(CALLS[name] for name in call.names if name in CALLS)
        value = call.value(word, place)
        if plain(value):
            yield Match(line=call.line, says=f"{call.names[0]} uses {value!r}", confidence="likely")
    for line, name, value in module.environment():
        if name in VARIABLES and plain(value):
            yield Match(line=line, says=f"{name} is {value!r}", confidence="likely")


def plain(value: Any) -> bool:
    """Tell whether a constant is an address of another machine over plain HTTP."""
    if not isinstance(value, str) or not value.startswith("http://"):
        return False
    try:
        host = urlsplit(value).hostname or ""
    except ValueError:
        return False
    return "." in host and not host.startswith(LOCAL)

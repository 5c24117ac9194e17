"""A dashboard through which jobs can be started listens on every interface.

What it means:
    ``ray.init(dashboard_host='0.0.0.0')`` opens Ray's jobs interface, which runs what it is given without a login
    (CVE-2023-48022); Dask's scheduler and MLflow's server are alike.

Why it matters:
    This was used to take over clusters of GPUs (campaign ShadowRay, 2024).

How it is found:
    Constant hosts of ``ray.init``, Ray Serve, Dask's cluster and of commands that start ``ray``, ``mlflow`` and
    ``tensorboard``.

What to do:
    Bind to the loopback address; set ``RAY_AUTH_MODE=token`` in versions that have it.

Bad:
        import ray
        ray.init(dashboard_host="0.0.0.0")

Good:
        import ray
        ray.init(dashboard_host="127.0.0.1")

Limits:
    A firewall in front is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from redan.core.catalogue import Rule, rule
from redan.core.finding import Severity
from redan.kernels.code import Match, Module

RULE = rule(
    Rule(
        id="RDN-SUP-062",
        name="opens-control-plane",
        threat="supply_chain",
        title="The control plane of a cluster is opened to the network",
        severity=Severity.MEDIUM,
        remedy="Leave the dashboard on 127.0.0.1 and reach it by a tunnel or a proxy with a login.",
        references=(
            "cwe:306",
            "cwe:668",
            "atlas:AML.T0049",
        ),
    ),
    module=__name__,
    doc=__doc__,
)

EVERYWHERE = ("0.0.0.0", "::", "tcp://0.0.0.0")  # noqa: S104  # what is looked for
COMMAND = re.compile(
    r"\bray\s+start\b.*--dashboard-host[= ]0\.0\.0\.0|\bmlflow\s+(?:server|ui)\b.*(?:--host|-h)[= ]0\.0\.0\.0"
)


def check(module: Module) -> Iterator[Match]:
    """Yield the control planes that everybody reaches."""
    for call in module.called("ray.init"):
        if call.value("dashboard_host") in EVERYWHERE:
            yield Match(
                line=call.line, says="Ray's dashboard, which runs jobs without a login, listens on every interface"
            )
    for call in module.called(
        "dask.distributed.LocalCluster", "distributed.LocalCluster", "dask.distributed.Scheduler"
    ):
        if call.value("host") in EVERYWHERE:
            yield Match(
                line=call.line, says="Dask's scheduler, which runs what it is given, listens on every interface"
            )
    if not module.mentions("ray start", "mlflow "):
        return
    for line, text in module.texts():
        if COMMAND.search(text):
            yield Match(line=line, says="a command opens a control plane to the network", confidence="likely")

"""A gateway at work, from outside: what it refuses, explains, watches, tells people, opens and records."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default as modern
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from aiosmtpd.controller import Controller
from tests.gateway_process import started
from tests.served import rows, seal_scan, served, settings_for
from tests.unit.service.monitoring.receivers import Hook, hook
from tests.unit.service.monitoring.test_channels import free_port

from redan.core import config as configuration
from redan.core.settings_service import Identity
from redan.service.database import open_database
from redan.service.identity import directory, keys
from redan.service.identity.roles import roles_of

SECRET = "an-own-secret-of-32-characters-xx"
_TOML = """
[admission]
keys = ["ci.key.pub"]
[[admission.require]]
statement = "scan"
[serve]
address = "127.0.0.1:0"
name = "r1"
watch = ["drift", "performance", "access"]
[[serve.models]]
name = "cancer"
target = "cancer-1.onnx"
sample = "sample.npz"
schema = "schema.json"
[[serve.models]]
name = "bare"
target = "bare-1.onnx"
[serve.guards]
rate_per_s = 100000
burst = 100000
rows_per_s = 0
explanations = true
[identity]
token_key = "token.key"
[audit]
key = "audit.key"
keep = "labels"
[alerts]
level = "medium"
webhook = "{webhook}"
email = ["oncall@example.com"]
smtp = "127.0.0.1:{smtp}"
[incidents]
level = "medium"
automatic = ["drift"]
"""


class Mailbox:
    """Takes mail."""

    def __init__(self) -> None:
        self.got: queue.Queue[bytes] = queue.Queue()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.got.put(envelope.content)
        return "250 OK"


@dataclass(kw_only=True)
class Project:
    """A gateway's folder, who may ask it, and where it tells people."""

    folder: Path
    webhook: Hook
    mailbox: Mailbox
    app: str
    auditor: str

    @contextmanager
    def running(self) -> Iterator[httpx.Client]:
        """Serve; the client is the app's."""
        with (
            started(self.folder, REDAN_WEBHOOK_SECRET=SECRET) as (_, url),
            httpx.Client(base_url=url, timeout=20, headers={"Authorization": f"Bearer {self.app}"}) as client,
        ):
            yield client

    def audited(self, client: httpx.Client, **question: str) -> list[dict[str, Any]]:
        """Ask the audit log."""
        answer = client.get("/v1/audit", params=question, headers={"Authorization": f"Bearer {self.auditor}"})
        assert answer.status_code == 200, answer.text
        return [each["act"] for each in answer.json()["records"]]

    def incidents(self, client: httpx.Client) -> list[dict[str, Any]]:
        """List incidents."""
        answer = client.get("/v1/incidents", headers={"Authorization": f"Bearer {self.auditor}"})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["incidents"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("operation")
    with ExitStack() as stack:
        settings_for(folder, served(folder, "onnx", name="cancer"), served(folder, "onnx", name="bare", seed=1))
        webhook, mailbox = stack.enter_context(hook()), Mailbox()
        port = free_port()
        controller = Controller(mailbox, hostname="127.0.0.1", port=port)
        controller.start()
        stack.callback(controller.stop)
        (folder / "redan.toml").write_text(_TOML.format(webhook=webhook.url, smtp=port))
        config = configuration.load(file=folder / "redan.toml", root=folder, environ={})
        database = open_database(config.settings.serve.database, root=folder)
        roles, texts = roles_of(Identity()), {}
        with database.writing() as connection:
            for name, role in (("app", "client"), ("auditor", "auditor")):
                directory.add(connection, f"client:{name}", by="test")
                directory.grant(connection, roles, f"client:{name}", role, by="test")
                texts[name] = keys.make(connection, f"client:{name}", by="test")[1]
        database.close()
        yield Project(folder=folder, webhook=webhook, mailbox=mailbox, **texts)


def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for what another process does on its own; it tells nobody."""
    ends_s = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < ends_s, "it did not come"
        time.sleep(0.1)
    return value


def ask(client: httpx.Client, x: np.ndarray, name: str = "cancer") -> dict[str, Any]:
    answer = client.post(f"/v1/models/{name}/predict", json={"x": x.tolist()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def metric(client: httpx.Client, name: str, **labels: str) -> float | None:
    """Read one number of /metrics."""
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    for line in client.get("/metrics").text.splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == name and wanted <= set(series.partition("{")[2].rstrip("}").split(",")):
            return float(value)
    return None


def test_what_is_refused_explained_watched_told_opened_and_recorded_is_there_after_a_restart(project: Project) -> None:
    x, _ = rows()
    bad = x[:3].copy()
    bad[1, 7] = 1e9
    with project.running() as client:
        answer = client.post("/v1/models/cancer/predict", json={"x": bad.tolist()})
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["message"].startswith("column 'f7' is too high")
        (act,) = until(lambda: project.audited(client, model="cancer@1", verdict="denied"))
        assert act["why"] == answer.json()["error"]
        assert (act["more"]["column"], act["more"]["row"]) == ("f7", 1), act
        assert metric(client, "redan_guard_denials_total", guard="validation") == 1
        explained_with_and_without_sample(client, x)
        told, revoked = drift_and_truths(project, client)
    truths_after_a_restart(project, told, revoked)


def explained_with_and_without_sample(client: httpx.Client, x: np.ndarray) -> None:
    """An explanation adds up, costs its queries, and needs no sample rows."""
    for name in ("cancer", "bare"):
        answer = client.post(f"/v1/models/{name}/explain", json={"x": x[0].tolist()})
        assert answer.status_code == 200, answer.text
        because = answer.json()
        assert abs(sum(because["values"]) - (because["score"] - because["base"])) < 1e-6
        assert because["model"] == f"{name}@1"
        assert len(because["parts"]) == len(because["values"]) == 30
        assert 0 < because["queries"] <= 1024
    assert client.post("/v1/models/cancer/explain", json={"x": [1.0]}).status_code in (400, 422)


def drift_and_truths(project: Project, client: httpx.Client) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs move, then answers turn out wrong: metrics, people, incidents and the record know."""
    x, y = rows()
    rng = np.random.default_rng(0)
    before = [ask(client, x[rng.integers(0, len(x), 256)]) for _ in range(9)]
    malignant = x[y == 0]
    after = [ask(client, malignant[rng.integers(0, len(malignant), 256)]) for _ in range(10)]
    kept = [ask(client, x[:2]), ask(client, x[2:4])]
    index = until(lambda: metric(client, "redan_drift", model="cancer", what="inputs", statistic="stability_index"))
    until(lambda: (metric(client, "redan_findings_total", rule="RDN-OPE-201") or 0) > 0)
    assert index > 0.1
    for answers, wrong in ((before, False), (after, True)):
        truth = [{"id": a["id"], "truth": [label ^ wrong for label in a["labels"]]} for a in answers]
        told = client.post("/v1/models/cancer/feedback", json={"answers": truth})
        assert told.json() == {"counted": len(truth), "unknown": 0, "unfit": 0}, told.text
    until(lambda: (metric(client, "redan_findings_total", rule="RDN-OPE-203") or 0) > 0)
    assert (metric(client, "redan_drift", model="cancer", what="truths", statistic="accuracy") or 1) < 0.6
    alerts, mails = set(), set()
    while "RDN-OPE-203" not in alerts:
        _, headers, body = project.webhook.got.get(timeout=20)
        assert "Redan-Signature" in headers
        alerts.add(json.loads(body)["rule"])
    while "RDN-OPE-203" not in mails:
        mail = message_from_bytes(project.mailbox.got.get(timeout=20), policy=modern)
        mails |= {rule for rule in ("RDN-OPE-201", "RDN-OPE-203") if rule in mail.get_content()}
    assert "RDN-OPE-201" in alerts
    opened = until(lambda: [each for each in project.incidents(client) if each["rule"] == "RDN-OPE-203"])
    assert opened[0]["subject"] == "cancer"
    label = f"incident/{opened[0]['number']}"

    def played() -> bool:
        acts = project.audited(client, act="incidents.act", model=label)
        return {"opened", "step-done"} <= {act["why"] for act in acts}

    until(played)
    return kept[0], kept[1]


def truths_after_a_restart(project: Project, told: dict[str, Any], again: dict[str, Any]) -> None:
    """What was answered before is still known; a revocation takes effect without another restart."""
    with project.running() as client:
        truth = {"answers": [{"id": each["id"], "truth": each["labels"]} for each in (told, again)]}
        until(lambda: client.get("/health/ready").status_code == 200)
        answer = client.post("/v1/models/cancer/feedback", json=truth)
        assert answer.json() == {"counted": 2, "unknown": 0, "unfit": 0}, answer.text
        assert client.post("/v1/models/cancer/feedback", json=truth).json()["unknown"] == 2
        x, _ = rows()
        ask(client, x[:1], "bare")
        seal_scan(project.folder / "bare-1.onnx", revoke="stolen key")
        began_s = time.monotonic()
        until(lambda: client.post("/v1/models/bare/predict", json={"x": x[:1].tolist()}).status_code != 200)
        assert time.monotonic() - began_s < 6
        ask(client, x[:1])

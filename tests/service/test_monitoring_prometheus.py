"""The shipped rules and dashboard in a real Prometheus that scrapes a real server."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.service.test_monitoring_endpoints import app_of, serving
from tests.unit.service.monitoring.standins import Rooms, batch, finding, parts, served, with_serve

from redan.service.gateway.refusal import INVALID
from redan.service.monitoring.families import FAMILIES, SERIES

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboards" / "redan.json").read_text(encoding="utf-8"))
OTHERS = {
    "up",
    "process_open_fds",
    "process_max_fds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "ALERTS",
}
METRIC = re.compile(r"\b(?:redan[_:][a-zA-Z0-9_:]+|process_[a-z_]+|up|ALERTS)\b")


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install prometheus")
    return found


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for file in RULES
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    return shown + [entry["expr"] for entry in DASHBOARD["annotations"]["list"]]


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """The shipped configuration with its secret beside it."""
    folder = shutil.copytree(DEPLOY / "prometheus", tmp_path / "prometheus")
    (folder / "secrets").mkdir()
    (folder / "secrets" / "redan-token").write_text("good")
    return folder


def test_promtool_accepts_configuration_and_rules_and_the_rules_do_what_their_tests_say(configured: Path) -> None:
    promtool = tool("promtool")
    for words in (["check", "config", "prometheus.yml"], ["test", "rules", "tests/rules_test.yml"]):
        done = subprocess.run([promtool, *words], cwd=configured, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_words_a_severity_and_a_test_in_which_it_fires() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus" / "tests" / "rules_test.yml").read_text(encoding="utf-8"))["tests"]
    fires = {case["alertname"] for test in tests for case in test.get("alert_rule_test", []) if case.get("exp_alerts")}
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) >= 15
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}
        assert set(alert["annotations"]) == {"summary", "action"}
    # each of these is the same expression as one that is tested, with other numbers
    assert {alert["alert"] for alert in alerts} - fires == {
        "RedanErrorsSteady", "RedanErrorsSlow", "RedanOverloaded", "RedanFilesRunOut", "RedanAuditBehind",
    }  # fmt: skip


def test_rules_and_dashboard_name_only_metrics_that_exist_and_the_dashboard_shows_them_all() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    words = [rule["expr"] for rule in rules()] + queries() + [DASHBOARD["templating"]["list"][0]["definition"]]
    used = {name for text in words for name in METRIC.findall(re.sub(r'"[^"]*"', '""', text))}
    assert used - SERIES - recorded - OTHERS == set()
    unseen = {name for name, family in FAMILIES.items() if not family.series & used}
    assert unseen == {"redan_build_info"}


def test_the_dashboard_is_whole() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    (source,) = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/redan.yml").read_text())["providers"]
    assert provider["type"] == "file"
    for panel in panels():
        assert panel["datasource"]["uid"] == source["uid"]
        assert panel["title"]
        assert [t["refId"] for t in panel["targets"]] == [chr(65 + n) for n in range(len(panel["targets"]))]


@pytest.fixture
def prometheus(configured: Path, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Start a real Prometheus on the shipped files with another target and interval, and give its address."""
    program = tool("prometheus")
    running: list[subprocess.Popen[bytes]] = []

    def start(target: str) -> str:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        file = configured / "prometheus.yml"
        text = file.read_text(encoding="utf-8")
        assert "gateway:8080" in text
        file.write_text(
            text.replace("gateway:8080", target).replace("15s", "250ms").replace("localhost:9090", f"127.0.0.1:{port}")
        )
        words = [f"--config.file={file}", f"--storage.tsdb.path={tmp_path / 'tsdb'}", "--log.level=error"]
        running.append(subprocess.Popen([program, *words, f"--web.listen-address=127.0.0.1:{port}"]))
        return f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        process.terminate()
        process.wait(20)


def eventually(look: Callable[[], bool], what: str, limit_s: float = 40) -> None:
    """Look at another process until it is so far."""
    ends_s = time.monotonic() + limit_s
    while not look():
        assert time.monotonic() < ends_s, what
        time.sleep(0.1)


def test_a_real_prometheus_logs_in_scrapes_and_its_rules_fire(prometheus: Callable[[str], str], tmp_path: Path) -> None:
    rooms = Rooms()
    service = parts(tmp_path, rooms, with_serve(metrics_from=()))
    service.findings.listen(service.recorder.found)
    with serving(app_of(service)) as url, httpx.Client(timeout=5) as client:
        base = prometheus(url.removeprefix("http://"))

        def ask(query: str) -> list[dict[str, Any]]:
            answer = client.get(f"{base}/api/v1/query", params={"query": query})
            assert answer.status_code == 200, f"{query}: {answer.text}"
            return list(answer.json()["data"]["result"])

        def firing() -> set[str]:
            return {one["metric"]["alertname"] for one in ask('ALERTS{alertstate="firing"}')}

        def reached() -> bool:
            try:
                return bool(ask('up{job="redan"} == 1'))
            except httpx.TransportError:
                return False

        eventually(reached, "Prometheus never reached the gateway")
        assert not {"RedanAuditUnhealthy", "RedanFinding", "RedanModelRefused"} & firing()
        service.recorder.answered(batch(20, served()), 0.01)
        service.recorder.refused("infer", INVALID)
        service.findings.publish(finding())
        rooms.sound = False
        rooms.not_admitted = [("credit", "2", "no statement")]
        wanted = {"RedanAuditUnhealthy", "RedanFinding", "RedanModelRefused"}
        eventually(lambda: wanted <= firing(), "the rules did not fire")
        (answered,) = ask('redan_requests_total{status="200", job="redan"}')
        assert answered["value"][1] == "20"
        for query in queries():
            ask(query.replace("$__rate_interval", "1m").replace("$model", ".*"))
        rooms.sound = True
        eventually(lambda: "RedanAuditUnhealthy" not in firing(), "the alert did not end")

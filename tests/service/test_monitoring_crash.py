"""A gateway that is killed while nobody takes its alerts sends them when it is back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from tests.served import served, settings_for
from tests.unit.service.monitoring.receivers import hook

_TOML = """
[admission]
keys = ["ci.key.pub"]
[[admission.require]]
statement = "scan"
[identity]
token_key = "token.key"
[audit]
key = "audit.key"
[alerts]
webhook = "{url}"
level = "low"
[serve]
address = "127.0.0.1:0"
name = "r1"
[[serve.models]]
name = "cancer"
target = "cancer-1.onnx"
"""
GUESSES = 40


def started(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Serve; return the process and its address when it listens."""
    words = [sys.executable, "-m", "redan.cli", "serve", "--config", str(folder / "redan.toml")]
    calm = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "REDAN_WEBHOOK_SECRET": "s" * 32}
    process = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ | calm)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url, "the gateway did not start"
    return process, url


def test_an_alert_that_nobody_took_before_a_kill_comes_after_the_next_start_under_its_identifier(
    tmp_path: Path,
) -> None:
    settings_for(tmp_path, served(tmp_path, "onnx", name="cancer"))
    waiting = tmp_path / ".redan" / "service" / "alerts" / "r1"
    with hook() as receiver:
        receiver.answers = [(503, {"Retry-After": "600"})]
        (tmp_path / "redan.toml").write_text(_TOML.format(url=receiver.url))
        process, url = started(tmp_path)
        with process:
            try:
                with httpx.Client(base_url=url) as client:
                    for n in range(GUESSES):
                        key = {"Authorization": f"Bearer redan_{n:012d}_{n:043d}"}
                        assert client.post("/v1/models/cancer/predict", headers=key).status_code == 401
                first = receiver.got.get(timeout=30)
                assert waiting.stat().st_mode & 0o077 == 0
                assert list(waiting.iterdir())
            finally:
                process.send_signal(signal.SIGKILL)
        receiver.answers = [(204, {})]
        process, _ = started(tmp_path)
        with process:
            try:
                second = receiver.got.get(timeout=30)
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        assert receiver.got.empty(), "nothing was found again: what came was kept"
        assert list(waiting.iterdir()) == []
    said, again = json.loads(first[2]), json.loads(second[2])
    assert said == again
    assert first[1]["Redan-Delivery"] == second[1]["Redan-Delivery"] == said["id"]
    assert said["threat"] == "operation"

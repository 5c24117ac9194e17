"""The page about the gateway for newcomers: its commands run as they are written, against a real server."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
STILL = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "PYTHONWARNINGS": "error"}


def lines(*blocks: str) -> list[str]:
    return [line for block in blocks for line in block.splitlines()]


PREPARED, PATH = lines(BLOCKS[0]), lines(*BLOCKS[1:8])
SERVE = PATH.index("redan serve")


def test_there_are_ten_commands_between_the_check_and_the_metrics() -> None:
    assert PATH[0].startswith("redan check")
    assert "/metrics" in PATH[-1]
    assert len(PATH) <= 10


class Terminal:
    """Runs lines of a shell in a folder, as somebody would type them."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        self.environment = {**os.environ, **STILL, "PATH": path, "REDAN_SERVE_ADDRESS": f"127.0.0.1:{port}"}

    def types(self, line: str) -> str:
        """Run one line, insist that it succeeds, and return what it printed."""
        if line.startswith("cd "):
            self.folder /= line.removeprefix("cd ")
            return ""
        # another server may listen on the port of the page
        words = ["bash", "-ec", line.replace(":8080", f":{self.port}")]
        ran = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{line}\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
        return ran.stdout

    @contextmanager
    def leaves_running(self, line: str) -> Iterator[str]:
        """Start a line that does not end; give the first line that it prints."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {line}"], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process.stdout as told:
            try:
                yield told.readline().strip()
            finally:
                process.terminate()
                assert process.wait(30) == 0


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each line of the page printed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    terminal = Terminal(tmp_path_factory.mktemp("newcomer"), port)
    said = {line: terminal.types(line) for line in [*PREPARED, *PATH[:SERVE]]}
    with terminal.leaves_running(PATH[SERVE]) as url:
        assert url == f"http://127.0.0.1:{port}"
        said |= {line: terminal.types(line) for line in PATH[SERVE + 1 :]}
        (query,) = (line for line in PATH if line.startswith("redan audit query"))
        ends_s = time.monotonic() + 10
        while not said[query] and time.monotonic() < ends_s:  # a record is on disk at once and signed a moment later
            said[query] = terminal.types(query)
        said |= {line: terminal.types(line) for line in lines(BLOCKS[8])}
    said |= {line: terminal.types(line) for line in lines(BLOCKS[9])}
    settings = terminal.folder / "redan.toml"
    text = settings.read_text(encoding="utf-8")
    (named,) = re.findall(r'^detectors = \["query-sequence.npz", .*\]$', PAGE, flags=re.MULTILINE)
    settings.write_text(re.sub(r"^detectors = .*$", named, text, flags=re.MULTILINE), encoding="utf-8")
    said["all detectors"] = terminal.types("redan serve --check 2>&1")
    return said


def test_the_check_passes_and_what_was_measured_is_signed(printed: dict[str, str]) -> None:
    assert printed["redan check --quick"].startswith("PASS")
    assert "sealed  robustness" in printed["redan seal latest --model model.joblib --key seal.key"]
    assert printed["redan verify model.joblib"].startswith("ADMITTED")


def test_the_model_answers_whoever_shows_the_key(printed: dict[str, str]) -> None:
    (line,) = (line for line in PATH if "predict" in line)
    answer = json.loads(printed[line])
    assert answer["labels"] == [0, 1]
    assert answer["model"] == "digits@1"
    (shown,) = re.findall(r"^```json\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert json.loads(shown).keys() <= answer.keys()


def test_the_request_is_in_the_audit_log_and_in_the_metrics(printed: dict[str, str]) -> None:
    assert "predict digits@1" in printed["redan audit query --client shop"]
    metrics = printed[PATH[-1]]
    assert re.search(r'^redan_requests_total\{.*model="digits".*\} 1\.0$', metrics, flags=re.MULTILINE), metrics
    assert "as they were signed" in printed["redan audit verify"]


def test_monitors_of_theft_stand_in_front_of_it_too(printed: dict[str, str]) -> None:
    assert "digits@1 is admitted, live" in printed["all detectors"]

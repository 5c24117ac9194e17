"""What each guard of the gateway costs: ``python benchmarks/gateway_costs.py [--seconds 4] [--rounds 3]``.

The same logistic regression as scikit-learn's pipeline and as ONNX, 1000 clients with own tokens, 512 different rows,
one row a request, 32 connections, one core for the server and all that it starts, another one for wrk. The first rows
of the table build upon each other, from nothing to every guard with an asynchronous log; each of the others changes one
thing of that. Contenders take turns; CPU is the least of the rounds, since whatever else runs on the machine only adds
to it, and requests a second the most. Two steps cannot be switched off, and are timed by themselves in this process:
may somebody ask this model, and counting for metrics. Prints a Markdown table to standard error, and to standard output
JSON lines. Needs taskset, wrk and redis-server; rows whose program is missing are left out.
"""

from __future__ import annotations

import argparse
import http.server
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

import numpy as np
from gateway import CLIENTS, models, rows, v2
from peers.gateway_project import project
from peers.serving import CALM, Measured, free_port, load, lua, running
from sklearn.datasets import load_breast_cancer

from redan.service.identity.principal import Principal

OPEN = "authentication = false\nvalidation = false\nmonitors = false\nrate_per_s = 0\nrows_per_s = 0"
KNOWN = OPEN.replace("authentication = false\n", "")
RATE = KNOWN.replace(
    "rate_per_s = 0\nrows_per_s = 0", "rate_per_s = 100000\nburst = 100000\nrows_per_s = 100000\nrows_burst = 100000"
)
BUDGET = RATE + "\nrows_per_day = 100000000"
VALID = BUDGET.replace("validation = false\n", "")
ROUNDED = VALID + "\nround_digits = 6"
FULL = ROUNDED.replace("monitors = false\n", "")
NO_WATCH = "watch = []"
LABORATORY = 'admission = "open"\n'
DETECTOR = 'detectors = ["distance.npz"]'


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to run the gateway.

    Attributes:
        name: what the table calls it.
        guards: lines of [serve.guards].
        serve: lines of [serve].
        mode: of the audit log.
        model: lines of [[serve.models]].
        beside: a server that it needs: ``redis``, ``traces``.
        more: further tables.
    """

    name: str
    guards: str = FULL
    serve: str = ""
    mode: str = "async"
    model: str = ""
    beside: str = ""
    more: str = ""

    @property
    def secure(self) -> bool:
        """Whether it speaks HTTPS."""
        return "[serve.tls]" in self.more


ROWS = (
    Row(name="nothing", guards=OPEN, serve=LABORATORY + NO_WATCH, mode="none"),
    Row(name="+ authentication", guards=KNOWN, serve=LABORATORY + NO_WATCH, mode="none"),
    Row(name="+ rates of requests and rows", guards=RATE, serve=LABORATORY + NO_WATCH, mode="none"),
    Row(name="+ row budget", guards=BUDGET, serve=LABORATORY + NO_WATCH, mode="none"),
    Row(name="+ validation", guards=VALID, serve=LABORATORY + NO_WATCH, mode="none"),
    Row(name="+ rounded scores", guards=ROUNDED, serve=LABORATORY + NO_WATCH, mode="none"),
    Row(name="+ watchers (drift, access)", serve=LABORATORY, mode="none"),
    Row(name="+ audit, asynchronous, with its index"),
    Row(name="all, and a detector in the path", model=DETECTOR),
    Row(name="all, durable before the answer", mode="durable"),
    Row(name="all, 1 % traced", beside="traces"),
    Row(name="all, rates shared by Redis", beside="redis"),
    Row(name="all, HTTPS", more='[serve.tls]\ncertificate = "tls.pem"\nkey = "tls.key"'),
    Row(name="all, one worker process", serve="workers = 1"),
)


class _Swallow(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def beside(row: Row, folder: Path) -> Iterator[tuple[str, str]]:
    """Run what a row needs; yield further lines of [serve] and further tables."""
    if row.beside == "redis":
        port = free_port()
        argv = ["taskset", "-c", "1", "redis-server", "--port", str(port), "--save", "", "--dir", str(folder)]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        try:
            yield f'redis = "redis://127.0.0.1:{port}"', ""
        finally:
            process.terminate()
            process.wait()
    elif row.beside == "traces":
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Swallow) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield "", f'[alerts]\ntraces = "http://127.0.0.1:{server.server_port}/v1/traces"\ntrace_share = 0.01'
            server.shutdown()
    else:
        yield "", ""


def detector(model: Path, folder: Path) -> Path:
    """Calibrate a detector of single rows for a model; it measures each row, and its rate is too high to refuse."""
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(x))
    for name, picked in (("train", order[:350]), ("benign", order[350:])):
        np.savez(folder / f"{name}.npz", x=x[picked].astype(np.float32), y=y[picked])
    argv = [
        sys.executable, "-m", "redan.cli", "calibrate", "feature-distance", str(model), "--trust", "--rate", "0.05",
        "--train", str(folder / "train.npz"), "--data", str(folder / "benign.npz"),
        "-o", str(folder / f"{model.suffix[1:]}.npz"),
    ]  # fmt: skip
    subprocess.run(argv, check=True, cwd=folder, capture_output=True)
    return folder / f"{model.suffix[1:]}.npz"


def measured(row: Row, model: Path, calibrated: Path, seconds: int) -> Measured:
    """Run one row once."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        serve, more = stack.enter_context(beside(row, folder))
        if row.model:
            shutil.copyfile(calibrated, folder / "distance.npz")
            x, y = load_breast_cancer(return_X_y=True)
            np.savez(folder / "sample.npz", x=x[:64], y=y[:64])
        if row.secure:
            _certificate(folder)
        port = free_port()
        made = project(
            folder,
            model,
            port=port,
            mode=row.mode,
            clients=CLIENTS,
            guard_lines=row.guards,
            limits="\n".join((row.serve, serve)),
            more="\n".join((row.more, more)),
            model_lines=row.model + ('\nsample = "sample.npz"' if row.model else ""),
        )
        tokens = made.tokens if row.guards != OPEN else ()
        script = lua(folder / "load.lua", [v2(each) for each in rows()], tokens, "/v2/models/m/infer")
        ready = "/health/ready"
        pid = stack.enter_context(running(made.argv, folder, ready=ready, port=port, secure=row.secure))
        return load(pid, port, script, seconds=seconds, secure=row.secure)


def _certificate(folder: Path) -> None:
    argv = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.pem"),
    ]  # fmt: skip
    subprocess.run(argv, check=True, capture_output=True)


def each_us(work: Callable[[], object], n: int, times: int) -> float:
    """Return CPU microseconds of one of ``n`` things that a call does: the least of five rounds."""
    best = inf
    for _ in range(5):
        began_s = time.process_time()
        for _ in range(times):
            work()
        best = min(best, time.process_time() - began_s)
    return round(1e6 * best / times / n, 3)


def always(kind: str) -> dict[str, float]:
    """Time what cannot be switched off."""
    from redan.service.gateway.call import Batch, Call
    from redan.service.monitoring.recorder import Counting

    grants = frozenset({("predict", "m"), ("predict", kind), ("models.read", "m")})
    who = Principal(id="client:c", kind="program", roles=frozenset(), grants=grants, credential="", expires_s=inf)
    served = _Version(settings=_Named(name="m", version="1"))
    calls = [
        Call(principal=who, served=served, x=np.zeros((1, 30)), body=b"", began_s=0.0, id="", addr="",
             write=lambda call: b"", done=lambda call: None)
        for _ in range(32)
    ]  # fmt: skip
    batch, counting = Batch(served, calls), Counting(None)  # type: ignore[arg-type]  # as above
    batch.labels = np.zeros(32, np.int64)
    return {
        "authorisation": each_us(lambda: who.may("predict", "m"), 1, 100_000),
        "metrics": each_us(lambda: counting.answered(batch, 0.001), 32, 3000),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    settings: _Named
    digest: str = "ab" * 32
    label: str = "m@1"


def table(found: dict[tuple[str, str], list[Measured]], names: Sequence[str]) -> str:
    """Return the Markdown table: each row beside the one that it is a change of."""
    lines = ["| | sklearn µs | + | requests/s | ONNX µs | + | requests/s |", "|---|---|---|---|---|---|---|"]
    for i, name in enumerate(names):
        cells = [name]
        base = names[i - 1] if name.startswith("+") else ROWS[7].name
        for kind in ("sklearn", "onnx"):
            if (kind, name) not in found:
                cells += ["", "", ""]
                continue
            cpu, before = _least(found[kind, name]), _least(found.get((kind, base), []))
            more = "" if i == 0 or before == inf else f"{cpu - before:+.1f}"
            cells += [f"{cpu:.1f}", more, f"{max(run.per_s for run in found[kind, name]):.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _least(runs: Sequence[Measured]) -> float:
    return min((run.cpu_us for run in runs), default=inf)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="rows whose names hold this word")
    asked = parser.parse_args()
    chosen = [row for row in ROWS if asked.only in row.name and (row.beside != "redis" or shutil.which("redis-server"))]
    found: dict[tuple[str, str], list[Measured]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = models(folder)
        calibrated = {kind: detector(model, folder) for kind, model in files.items()}
        for _ in range(asked.rounds):
            for row in chosen:
                for kind, model in files.items():
                    run = measured(row, model, calibrated[kind], asked.seconds)
                    found.setdefault((kind, row.name), []).append(run)
                    print(json.dumps({"kind": kind, "row": row.name, **asdict(run)}), flush=True)
    fixed = always("m")
    print(json.dumps({"always_on_us": fixed, "python": platform.python_version(), "calm": CALM}))
    sys.stderr.write(table(found, [row.name for row in chosen]) + f"\n{fixed}\n")
    return 1 if any(run.refused or run.errors for runs in found.values() for run in runs) else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What worker processes buy and cost: heavy models computed in the server's process and in others.

    python benchmarks/serving_workers.py [--seconds 8] [--rounds 3] [--models neighbours]

A random forest of 100 trees, a network of two layers of 1024, and nearest neighbours among 20,000 points, whose rows
cost 2 ms or more each, alone or together. From 8 connections, one row a request, or more. Requests/s, CPU µs a request
of server and workers together and of the event loop's thread alone, and how long ``/health/live`` takes meanwhile: the
latency of everybody who does not ask the heavy model. Every guard is on, audit is asynchronous. Server, workers and
load share whatever cores there are; rounds take turns. One JSON line a run. Needs wrk.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np
from peers.gateway_project import project
from peers.serving import TICKS, cpu_s, free_port, load, lua, running
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier

CONNECTIONS = 8
IDLE_S = 2
CORES = ",".join(map(str, sorted(os.sched_getaffinity(0))))


def forest(folder: Path) -> Path:
    """Write a forest of 100 trees."""
    x, y = load_breast_cancer(return_X_y=True)
    joblib.dump(RandomForestClassifier(100, random_state=0).fit(x, y), folder / "forest.joblib")
    return folder / "forest.joblib"


def network(folder: Path) -> Path:
    """Write an exported network of 30, 1024, 1024 and 2 units."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(30, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 2)).eval()
    batch = torch.export.Dim("batch", min=1, max=1 << 16)
    exported = torch.export.export(net, (torch.zeros(2, 30),), dynamic_shapes=({0: batch},))
    torch.export.save(exported, folder / "network.pt2")
    return folder / "network.pt2"


def neighbours(folder: Path) -> Path:
    """Write a classifier by the nearest of 20,000 points, each of which is looked at."""
    x, y = load_breast_cancer(return_X_y=True)
    draw = np.random.default_rng(0)
    points = x.mean(0) + x.std(0) * draw.normal(size=(20_000, 30))
    model = KNeighborsClassifier(5, algorithm="ball_tree", metric="canberra").fit(points, draw.choice(y, len(points)))
    joblib.dump(model, folder / "neighbours.joblib")
    return folder / "neighbours.joblib"


def loop_s(pid: int) -> float:
    """Return the CPU seconds of a process's first thread, in which the event loop runs."""
    fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


MODELS: dict[str, tuple[Callable[[Path], Path], tuple[int, ...], tuple[int, ...]]] = {
    "forest": (forest, (1, 64), (0, 1, 2)),
    "network": (network, (1,), (0, 1, 2)),
    "neighbours": (neighbours, (1, 8), (0, 1)),
}
"""What makes each model, how many rows a request, how many workers."""
VERSIONS = {
    "python": platform.python_version(),
    **{name: version(name) for name in ("redan", "scikit-learn", "numpy", "uvicorn", "uvloop")},
}


class Probe(threading.Thread):
    """Asks for health every 20 ms and keeps how long each answer took."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.ends, self.times_s = port, threading.Event(), list[float]()

    def run(self) -> None:
        """Ask until told to end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.ends.wait(0.02):
            began_s = time.perf_counter()
            connection.request("GET", "/health/live")
            connection.getresponse().read()
            self.times_s.append(time.perf_counter() - began_s)


def measured(folder: Path, model: Path, *, workers: int, rows: int, seconds: int) -> dict[str, object]:
    """Serve and load."""
    port = free_port()
    x, y = load_breast_cancer(return_X_y=True)
    np.savez(folder / "sample.npz", x=x[:64].astype(np.float32), y=y[:64])
    made = project(
        folder, model, port=port, clients=100, limits=f"workers = {workers}", model_lines='sample = "sample.npz"'
    )
    bodies = [json.dumps({"x": x[i : i + rows].tolist()}).encode() for i in range(0, 512 - rows + 1, rows)]
    script = lua(folder / "load.lua", bodies, made.tokens, "/v1/models/m/predict")
    with running(made.argv, folder, ready="/health/ready", port=port, cores=CORES) as pid:
        probe = Probe(port)
        probe.start()
        idle_s = loop_s(pid)
        time.sleep(IDLE_S)  # what the loop costs without requests, the probe's included
        idle_s = (loop_s(pid) - idle_s) / IDLE_S
        before_s, began_s = cpu_s(pid), loop_s(pid)
        found = load(pid, port, script, seconds=seconds, connections=CONNECTIONS, cores=CORES)
        probe.ends.set()
        probe.join()
        used_s, looped_s = cpu_s(pid) - before_s, loop_s(pid) - began_s
    times_ms = sorted(1e3 * each for each in probe.times_s)
    return {
        "per_s": found.per_s,
        "cpu_us": found.cpu_us,
        # two seconds of warming up are in the loop's time and not in what was counted
        "loop_cpu_us": round(1e6 * (looped_s / (seconds + 2) - idle_s) * seconds / found.requests, 1),
        "failed": found.refused + found.errors,
        "health_p50_ms": round(statistics.median(times_ms), 2),
        "health_p99_ms": round(times_ms[int(0.99 * (len(times_ms) - 1))], 2),
        "health_n": len(times_ms),
        "server_cpu_s": round(used_s, 1),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--models", default=",".join(MODELS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        models = {kind: MODELS[kind][0](Path(name)) for kind in asked.models.split(",")}
        runs = [(kind, rows, workers) for kind in models for rows in MODELS[kind][1] for workers in MODELS[kind][2]]
        for kind, rows, workers in runs * asked.rounds:
            load_average = round(os.getloadavg()[0], 1)
            with tempfile.TemporaryDirectory() as folder:
                found = measured(Path(folder), models[kind], workers=workers, rows=rows, seconds=asked.seconds)
            line = {"model": kind, "rows": rows, "workers": workers, **found, "load_before": load_average, **VERSIONS}
            print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

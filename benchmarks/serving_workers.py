"""What worker processes buy and cost: heavy models computed in the server's process and in others.

    python benchmarks/serving_workers.py [--seconds 8]

A random forest of 100 trees and a network of two layers of 1024, one row a request from 8 connections and, of the
forest, 64 rows. Requests/s, CPU µs a request of server and workers together, and how long ``/health/live`` takes
meanwhile: the latency of everybody who does not ask the heavy model. Every guard is on, audit is asynchronous. Server,
workers and load share whatever cores there are. One JSON line a run. Needs wrk.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import joblib
import numpy as np
from peers.gateway_project import project
from peers.serving import cpu_s, free_port, load, lua, running
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

CONNECTIONS = 8
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
        before_s = cpu_s(pid)
        found = load(pid, port, script, seconds=seconds, connections=CONNECTIONS, cores=CORES)
        probe.ends.set()
        probe.join()
        used_s = cpu_s(pid) - before_s
    times_ms = sorted(1e3 * each for each in probe.times_s)
    return {
        "per_s": found.per_s,
        "cpu_us": found.cpu_us,
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
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        models = {"forest": forest(Path(name)), "network": network(Path(name))}
        for kind, rows in (("forest", 1), ("forest", 64), ("network", 1)):
            for workers in (0, 1, 2):
                with tempfile.TemporaryDirectory() as folder:
                    found = measured(Path(folder), models[kind], workers=workers, rows=rows, seconds=asked.seconds)
                print(json.dumps({"model": kind, "rows": rows, "workers": workers, **found}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

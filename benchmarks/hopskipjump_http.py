"""Round trips of a decision-based attack on an HTTP endpoint: HopSkipJump in lock-step beside ART's.

    python benchmarks/hopskipjump_http.py --peer FOLDER

A random forest of 100 trees on scikit-learn's digits answers labels on the loopback interface; both attacks search the
nearest misclassified point (L2) of the same 20 test samples in 10 rounds. One JSON line a contender, then one with the
ratio. ART is imported from this environment or from --peer FOLDER (`pip install --no-deps --target FOLDER
adversarial-robustness-toolbox six`); without it only our line is printed and the exit code is 3.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from redan.kernels import draws
from redan.kernels.attacks.ball import Box
from redan.kernels.attacks.hopskipjump import HopSkipJumpSettings, hopskipjump

Labels = NDArray[np.int64]
SAMPLES, ROUNDS, FEATURES = 20, 10, 64


class Client:
    """Asks the endpoint for labels and counts round trips and rows."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)
        self.calls = 0
        self.rows = 0

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def labels(self, points: NDArray[np.float32]) -> Labels:
        """Labels of float32 points (m, 64)."""
        self.calls += 1
        self.rows += len(points)
        self._connection.request("POST", "/predict", body=np.ascontiguousarray(points, dtype=np.float32).tobytes())
        return np.frombuffer(self._connection.getresponse().read(), dtype=np.int64)


@contextmanager
def endpoint(predict: Callable[[NDArray[np.float32]], Labels]) -> Iterator[int]:
    """Serve raw float32 rows in, int64 labels out; yields the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = predict(np.frombuffer(body, dtype=np.float32).reshape(-1, FEATURES)).astype(np.int64).tobytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def ours(client: Client, x: NDArray[np.float32], y: Labels) -> NDArray[np.float32]:
    """Points found by the attack in lock-step."""
    keys = draws.sample_keys(0, "RDN-EVA-002", range(len(x)))
    settings = HopSkipJumpSettings(iterations=ROUNDS)
    box = Box(low=0.0, high=1.0)
    return hopskipjump(client.labels, x, y, norm="l2", box=box, keys=keys, settings=settings).adversarial


def art(client: Client, x: NDArray[np.float32], y: Labels) -> NDArray[np.float32]:
    """Points found by ART's attack with as many rounds and points an estimate."""
    from art.attacks.evasion import HopSkipJump
    from art.estimators.classification import BlackBoxClassifier

    wrapped = BlackBoxClassifier(lambda p: np.eye(10)[client.labels(p)], (FEATURES,), 10, clip_values=(0, 1))
    attack = HopSkipJump(wrapped, norm=2, max_iter=ROUNDS, max_eval=1000, init_eval=100, verbose=False)
    return attack.generate(x, np.eye(10)[y])


def main() -> int:
    """Measure both and print their lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="folder ART is imported from")
    sys.path.extend(filter(None, [parser.parse_args().peer]))
    digits = load_digits()
    x, y = (digits.data / 16).astype(np.float32), digits.target.astype(np.int64)
    forest = RandomForestClassifier(100, random_state=0).fit(x[:1200], y[:1200])
    right = 1200 + np.flatnonzero(forest.predict(x[1200:]) == y[1200:])[:SAMPLES]
    lines = {}
    contenders = {"redan": ours} | ({"art": art} if importlib.util.find_spec("art") else {})
    for name, attack in contenders.items():
        with endpoint(forest.predict) as port:
            client, began = Client(port), time.process_time()
            points = attack(client, x[right], y[right])
            client.close()
        wrong = forest.predict(points) != y[right]
        lines[name] = {
            "benchmark": "hopskipjump_http",
            "contender": name,
            "n": SAMPLES,
            "success_rate": float(wrong.mean()),
            "median_l2": round(float(np.median(np.linalg.norm(points - x[right], axis=1))), 4),
            "round_trips": client.calls,
            "rows": client.rows,
            "cpu_s": round(time.process_time() - began, 2),
            "versions": {p: version(p) for p in ("redan", "numpy", "scikit-learn")}
            | ({"art": version("adversarial-robustness-toolbox")} if name == "art" else {}),
        }
        print(json.dumps(lines[name]), flush=True)
    if "art" not in lines:
        sys.stderr.write("no peer: pip install --no-deps --target FOLDER adversarial-robustness-toolbox six\n")
        return 3
    ratio = lines["art"]["round_trips"] / lines["redan"]["round_trips"]
    print(json.dumps({"benchmark": "hopskipjump_http", "ratio": {"round_trips art/redan": round(ratio, 1)}}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

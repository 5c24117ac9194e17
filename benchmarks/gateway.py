"""The gateway with every guard on beside MLServer with adaptive batching and a bare FastAPI, on one core each.

    python benchmarks/gateway.py --peers .peers [--seconds 8] [--rounds 3]

A logistic regression on 30 columns, as scikit-learn's pipeline and as ONNX; one row a request, 512 different rows; our
clients are 1000, each with its own signed token. wrk loads from the other core over 32 connections. Contenders take
turns; medians over the rounds. One JSON line a contender, then one a claim. Needs taskset and wrk, and the peers'
environments (`make peers`); a contender whose environment is missing is left out and its claim is not made.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import joblib
import numpy as np
from onnx import TensorProto, helper, save
from peers.gateway_project import project
from peers.serving import Measured, free_port, load, lua, running
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROWS, CLIENTS = 512, 1000
HERE = Path(__file__).resolve().parent
Run = Callable[[Path, int], Measured]


def models(folder: Path) -> dict[str, Path]:
    """Write the same model twice."""
    x, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x, y)
    joblib.dump(pipeline, folder / "model.joblib")
    scaler, regression = pipeline[0], pipeline[1]
    weight, bias = regression.coef_[0], float(regression.intercept_[0])
    nodes = [
        helper.make_node(
            "Scaler", ["x"], ["scaled"], domain="ai.onnx.ml",
            offset=scaler.mean_.tolist(), scale=(1 / scaler.scale_).tolist(),
        ),
        helper.make_node(
            "LinearClassifier", ["scaled"], ["label", "probabilities"], domain="ai.onnx.ml",
            coefficients=[*(-weight).tolist(), *weight.tolist()], intercepts=[-bias, bias],
            post_transform="LOGISTIC", classlabels_ints=[0, 1],
        ),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 30])],
        [
            helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(folder / "model.onnx"))
    return {"sklearn": folder / "model.joblib", "onnx": folder / "model.onnx"}


def rows() -> list[list[float]]:
    """Return 512 different rows of the data."""
    x, _ = load_breast_cancer(return_X_y=True)
    return x[np.random.default_rng(0).permutation(len(x))[:ROWS]].tolist()


def v2(row: Sequence[float]) -> bytes:
    """Return a row as the Open Inference Protocol writes it."""
    tensor = {"name": "x", "shape": [1, len(row)], "datatype": "FP32", "data": list(row)}
    return json.dumps({"inputs": [tensor]}).encode()


def native(row: Sequence[float]) -> bytes:
    """Return a row as our small JSON and the bare FastAPI take it."""
    return json.dumps({"x": [list(row)]}).encode()


def mlserver(python: Path, model: Path) -> Run:
    """MLServer in one process, adaptive batching of 32 rows within 5 ms."""

    def run(folder: Path, seconds: int) -> Measured:
        port = free_port()
        served = {
            "name": "m",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "max_batch_size": 32,
            "max_batch_time": 0.005,
            "parameters": {"uri": str(model)},
        }
        ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
        (folder / "model-settings.json").write_text(json.dumps(served))
        (folder / "settings.json").write_text(json.dumps({"parallel_workers": 0, "debug": False, **ports}))
        script = lua(folder / "load.lua", [v2(row) for row in rows()], [], "/v2/models/m/infer")
        start = [str(python.parent / "mlserver"), "start", "."]
        with running(start, folder, ready="/v2/health/ready", port=port) as pid:
            return load(pid, port, script, seconds=seconds)

    return run


def fastapi(python: Path, model: Path) -> Run:
    """FastAPI and uvicorn in one process, nothing else."""

    def run(folder: Path, seconds: int) -> Measured:
        port = free_port()
        script = lua(folder / "load.lua", [native(row) for row in rows()], [], "/predict")
        start = [
            "env", f"MODEL={model}", str(python), "-m", "uvicorn", "fastapi_bare:app", "--app-dir",
            str(HERE / "peers"), "--port", str(port), "--no-access-log", "--log-level", "warning",
        ]  # fmt: skip
        with running(start, folder, ready="/ready", port=port) as pid:
            return load(pid, port, script, seconds=seconds)

    return run


def gateway(model: Path, *, mode: str, guards: bool = True, body: Callable[[Sequence[float]], bytes] = v2) -> Run:
    """Ours: sealed, admitted, served in one process."""

    def run(folder: Path, seconds: int) -> Measured:
        port = free_port()
        made = project(folder, model, port=port, mode=mode, guards=guards, clients=CLIENTS if guards else 0)
        target = "/v2/models/m/infer" if body is v2 else "/v1/models/m/predict"
        script = lua(folder / "load.lua", [body(row) for row in rows()], made.tokens, target)
        with running(made.argv, folder, ready="/health/ready", port=port) as pid:
            return load(pid, port, script, seconds=seconds)

    return run


def contenders(peers: Path, files: dict[str, Path]) -> Iterator[tuple[str, Run]]:
    """Yield everybody who can run here."""
    for kind, model in files.items():
        python = peers / "mlserver" / "bin" / "python"
        if kind == "sklearn" and python.exists():
            yield f"{kind} mlserver", mlserver(python, model)
        python = peers / "fastapi" / "bin" / "python"
        if python.exists():
            yield f"{kind} fastapi", fastapi(python, model)
        yield f"{kind} redan async", gateway(model, mode="async")
        yield f"{kind} redan durable", gateway(model, mode="durable")
        yield f"{kind} redan no guards", gateway(model, mode="async", guards=False)


def claims(found: dict[str, list[Measured]]) -> Iterator[dict[str, object]]:
    """Yield what follows."""

    def middle(name: str, of: str) -> float:
        return statistics.median(float(getattr(each, of)) for each in found[name])

    for kind in ("sklearn", "onnx"):
        ours = f"{kind} redan async"
        for other, least in (("mlserver", 5.0), ("fastapi", 1.0)):
            name = f"{kind} {other}"
            if name in found:
                per_s = middle(ours, "per_s") / middle(name, "per_s")
                cpu = middle(name, "cpu_us") / middle(ours, "cpu_us")
                yield {
                    "claim": f"{ours} beside {name}",
                    "requests_ratio": round(per_s, 2),
                    "cpu_ratio": round(cpu, 2),
                    "at_least": least,
                    "holds": bool(min(per_s, cpu) >= least),
                }
        durable = middle(f"{kind} redan durable", "per_s") / middle(ours, "per_s")
        bare = middle(ours, "per_s") / middle(f"{kind} redan no guards", "per_s")
        yield {
            "claim": f"{kind} durable of asynchronous",
            "ratio": round(durable, 3),
            "at_least": 0.4,
            "holds": durable >= 0.4,
        }
        yield {"claim": f"{kind} all guards of none", "ratio": round(bare, 3)}


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=Path, default=Path(".peers"))
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="contenders whose names hold this word")
    asked = parser.parse_args()
    found: dict[str, list[Measured]] = {}
    with _folder() as models_in:
        everybody = [each for each in contenders(asked.peers.resolve(), models(models_in)) if asked.only in each[0]]
        for _ in range(asked.rounds):
            for name, run in everybody:
                with _folder() as folder:
                    found.setdefault(name, []).append(run(folder, asked.seconds))
    for name, runs in found.items():
        middle = {key: statistics.median(asdict(run)[key] for run in runs) for key in asdict(runs[0])}
        spread = [min(run.cpu_us for run in runs), max(run.cpu_us for run in runs)]
        print(json.dumps({"contender": name, **middle, "cpu_us_range": spread, "rounds": len(runs)}))
    if asked.only:
        return 0
    judged = list(claims(found))
    for claim in judged:
        print(json.dumps({**claim, "uvicorn": version("uvicorn"), "onnxruntime": version("onnxruntime")}))
    return 0 if all(claim.get("holds", True) for claim in judged) else 1


if __name__ == "__main__":
    raise SystemExit(main())

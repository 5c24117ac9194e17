"""The declared pipeline beside a running gateway: train, check, seal, push, canary, agreement, promote, roll back."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvloop
from tests.cli.conftest import Cli
from tests.gateway_process import TOML, WIDE, Gateway, gateway
from tests.plane import request
from tests.served import rows, settings_for

from redan.subjects.sandbox import confinement

pytestmark = pytest.mark.skipif(bool(confinement.why_not()), reason=confinement.why_not() or "-")
_SETTINGS = """
[model]
target = "out/model.onnx"
[attack]
threats = ["supply_chain"]
[registry]
keys = ["file:registry.kek"]
signing_key = "registry.key"
[registry.update]
name = "fraud"
retrain = "{python} train.py"
reads = ["train.py", "train.npz"]
writes = ["out"]
seal_key = "ci.key"
quick = true
canary = "4s"
agreement = 0.8
gateway = "http://127.0.0.1:1/"
"""
_SERVED = """
[[serve.models]]
name = "fraud"
version = "{version}"
target = "registry:fraud@{version}"
role = "{version}"
share = 0.5
"""
TRAIN = """
import numpy as np
from onnx import TensorProto, helper, save

data = np.load("train.npz")
x, y = data["x"], data["y"]
mean, scale = x.mean(0), x.std(0)
weight = np.linalg.lstsq(np.c_[(x - mean) / scale, np.ones(len(x))], 2.0 * y - 1, rcond=None)[0]
graph = helper.make_graph(
    [
        helper.make_node(
            "Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=mean.tolist(), scale=(1 / scale).tolist()
        ),
        helper.make_node(
            "LinearClassifier", ["s"], ["label", "scores"], domain="ai.onnx.ml", post_transform="LOGISTIC",
            coefficients=[*(-weight[:-1]).tolist(), *weight[:-1].tolist()], classlabels_ints=[0, 1],
            intercepts=[-float(weight[-1]), float(weight[-1])],
        ),
    ],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, x.shape[1]])],
    [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 2]),
    ],
)
opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
save(helper.make_model(graph, opset_imports=opsets, ir_version=9), "out/model.onnx")
"""
BODY = json.dumps({"x": rows()[0][:20].tolist()}).encode()


def train_on(folder: Path, *, seed: int, liars: bool = False) -> None:
    """Write new training rows; with liars every label is the wrong one."""
    x, y = rows()
    kept = np.random.default_rng(seed).permutation(len(x))[:400]
    np.savez(folder / "train.npz", x=x[kept], y=(1 - y if liars else y)[kept])


def states(cli: Cli) -> dict[str, str]:
    return {line.split()[1]: line.split()[2] for line in cli("registry", "list").out.splitlines()[1:]}


class Clients:
    """Forty clients who ask in turn over one connection, and what they were told."""

    def __init__(self, running: Gateway) -> None:
        self.running = running
        self.tokens = running.tokens(*(f"c{i}" for i in range(40)))
        self.statuses: set[int] = set()
        self.digests: dict[str, str] = {}

    async def ask(self, until: Callable[[Clients], Any], patience_s: float = 30) -> None:
        """Ask until something is so; it is looked at after each round of all clients."""
        client = await self.running.connect()
        async with asyncio.timeout(patience_s):
            while not until(self):
                self.digests = {}
                for token in self.tokens:
                    await client.send(request("/v1/models/fraud/predict", BODY, token=token))
                    status, _, body = await client.answer()
                    said = json.loads(body)
                    self.statuses.add(status)
                    if status == 200:
                        self.digests[said["model"]] = said["digest"]
        await client.close()


def test_a_new_version_is_trained_tried_on_clients_and_promoted_and_a_bad_one_is_not(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_for(tmp_path)
    assert cli("key", "new", "registry.key").code == 0
    served = "".join(_SERVED.format(version=version) for version in ("live", "canary"))
    toml = TOML + served + WIDE + _SETTINGS.format(python=sys.executable)
    (tmp_path / "redan.toml").write_text(toml)
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "out").mkdir()
    train_on(tmp_path, seed=0)
    assert cli("registry", "init").code == 0
    first = cli("registry", "update", "--why", "first")
    assert (first.code, first.out) == (0, "promoted\n"), first.err
    with gateway(tmp_path) as running:
        (monitor,) = running.tokens("pipeline", role="viewer")
        monkeypatch.setenv("REDAN_TOKEN", monitor.removeprefix("Bearer "))
        (tmp_path / "redan.toml").write_text(toml.replace("127.0.0.1:1/", f"127.0.0.1:{running.port}/"))
        clients = Clients(running)
        uvloop.run(clients.ask(lambda seen: seen.digests))
        assert set(clients.digests) == {"fraud@live"}
        old = clients.digests["fraud@live"]

        train_on(tmp_path, seed=1)
        tried = cli("registry", "update", "--why", "new labels")
        assert tried.out.startswith("the canary answers"), tried.err
        assert states(cli) == {"1": "live", "2": "canary"}
        uvloop.run(clients.ask(lambda seen: len(seen.digests) == 2))
        new = clients.digests["fraud@canary"]
        assert clients.digests["fraud@live"] == old != new
        uvloop.run(clients.ask(lambda seen: len(seen.digests) == 2 and compared(running, monitor) > 400))
        promoted = cli("registry", "update", "--wait")
        assert (promoted.code, promoted.out) == (0, "promoted\n"), promoted.err
        uvloop.run(clients.ask(lambda seen: seen.digests == {"fraud@live": new}))

        async def rolled_back() -> None:
            back = asyncio.to_thread(cli, "registry", "rollback", "fraud", "--why", "false alarms")
            _, done = await asyncio.gather(clients.ask(lambda seen: seen.digests == {"fraud@live": old}), back)
            assert done.code == 0, done.err

        uvloop.run(rolled_back())

        train_on(tmp_path, seed=2, liars=True)
        assert cli("registry", "update", "--why", "liars").out.startswith("the canary answers")
        uvloop.run(clients.ask(lambda seen: len(seen.digests) == 2))
        uvloop.run(clients.ask(lambda seen: compared(running, monitor) > 400))
        refused = cli("registry", "update", "--wait")
        assert refused.code == 1
        assert "canary and live version agree on at least 0.0% of" in refused.err, refused.err
        assert states(cli) == {"1": "live", "2": "standby", "3": "canary"}
        assert clients.statuses == {200}


def compared(running: Gateway, token: str) -> int:
    """Return on how many rows the gateway compared its two versions so far."""
    import httpx

    url = f"http://127.0.0.1:{running.port}/v1/models/fraud/comparison"
    found = httpx.get(url, headers={"Authorization": token}, trust_env=False).json()["compared"]
    return int(found[0]["numbers"][0]["n"]) if found else 0

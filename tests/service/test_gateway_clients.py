"""Clients of other people, and Redan's own black-box side, against the gateway, unchanged."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import uvloop
from tests.plane import model, running
from tests.served import rows

TRITON = """
import json, sys
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

address, rows = sys.argv[1], np.array(json.loads(sys.argv[2]))
headers = {"Authorization": "Bearer alice-token"}
client = http.InferenceServerClient(address)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("cancer", headers=headers)
print(json.dumps(client.get_server_metadata()["extensions"]), file=sys.stderr)
metadata = client.get_model_metadata("cancer", headers=headers)
scores = []
for datatype, binary in (("FP64", True), ("FP64", False), ("FP32", True)):
    tensor = http.InferInput(metadata["inputs"][0]["name"], list(rows.shape), datatype)
    tensor.set_data_from_numpy(rows.astype("f8" if datatype == "FP64" else "f4"), binary_data=binary)
    wanted = [http.InferRequestedOutput(name, binary_data=binary) for name in ("scores", "labels")]
    answer = client.infer("cancer", [tensor], outputs=wanted, request_id="mine", headers=dict(headers))
    assert answer.get_response()["id"] == "mine"
    assert answer.as_numpy("labels").shape == (len(rows),)
    scores.append(answer.as_numpy("scores").tolist())
try:
    client.infer("cancer", [tensor])
except InferenceServerException as error:
    assert "unauthenticated" in str(error), error
else:
    raise AssertionError("no token was needed")
print(json.dumps(scores))
"""


def peer() -> str:
    """Return a Python that has tritonclient, this one or that of its own environment."""
    if importlib.util.find_spec("tritonclient") is not None:
        return sys.executable
    folder = Path(os.environ.get("REDAN_TRITONCLIENT", ".cache/tritonclient"))
    python = folder / "bin" / "python"
    if not python.exists():
        pytest.skip(
            "no tritonclient: python -m venv DIR; DIR/bin/pip install 'tritonclient[http]'; REDAN_TRITONCLIENT=DIR"
        )
    return str(python)


def test_tritonclient_works_unchanged_in_json_and_in_binary(tmp_path: Path) -> None:
    python, x = peer(), rows()[0][:5]

    async def main() -> bytes:
        async with running(tmp_path) as gateway:
            process = await asyncio.create_subprocess_exec(
                python, "-c", TRITON, f"127.0.0.1:{gateway.port}", json.dumps(x.tolist()),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
        return out

    wanted = model().answer(x).scores
    exact, also, single = json.loads(uvloop.run(main()))
    assert np.allclose(exact, wanted)
    assert np.allclose(also, wanted)
    assert np.allclose(single, wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("format", "path"), [("native", "/v1/models/cancer/predict"), ("inputs", "/v2/models/cancer/infer")]
)
def test_redan_asks_its_own_gateway_as_any_other_endpoint(tmp_path: Path, format: str, path: str) -> None:
    from redan.core.settings import Endpoint
    from redan.subjects.wire.bodies import answer_array, request_body

    endpoint = Endpoint(format=format)  # type: ignore[arg-type]
    x = rows()[0][:6]

    async def main() -> bytes:
        from tests.plane import asked

        async with running(tmp_path) as gateway:
            status, _, body = await asked(gateway, path, request_body(x, format, ""))
            assert status == 200
        return body

    answer = answer_array(json.loads(uvloop.run(main())), endpoint, "gateway")
    wanted = model().answer(x)
    if format == "native":
        assert np.allclose(answer, wanted.scores)
    else:
        assert answer.tolist() == wanted.labels.tolist()

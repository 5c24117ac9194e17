"""Clients of other people, and Redan's own black-box side, against the assembled gateway, unchanged."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uvloop
from tests import served as made
from tests.gateway_process import TOML, WIDE, Gateway, gateway
from tests.plane import model
from tests.served import rows, settings_for

ROOT = Path(__file__).resolve().parents[2]
PEERS = Path(os.environ.get("REDAN_PEERS", ROOT / ".peers"))
_MODEL = """
[[serve.models]]
name = "cancer"
target = "cancer-1.joblib"
sample = "sample.npz"
schema = "schema.json"
"""
TRITON = """
import json, sys
import numpy as np
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

address, token, rows = sys.argv[1], sys.argv[2], np.array(json.loads(sys.argv[3]))
headers = {"Authorization": token}
client = http.InferenceServerClient(address)
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("cancer", headers=headers)
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
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
waiting = [client.async_infer("cancer", [tensor], outputs=wanted, headers=dict(headers)) for _ in range(5)]
scores += [each.get_result().as_numpy("scores").tolist() for each in waiting]
try:
    client.infer("cancer", [tensor])
except InferenceServerException as error:
    assert "unauthenticated" in str(error), error
else:
    raise AssertionError("no token was needed")
print(json.dumps(scores))
"""
MLSERVER = """
import json, sys
from urllib.request import Request, urlopen
import numpy as np
from mlserver.codecs import NumpyCodec, NumpyRequestCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataModelResponse, MetadataServerResponse

address, token, rows = sys.argv[1], sys.argv[2], np.array(json.loads(sys.argv[3]))

def asked(path, body=None):
    headers = {"Authorization": token, "Content-Type": "application/json"}
    return urlopen(Request(f"http://{address}{path}", data=body, headers=headers)).read()

MetadataServerResponse.model_validate_json(asked("/v2"))
metadata = MetadataModelResponse.model_validate_json(asked("/v2/models/cancer"))
tensor = NumpyCodec.encode_input(metadata.inputs[0].name, rows)
answers = []
for request in (InferenceRequest(inputs=[tensor], id="mine"), NumpyRequestCodec.encode_request(rows)):
    said = asked("/v2/models/cancer/infer", request.model_dump_json(exclude_none=True).encode())
    answer = InferenceResponse.model_validate_json(said)
    outputs = {each.name: NumpyCodec.decode_output(each) for each in answer.outputs}
    answers.append(outputs["scores"].tolist())
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for every client."""
    folder = tmp_path_factory.mktemp("clients")
    settings_for(folder, made.served(folder, name="cancer"))
    (folder / "redan.toml").write_text(TOML + _MODEL + WIDE)
    with gateway(folder) as started:
        yield started


def peer(name: str) -> Path:
    """Return the folder of a client's own environment."""
    folder = PEERS / name / "bin"
    if not (folder / "python").exists():
        pytest.skip(f"no {name} at {folder.parent}: make peers, or set REDAN_PEERS")
    return folder


def ended(argv: list[str]) -> str:
    """Run a client to its end."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_tritonclient_works_unchanged_in_json_and_in_binary(running: Gateway) -> None:
    x, (token,) = rows()[0][:5], running.tokens("triton")
    argv = [str(peer("tritonclient") / "python"), "-c", TRITON, f"127.0.0.1:{running.port}", token]
    exact, also, *single = json.loads(ended([*argv, json.dumps(x.tolist())]))
    wanted = model().answer(x).scores
    assert np.allclose(exact, wanted)
    assert np.allclose(also, wanted)
    assert all(np.allclose(each, wanted, atol=1e-4) for each in single)


def test_the_codecs_and_types_of_mlserver_work_unchanged(running: Gateway) -> None:
    x, (token,) = rows()[0][:5], running.tokens("mlserver")
    argv = [str(peer("mlserver") / "python"), "-W", "ignore", "-c", MLSERVER, f"127.0.0.1:{running.port}", token]
    for scores in json.loads(ended([*argv, json.dumps(x.tolist())])):
        assert np.allclose(scores, model().answer(x).scores)


def test_the_batch_client_of_mlserver_works_unchanged(running: Gateway, tmp_path: Path) -> None:
    x, (token,) = rows()[0][:6], running.tokens("batches")
    tensors = [{"name": "x", "shape": [1, 30], "datatype": "FP64", "data": row} for row in x.tolist()]
    (tmp_path / "in.txt").write_text("".join(json.dumps({"inputs": [each]}) + "\n" for each in tensors))
    argv = [
        str(peer("mlserver") / "mlserver"), "infer", "-u", f"127.0.0.1:{running.port}", "-m", "cancer",
        "-i", str(tmp_path / "in.txt"), "-o", str(tmp_path / "out.txt"), "-s", "3",
        "-H", f"Authorization: {token}", "-w", "2",
    ]  # fmt: skip
    ended(argv)
    answers = [json.loads(line) for line in (tmp_path / "out.txt").read_text().splitlines()]
    answers.sort(key=lambda answer: int(answer["parameters"]["batch_index"]))
    labels = [each["data"][0] for answer in answers for each in answer["outputs"] if each["name"] == "labels"]
    assert labels == model().answer(x).labels.tolist()


@pytest.mark.parametrize(
    ("format", "path"), [("native", "/v1/models/cancer/predict"), ("inputs", "/v2/models/cancer/infer")]
)
def test_redan_asks_its_own_gateway_as_any_other_endpoint(running: Gateway, format: str, path: str) -> None:
    from redan.core.settings import Endpoint
    from redan.subjects.wire.bodies import answer_array, request_body

    endpoint = Endpoint(format=format)  # type: ignore[arg-type]
    x, (token,) = rows()[0][:6], running.tokens(f"redan-{format}")
    status, _, said = uvloop.run(running.ask(path, request_body(x, format, ""), token=token))
    assert status == 200
    assert np.allclose(answer_array(said, endpoint, "gateway"), model().answer(x).scores)

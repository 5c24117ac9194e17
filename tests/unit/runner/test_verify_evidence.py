"""Stored attacks held against their model again: what holds, and each way in which it can fail to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import redan
from redan.core.errors import EvidenceError, Unreadable
from redan.core.finding import Evidence
from redan.core.report import Report
from redan.evidence.blobs import FolderBlobs, load_npy, save_npy
from redan.evidence.replay import Replay
from redan.runner.plan import Choice, plan
from redan.runner.run import Session, run
from redan.runner.verify_evidence import Checked, Model, exit_code, verify_evidence
from redan.threats.evasion.stored import insist_on_size, lengths

ROWS = 24


@cache
def rows() -> tuple[Any, Any]:
    x, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 8).astype(np.float32), y[order]


@cache
def linear() -> LogisticRegression:
    return LogisticRegression(C=100).fit(*rows())


def network() -> torch.nn.Module:
    net: torch.nn.Module = torch.nn.utils.skip_init(torch.nn.Linear, 4, 3)
    net.load_state_dict({"weight": torch.tensor(linear().coef_), "bias": torch.tensor(linear().intercept_)})
    net.float()
    return net


def attacked(
    folder: Path, model: Any, probe: str, *, target: int | None = None, **options: Any
) -> tuple[Report, Model, FolderBlobs]:
    x, y = rows()
    net = redan.subject(model, data=(x[:ROWS], y[:ROWS]), name="net", **options)
    blobs = FolderBlobs(folder / "evidence")
    params: dict[str, Any] = {"norm": "linf", "eps": 0.05, "plan": "quick"}
    choice = Choice(probes=(probe,), params=params if target is None else {**params, "target": target})
    report = run(plan([net.subject], net.inputs, choice), net.inputs, net.subject.ref, Session(blobs=blobs))
    whole = redan.Dataset(**{**_fields(net.inputs.role("test"))})
    return report, Model(subject=net.subject, data=whole), blobs


def _fields(data: Any) -> dict[str, Any]:
    names = ("x", "y", "name", "sha256", "indices", "columns", "classes", "bounds")
    return {name: getattr(data, name) for name in names}


Made = tuple[Report, Model, FolderBlobs]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return attacked(tmp_path, network(), "cascade", bounds=(0, 1))


def checked(made: Made) -> Checked:
    report, model, blobs = made
    (found,) = verify_evidence(report, blobs, lambda: model)
    return found


def replaced(made: Made, name: str, change: Callable[[Any], Any]) -> Made:
    """Change one stored array and name its new digest in the report, as a forger with both would."""
    report, model, blobs = made
    finding = report.findings[0]
    old = finding.blob(name)
    assert old is not None
    new = Evidence.of(name, save_npy(change(load_npy(blobs.get(old.sha256)))), old.media_type)
    blobs.put(new)
    evidence = tuple(new.stored() if e.name == name else e for e in finding.evidence)
    return replace(report, findings=(replace(finding, evidence=evidence),)), model, blobs


def test_what_a_whitebox_attack_stored_holds(made: Made) -> None:
    found = checked(made)
    assert found.state == "holds", found.told
    assert exit_code((found,)) == 0
    robust = made[0].quantity("robust_accuracy")
    assert 0 < robust.value < 1, "the fixture must have rows of both kinds"
    assert f"{robust.value:.1%} of {ROWS} inputs" in found.told[0]
    assert len(found.told) == 1, "every stored distance is that of the stored point"


def test_what_a_targeted_attack_stored_holds_though_survivors_may_be_wrong(tmp_path: Path) -> None:
    found = checked(attacked(tmp_path, network(), "cascade", target=1, bounds=(0, 1)))
    assert found.state == "holds", found.told
    assert "robustness towards class 1" in found.told[0]


@pytest.mark.parametrize("scaled", [False, True])
def test_what_a_label_only_attack_stored_holds_on_either_scale(tmp_path: Path, *, scaled: bool) -> None:
    bounds: dict[str, Any] = {} if scaled else {"bounds": (0, 1)}
    found = checked(attacked(tmp_path, linear(), "hopskipjump", **bounds))
    assert found.state == "holds", found.told


def test_what_was_stored_of_an_onnx_graph_holds(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    make = onnx.helper
    weight = onnx.numpy_helper.from_array(linear().coef_.T.astype(np.float32), "w")
    bias = onnx.numpy_helper.from_array(linear().intercept_.astype(np.float32), "b")
    ends = [make.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["n", k]) for n, k in (("x", 4), ("y", 3))]
    graph = make.make_graph([make.make_node("Gemm", ["x", "w", "b"], ["y"])], "g", ends[:1], ends[1:], [weight, bias])
    path = tmp_path / "linear.onnx"
    path.write_bytes(
        make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9).SerializeToString()
    )
    found = checked(attacked(tmp_path, path, "hopskipjump", bounds=(0, 1)))
    assert found.state == "holds", found.told


@pytest.fixture
def address() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            x = np.asarray(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["instances"], np.float32)
            body = json.dumps({"predictions": linear().predict_proba(x).tolist()}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/predict"
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_was_stored_of_an_endpoint_holds_against_its_answers(tmp_path: Path, address: str) -> None:
    made = attacked(tmp_path, address, "hopskipjump", bounds=(0, 1))
    found = checked(made)
    made[1].subject.close()  # type: ignore[attr-defined]  # an endpoint holds a connection
    assert found.state == "holds", found.told


def test_a_flipped_byte_is_found(made: Made) -> None:
    report, _, blobs = made
    blob = report.findings[0].blob("adversarial")
    assert blob is not None
    path = blobs.folder / blob.sha256[:2] / blob.sha256[2:]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    found = checked(made)
    assert found.state == "broken"
    assert "adversarial: evidence" in found.told[0]
    assert "was changed" in found.told[0]
    assert "restore" in found.told[0]
    assert exit_code((found,)) == 1


def test_missing_evidence_cannot_be_decided(made: Made) -> None:
    report, _, blobs = made
    blob = report.findings[0].blob("success")
    assert blob is not None
    (blobs.folder / blob.sha256[:2] / blob.sha256[2:]).unlink()
    found = checked(made)
    assert found.state == "undecided"
    assert "success" in found.told[0]
    assert exit_code((found,)) == 3


def _far(points: Any) -> Any:
    return np.clip(points + np.float32(0.2), 0, 1)


def test_a_point_out_of_the_ball_is_found_with_its_row(made: Made) -> None:
    report, _, blobs = made
    success = load_npy(blobs.get(report.findings[0].blob("success").sha256))  # type: ignore[union-attr]  # it is there
    distance = load_npy(blobs.get(report.findings[0].blob("distance").sha256))  # type: ignore[union-attr]  # it is there
    row = int(np.flatnonzero(success & (distance > 0))[0])

    def move(points: Any) -> Any:
        points = points.copy()
        points[row] = _far(points[row])
        return points

    found = checked(replaced(made, "adversarial", move))
    assert found.state == "broken"
    assert any(f"1 of {ROWS} points lie outside the ball of linf 0.05 (rows {row});" in told for told in found.told)


def test_points_out_of_the_box_are_found(made: Made) -> None:
    found = checked(replaced(made, "adversarial", lambda points: points - np.float32(2)))
    assert any("leave the box of legal values" in told for told in found.told)


def test_points_that_the_model_answers_rightly_are_found(made: Made) -> None:
    clean = made[1].data.x
    found = checked(replaced(made, "adversarial", lambda points: clean.astype(points.dtype)))
    assert any("points are classified rightly by the model given" in told for told in found.told)


def test_outcomes_that_were_turned_are_found(made: Made) -> None:
    found = checked(replaced(made, "success", np.zeros_like))
    assert found.state == "broken"
    assert any("the report says robust_accuracy" in told for told in found.told)
    assert any("count as withstanding" in told for told in found.told)


def test_distances_that_were_stretched_are_found(made: Made) -> None:
    found = checked(replaced(made, "distance", lambda d: np.where(d < 0.05, d * 1.5 + 0.03 * (d > 0), d)))
    assert found.state == "broken"
    assert any("stored distance" in told for told in found.told)


def test_a_number_that_was_polished_in_the_report_is_found(made: Made) -> None:
    report, model, blobs = made
    finding = report.findings[0]
    better = tuple(replace(q, value=q.value + 0.2) if q.name == "robust_accuracy" else q for q in finding.quantities)
    found = checked((replace(report, findings=(replace(finding, quantities=better),)), model, blobs))
    assert found.state == "broken"
    assert "do not rely on the report" in found.told[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"eps": 5.0}, "the report says eps 0.05, the evidence 5.0"), ({"bounds": (0.0, float("inf"))}, "is no box")],
)
def test_a_wider_ball_or_box_in_the_record_is_found(made: Made, change: dict[str, Any], words: str) -> None:
    report, model, blobs = made
    finding = report.findings[0]
    record = finding.blob("replay")
    assert record is not None
    wider = replace(Replay.from_json(blobs.get(record.sha256)), **change)
    new = Evidence.of("replay", wider.to_json(), "application/json")
    blobs.put(new)
    evidence = tuple(new.stored() if e.name == "replay" else e for e in finding.evidence)
    found = checked((replace(report, findings=(replace(finding, evidence=evidence),)), model, blobs))
    assert found.state == "broken"
    assert words in found.told[0]


def test_another_model_is_found_by_its_digest_and_by_its_answers(made: Made) -> None:
    report, model, blobs = made
    net = network()
    with torch.no_grad():
        net.weight.copy_(net.weight.flip(0))  # type: ignore[operator]  # a linear layer
    other = redan.subject(net, data=(model.data.x, model.data.y), bounds=(0, 1), name="net")
    (found,) = verify_evidence(report, blobs, lambda: Model(subject=other.subject, data=model.data))
    assert found.state == "broken"
    assert "the model given has digest" in found.told[0]
    assert any("is not the one that was attacked" in told for told in found.told[1:])


def test_other_data_cannot_be_decided_and_the_right_ones_are_named(made: Made) -> None:
    report, model, blobs = made
    for data in (replace(model.data, x=model.data.x + 0.01), replace(model.data, indices=model.data.indices + 500)):
        (found,) = verify_evidence(report, blobs, lambda data=data: Model(subject=model.subject, data=data))  # type: ignore[misc]  # bound early on purpose
        assert found.state == "undecided"
        assert "--data" in found.told[0]


def test_a_model_that_is_not_at_hand_cannot_be_decided(made: Made) -> None:
    def missing() -> Model:
        raise Unreadable("there is no model at 'net.pt'", hint="give --model")

    (found,) = verify_evidence(made[0], made[2], missing)
    assert found.state == "undecided"
    assert found.told == ("model or data are not at hand: there is no model at 'net.pt' (give --model)",)


def test_a_finding_without_points_is_said_to_be_beyond_verification(made: Made) -> None:
    report, model, blobs = made
    bare = replace(report, findings=(replace(report.findings[0], evidence=()),))
    (found,) = verify_evidence(bare, blobs, lambda: model)
    assert found.state == "not re-verifiable"
    assert exit_code((found,)) == 3
    assert exit_code(()) == 3


def test_an_array_that_promises_more_than_it_holds_is_refused_before_memory_is_reserved() -> None:
    data = save_npy(np.zeros((2, 3), np.float32))
    insist_on_size(data, "adversarial")
    lying = data.replace(b"(2, 3)", b"(9, 9)")
    with pytest.raises(EvidenceError, match="promises 81 numbers"):
        insist_on_size(lying, "adversarial")
    with pytest.raises(EvidenceError, match="is no array"):
        insist_on_size(b"no", "adversarial")


def test_lengths_are_those_of_the_norms() -> None:
    delta = np.array([[3.0, -4.0, 0.0]])
    assert [lengths(delta, norm)[0] for norm in ("linf", "l2", "l1", "l0")] == [4, 5, 7, 2]
    with pytest.raises(EvidenceError, match="'l3'"):
        lengths(delta, "l3")

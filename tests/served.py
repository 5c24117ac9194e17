"""Small real models with real statements beside them, for every test that serves one; made once a process.

`settings_for` writes all that a gateway needs into a folder and returns the settings; `served` makes one version.
Rows are those of the Wisconsin breast cancer data (30 columns, 569 rows) that scikit-learn brings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from redan.core.settings import Admission, Requirement, Settings
from redan.core.settings_service import Audit, Identity, Serve, ServedModel
from redan.evidence.keys import Signer, generate, save

Kind = Literal["sklearn", "onnx", "xgboost", "torch"]
KINDS: tuple[Kind, ...] = ("sklearn", "onnx", "xgboost", "torch")
ENDINGS = {"sklearn": ".joblib", "onnx": ".onnx", "xgboost": ".json", "torch": ".pt2"}
COLUMNS = 30
KEY: Signer = generate("ed25519")
"""Signs the statements; its public half is ``ci.key.pub`` in each folder."""
STRANGER: Signer = generate("ed25519")
"""Nobody's policy names it."""


@cache
def rows() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return x (569, 30) and y (569,); never write into them."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    x, y = data.data.astype(np.float64), data.target.astype(np.int64)
    x.flags.writeable = y.flags.writeable = False
    return x, y


@cache
def pipeline(seed: int = 0) -> Any:
    """Fit a scaler and a logistic regression; each seed sees other rows, so its numbers differ."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = rows()
    kept = np.random.default_rng(seed).permutation(len(x))[:400]
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x[kept], y[kept])


def _sklearn(seed: int) -> bytes:
    import joblib

    stream = BytesIO()
    joblib.dump(pipeline(seed), stream)
    return stream.getvalue()


def _onnx(seed: int) -> bytes:
    """The same pipeline in the operators that converters of scikit-learn write, with labels and probabilities."""
    from onnx import TensorProto, helper

    scaler, regression = (step for _, step in pipeline(seed).steps)
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
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2]),
    ]
    taken = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", COLUMNS])]
    graph = helper.make_graph(nodes, "breast_cancer", taken, outputs)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    return data


def _xgboost(seed: int) -> bytes:
    import xgboost

    x, y = rows()
    kept = np.random.default_rng(seed).permutation(len(x))[:400]
    params = {"objective": "binary:logistic", "max_depth": 3, "nthread": 1, "verbosity": 0, "seed": seed}
    return bytes(xgboost.train(params, xgboost.DMatrix(x[kept], y[kept]), 10).save_raw(raw_format="json"))


def _torch(seed: int) -> bytes:
    """The same pipeline as an exported network of two logits, as ``torch.export`` saves it."""
    import torch

    scaler, regression = (step for _, step in pipeline(seed).steps)
    weight = torch.tensor(regression.coef_[0] / scaler.scale_, dtype=torch.float32)
    bias = torch.tensor(float(regression.intercept_[0] - (regression.coef_[0] * scaler.mean_ / scaler.scale_).sum()))
    net = torch.nn.Linear(COLUMNS, 2)
    with torch.no_grad():
        net.weight.copy_(torch.stack((-weight, weight)) / 2)
        net.bias.copy_(torch.stack((-bias, bias)) / 2)
    stream = BytesIO()
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    exported = torch.export.export(net.eval(), (torch.zeros(2, COLUMNS),), dynamic_shapes=({0: batch},))
    torch.export.save(exported, stream)
    return stream.getvalue()


_MAKERS: dict[Kind, Callable[[int], bytes]] = {
    "sklearn": _sklearn,
    "onnx": _onnx,
    "xgboost": _xgboost,
    "torch": _torch,
}


@cache
def model_bytes(kind: Kind, seed: int = 0) -> bytes:
    """Return a model's file."""
    return _MAKERS[kind](seed)


@cache
def _bundle(kind: Kind, seed: int) -> bytes:
    """Return the statements of a real scan of the model, sealed by `KEY`."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"model{ENDINGS[kind]}"
        path.write_bytes(model_bytes(kind, seed))
        return seal_scan(path).read_bytes()


def seal_scan(path: Path, *, key: Signer = KEY, **more: Any) -> Path:
    """Scan a model, seal the report beside it, and return the bundle; ``more`` goes to `redan.runner.seal.seal`."""
    from redan.runner.scan import scan
    from redan.runner.seal import seal

    return seal(path, scan(path), key=key, **more).path


@cache
def _schema() -> bytes:
    from redan.evidence.datasets.schema import infer, to_json
    from redan.evidence.datasets.table import Column, Table

    x, _ = rows()
    columns = [
        Column(name=f"f{i}", kind="number", dtype="float64", values=x[:, i].copy(), missing=np.zeros(len(x), bool))
        for i in range(COLUMNS)
    ]
    return to_json(infer(Table(name="train.npz", columns=tuple(columns), n_rows=len(x))))


def served(
    folder: Path, kind: Kind = "sklearn", *, name: str = "", version: str = "1", seed: int = 0, **more: Any
) -> ServedModel:
    """Write a model, its statements, its schema and sample rows into a folder; return how to serve it.

    Args:
        folder: where settings have their root.
        kind: library.
        name: what clients call it; the kind when empty.
        version: what clients call this version.
        seed: another seed is another model.
        **more: further fields of `ServedModel`, such as ``role`` and ``share``.
    """
    path = folder / f"{name or kind}-{version}{ENDINGS[kind]}"
    path.write_bytes(model_bytes(kind, seed))
    path.with_name(path.name + ".intoto.jsonl").write_bytes(_bundle(kind, seed))
    (folder / "schema.json").write_bytes(_schema())
    x, y = rows()
    if not (folder / "sample.npz").exists():
        np.savez(folder / "sample.npz", x=x[:64], y=y[:64])
    return ServedModel(
        name=name or kind,
        target=path.name,
        version=version,
        sample="sample.npz",
        schema="schema.json",
        classes=("malignant", "benign") if kind in ("torch", "xgboost") else (),
        **more,
    )


def settings_for(folder: Path, *models: ServedModel, serve: dict[str, Any] | None = None, **tables: Any) -> Settings:
    """Write keys into a folder and return settings that admit and serve these models, a sklearn one when none.

    Args:
        folder: where relative paths start from.
        *models: made by `served`.
        serve: further fields of ``[serve]``.
        **tables: other tables of `Settings`, such as ``audit=Audit(...)``.
    """
    for file, key in (("ci.key", KEY), ("token.key", generate("ed25519")), ("audit.key", generate("ed25519"))):
        if not (folder / file).exists():
            save(key, folder / file)
    admission = Admission(keys=("ci.key.pub",), require=(Requirement(statement="scan"),))
    base = Settings(
        serve=Serve(models=models or (served(folder),), address="127.0.0.1:0", **(serve or {})),
        admission=admission,
        identity=Identity(token_key="token.key"),
        audit=Audit(key="audit.key"),
    )
    return replace(base, **tables)

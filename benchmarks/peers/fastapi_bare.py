"""The least that FastAPI needs to serve a model: no guard, no batching. `MODEL=path uvicorn fastapi_bare:app`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

path = os.environ["MODEL"]
if path.endswith(".onnx"):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def answer(x: Any) -> tuple[list[int], list[list[float]]]:
        labels, scores = session.run(["label", "probabilities"], {"x": x})
        return labels.tolist(), scores.tolist()
else:
    import joblib

    model = joblib.load(path)

    def answer(x: Any) -> tuple[list[int], list[list[float]]]:
        scores = model.predict_proba(x)
        return model.classes_[scores.argmax(1)].tolist(), scores.tolist()


class Rows(BaseModel):
    """A request."""

    x: list[list[float]]


app = FastAPI()


@app.get("/ready")
async def ready() -> dict[str, str]:
    return {}


@app.post("/predict")
async def predict(rows: Rows) -> dict[str, Any]:
    labels, scores = answer(np.asarray(rows.x, dtype=np.float32))
    return {"labels": labels, "scores": scores}

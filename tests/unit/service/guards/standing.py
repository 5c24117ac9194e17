"""Served models, calls and batches as guards see them, without a gateway around."""

from __future__ import annotations

from typing import Any

import numpy as np

from redan.core.settings_service import ServedModel
from redan.service.gateway.call import Batch, Call
from redan.service.identity.principal import Principal
from redan.service.models.served import Answers, Served

DIGEST = "ab" * 32


def answer(x: np.ndarray) -> Answers:
    """A linear model of three classes, as probabilities."""
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    weights = np.stack([np.linspace(-1, 1, flat.shape[1]), np.zeros(flat.shape[1]), np.linspace(1, -1, flat.shape[1])])
    logits = flat @ weights.T
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    return Answers(labels=scores.argmax(axis=1), scores=scores)


def served(d: int = 4, **more: Any) -> Served:
    settings = more.pop("settings", None) or ServedModel(name="m", target="m.onnx")
    known: dict[str, Any] = {"answer": answer, "dtype": np.float32, "shape": (d,), "score_kind": "probabilities"}
    return Served(settings=settings, digest=DIGEST, decision=None, **{**known, **more})


def call(model: Served, x: Any, client: str = "client:a", *, addr: str = "10.0.0.1", id: str = "r") -> Call:
    principal = Principal(
        id=client, kind="program", roles=frozenset(), grants=frozenset(), credential="k", expires_s=2e9
    )
    return Call(
        principal=principal,
        served=model,
        x=np.asarray(x, dtype=model.dtype),
        body=b"{}",
        began_s=0.0,
        id=id,
        addr=addr,
        write=lambda one: b"{}",
        done=lambda one: None,
    )


def answered(model: Served, *calls: Call) -> Batch:
    batch = Batch(model, calls)
    found = model.answer(batch.x)
    batch.labels, batch.scores = found.labels, found.scores
    return batch

"""Facts in the headers of model files: safetensors, GGUF, ONNX, and the classes that a pickle names.

Sources: the safetensors README, "Format"; ggml's docs/gguf.md; onnx/onnx.proto.
"""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from redan.kernels.cards.facts import NOTHING, ModelFacts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from redan.kernels.artifacts.reading import Reading

LARGEST_HEADER_BYTES = 32 << 20
"""Bytes of a header that are parsed."""
MOST_PAIRS = 10_000
"""Metadata entries of a GGUF file that are read."""
LARGEST_GRAPH_BYTES = 256 << 20
"""Bytes of an ONNX file whose graph is looked into."""

_FAMILIES = {
    "sklearn.linear_model": "linear-model", "sklearn.svm": "support-vector-machine", "sklearn.tree": "decision-tree",
    "sklearn.ensemble": "ensemble", "sklearn.neighbors": "nearest-neighbours", "sklearn.naive_bayes": "naive-bayes",
    "sklearn.neural_network": "multi-layer-perceptron", "sklearn.cluster": "clustering",
    "sklearn.gaussian_process": "gaussian-process", "xgboost": "gradient-boosted-trees",
    "lightgbm": "gradient-boosted-trees", "catboost": "gradient-boosted-trees",
}  # fmt: skip
_TASKS = {
    "Classifier": "classification", "LogisticRegression": "classification", "SVC": "classification",
    "Regressor": "regression", "Regression": "regression", "SVR": "regression", "KMeans": "clustering",
}  # fmt: skip
_TYPES = {
    1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 8: "string", 9: "bool", 10: "float16", 11: "float64",
    16: "bfloat16",
}  # fmt: skip
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Numbers of GGUF's types and their letters of the struct module."""


def read_header(path: Path, reading: Reading) -> ModelFacts:
    """Read what a model file's own header says; nothing where its format has no reader here.

    Args:
        path: the file.
        reading: what the scanner found in it.

    Raises:
        OSError: the file cannot be read.
    """
    readers: dict[str, Callable[[Path], ModelFacts]] = {
        "safetensors": _safetensors,
        "gguf": _gguf,
        "onnx": _onnx,
    }
    read = readers.get(reading.format)
    if read is None:
        return _called(reading)
    try:
        return read(path)
    except (ValueError, RecursionError, struct.error):
        return NOTHING  # the scan has said already that the file is broken


def _called(reading: Reading) -> ModelFacts:
    """Return the estimator that a pickle builds: the first class of a known family; scalers and the like are none."""
    names = [call.callable for call in reading.calls if call.how in ("NEWOBJ", "NEWOBJ_EX", "REDUCE")]
    for name in names:
        family = next((f for prefix, f in _FAMILIES.items() if name.startswith(f"{prefix}.")), "")
        last = name.rpartition(".")[2]
        if family and last[:1].isupper():
            task = next((task for ending, task in _TASKS.items() if last.endswith(ending)), "")
            whole = f"Pipeline({last})" if "sklearn.pipeline.Pipeline" in names else last
            return ModelFacts(family=family, architecture=whole, task=task)
    return NOTHING


def _safetensors(path: Path) -> ModelFacts:
    with path.open("rb") as stream:
        n_bytes = int.from_bytes(stream.read(8), "little")
        if n_bytes > LARGEST_HEADER_BYTES:
            return NOTHING
        header = json.loads(stream.read(n_bytes))
    tensors = [row for key, row in header.items() if key != "__metadata__" and isinstance(row, dict)]
    n_parameters = sum(math.prod(_sizes(row.get("shape"))) for row in tensors)
    kinds = sorted({str(row.get("dtype"))[:12] for row in tensors})
    notes = header.get("__metadata__")
    kept = notes.items() if isinstance(notes, dict) else ()
    further = {f"safetensors:{key}": value for key, value in kept if isinstance(value, str) and len(value) <= 200}
    return ModelFacts(further=_counted(n_parameters, ", ".join(kinds), len(tensors), further))


def _sizes(shape: Any) -> list[int]:
    return [n for n in shape if isinstance(n, int) and 0 <= n < 1 << 40][:16] if isinstance(shape, list) else [0]


def _counted(n_parameters: int, kinds: str, n_tensors: int, further: dict[str, str]) -> tuple[tuple[str, str], ...]:
    found = {"model:parameters": str(n_parameters), "model:tensors": str(n_tensors), "model:dtype": kinds}
    return tuple(sorted({**further, **{k: v for k, v in found.items() if v}}.items()))


class _Gguf:
    """Reads a GGUF header value by value from a stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.left = LARGEST_HEADER_BYTES

    def take(self, n_bytes: int) -> bytes:
        self.left -= n_bytes
        if self.left < 0:
            raise ValueError("the header is larger than is read")
        data = self.stream.read(n_bytes)
        if len(data) != n_bytes:
            raise ValueError("the header is cut off")
        return data

    def number(self, letter: str) -> Any:
        return struct.unpack(f"<{letter}", self.take(struct.calcsize(f"<{letter}")))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind == 8:
            return self.text()
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind != 9 or depth > 3:
            raise ValueError("no such type")
        inner, n_items = self.number("I"), self.number("Q")
        if inner in _SCALARS:
            self.take(struct.calcsize(f"<{_SCALARS[inner]}") * n_items)
        else:
            for _ in range(n_items):
                self.value(inner, depth + 1)
        return None


def _gguf(path: Path) -> ModelFacts:
    known: dict[str, Any] = {}
    with path.open("rb") as stream:
        reader = _Gguf(stream)
        reader.take(8)
        n_tensors, n_pairs = reader.number("Q"), reader.number("Q")
        try:
            for _ in range(min(n_pairs, MOST_PAIRS)):
                key = reader.text()
                known[key] = reader.value(reader.number("I"))
        except ValueError:
            pass  # a large vocabulary: what stands before it counts
    family = str(known.get("general.architecture") or "")
    further = {
        f"gguf:{key}": str(value)
        for key, value in known.items()
        if key.startswith(("general.", f"{family}.")) and value is not None and len(str(value)) <= 200
    }
    sets = [str(v) for k, v in sorted(known.items()) if k.startswith("general.dataset.") and k.endswith(".name")]
    return ModelFacts(
        name=str(known.get("general.name") or ""),
        task="text-generation" if f"{family}.context_length" in known else "",
        family=family,
        architecture=str(known.get("general.basename") or family),
        licence=str(known.get("general.license") or ""),
        datasets=tuple(sets),
        further=tuple(sorted({**further, "model:tensors": str(n_tensors)}.items())),
    )


def _onnx(path: Path) -> ModelFacts:
    from redan.kernels.cards.onnx_graph import read_graph

    if path.stat().st_size > LARGEST_GRAPH_BYTES:
        return NOTHING
    return read_graph(path.read_bytes(), _TYPES)

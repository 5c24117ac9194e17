"""ONNX models through onnxruntime, on one thread of the CPU."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import ShapeMismatch, Unreadable, UsageError
from redan.core.subject import Binding, Component, SubjectRef
from redan.subjects.answering import Answering
from redan.subjects.columns import AnswerForm, agreed_classes
from redan.subjects.failures import answering, first_line
from redan.subjects.options import Options

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from redan.core.subject import Capability

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
}


class OnnxSubject(Answering):
    """A session with one input and labels, scores or both as outputs (as converted scikit-learn models have).

    The layout of an answer is learned from the session's description and, for what the scores are, from the sample
    or the first batch.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        options: what its owner knows about it.
        components: the digest of the file.
        binding: how it was reached.
        sample: a few inputs to learn from what the scores are.

    Raises:
        UsageError: several inputs, or no output that is a prediction.
    """

    def __init__(
        self,
        session: Any,
        *,
        options: Options | None = None,
        components: tuple[Component, ...] = (),
        binding: Binding | None = None,
        sample: NDArray[Any] | None = None,
    ) -> None:
        self._session = session
        self._options = options or Options()
        inputs = session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            shown = ", ".join(f"{i.name}: {i.type}" for i in inputs)
            raise UsageError(f"this ONNX model takes {shown}; expected one input of numbers")
        self._input = inputs[0]
        self._scores_at, self._labels_at = _outputs(session)
        name = self._options.name or (components[0].uri if components else "onnx")
        self._ref = SubjectRef(name=name, kind="onnx", components=components, binding=binding or Binding())
        form = replace(self._options, answers="scores" if self._scores_at else "labels")
        self._form = AnswerForm(name, form)
        if sample is not None and self._scores_at:
            self.scores(sample)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Labels; scores where an output holds them."""
        return frozenset({"labels", "scores"} if self._scores_at else {"labels"})

    @property
    def session(self) -> Any:
        """The session itself; not to be changed."""
        return self._session

    @property
    def output(self) -> Any:
        """The description of the output that holds scores; None where there is none."""
        return next((each for each in self._session.get_outputs() if each.name == self._scores_at), None)

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n, …) inputs as (n,) int64; of scores the highest column."""
        output = self._scores_at or self._labels_at
        parts = [self._form.labels(self._plain(self._run(batch, output)), len(batch)) for batch in self._batches(x)]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores of (n, …) inputs as (n, classes)."""
        batches = self._batches(x)
        rows = [self._form.scores(self._plain(self._run(batch, self._scores_at)), len(batch)) for batch in batches]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.classes)))

    def _batches(self, x: NDArray[Any]) -> list[NDArray[Any]]:
        x = np.asarray(x)
        rank = len(self._input.shape) if self._input.shape else x.ndim
        if x.ndim > 2 and rank == 2:
            x = x.reshape(len(x), -1)
        if x.ndim != rank:
            raise ShapeMismatch(
                f"{self._ref.name!r} takes inputs of shape {tuple(self._input.shape)}; the data has {x.shape}",
                hint="None and names stand for any length",
            )
        if self._options.channels == "last" and x.ndim == 4:
            x = x.transpose(0, 2, 3, 1)
        fixed = self._input.shape[0] if self._input.shape else None
        size = fixed if isinstance(fixed, int) and fixed > 0 else self._options.batch
        return [x[start : start + size] for start in range(0, len(x), size)]

    def _run(self, batch: NDArray[Any], output: str) -> Any:
        fixed = self._input.shape[0] if self._input.shape else None
        n = len(batch)
        if isinstance(fixed, int) and 0 < n < fixed:
            # the graph was exported for one batch length: fill up with the last row, drop the answers to it
            batch = np.concatenate([batch, np.repeat(batch[-1:], fixed - n, axis=0)])
        fed = {self._input.name: np.ascontiguousarray(batch, dtype=_TYPES[self._input.type])}
        with answering(self._ref.name, batch.shape):
            return self._session.run([output], fed)[0][:n]

    def _plain(self, answer: Any) -> NDArray[Any]:
        """Flatten the list of {class: score} that converted scikit-learn classifiers answer (ZipMap)."""
        if isinstance(answer, list) and answer and isinstance(answer[0], dict):
            own = tuple(str(key) for key in answer[0])
            self._form.classes = agreed_classes(self._form.classes, own, self._ref.name)
            return np.array([list(row.values()) for row in answer])
        return np.asarray(answer)


def open_session(model: bytes | Path, name: str) -> Any:
    """Open a session on one CPU thread without touching the network or custom operators.

    Args:
        model: the bytes of the model, or its path where it keeps tensors in files beside it.
        name: for messages.

    Raises:
        Unreadable: no ONNX model, or operators that onnxruntime does not know.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    refused = (state.InvalidProtobuf, state.InvalidGraph, state.Fail, state.NotImplemented, state.InvalidArgument)
    try:
        source = model if isinstance(model, bytes) else str(model)
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except refused as err:
        raise Unreadable(f"{name!r} is no ONNX model that onnxruntime runs: {first_line(err)}") from err


def digested(data: bytes, name: str) -> Component:
    """Digest a model that lies in memory."""
    return Component(role="weights", uri=name, sha256=sha256(data).hexdigest(), size_bytes=len(data))


def _outputs(session: Any) -> tuple[str, str]:
    """Find the outputs that hold scores and labels by their type; an empty name where there is none."""
    scores, labels = "", ""
    for output in session.get_outputs():
        if output.type in ("tensor(int64)", "tensor(int32)", "tensor(string)", "tensor(uint8)"):
            labels = labels or output.name
        elif output.type.startswith(("tensor(float", "tensor(double", "seq(map(")):
            scores = scores or output.name
    if not scores and not labels:
        raise UsageError("this ONNX model has no output that is a label or a score")
    return scores, labels

"""Turns whatever a model raises into an error with advice."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from redan.core.errors import MissingDependency, RedanError, ShapeMismatch, SubjectFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHAPE_WORDS = ("shape", "size", "dimension", "expected input", "channels", "mat1", "features", "columns", "rank")
_LONGEST_MESSAGE = 300
_EXTRAS = {
    "numpy": "arrays",
    "torch": "torch",
    "keras": "keras",
    "transformers": "hf",
    "safetensors": "hf",
    "sklearn": "sklearn",
    "joblib": "sklearn",
    "xgboost": "boosters",
    "lightgbm": "boosters",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "pyarrow": "data",
    "PIL": "data",
    "dp_accounting": "privacy",
    "opendp": "privacy",
    "fairlearn": "fairness",
    "cleanlab": "labels",
    "shap": "explain",
    "lime": "explain",
    "captum": "explain",
}
"""Library → extra that brings it."""


@contextmanager
def answering(name: str, shape: tuple[int, ...] = ()) -> Iterator[None]:
    """Run the model's own code; what it raises becomes an error of Redan.

    Args:
        name: the subject, for the message.
        shape: of the batch that the model is given, for the message.

    Raises:
        ShapeMismatch: the model complains about the shape of its input.
        SubjectFailed: it raised anything else.
    """
    try:
        yield
    except RedanError:
        raise
    except Exception as err:
        said = f"{type(err).__name__}: {first_line(err)}"
        if any(word in str(err).lower() for word in _SHAPE_WORDS):
            raise ShapeMismatch(
                f"{name!r} does not accept inputs of shape {shape}: {said}",
                hint="compare the shape with what the model was trained on; see channels= and input_shape=",
            ) from err
        raise SubjectFailed(
            f"{name!r} raised on inputs of shape {shape}: {said}",
            hint="call the model yourself on the same few rows; Redan passes them as the data gives them",
        ) from err


@contextmanager
def needing(purpose: str) -> Iterator[None]:
    """Turn the absence of a library that an extra brings into the advice to install the extra; also a decorator.

    Args:
        purpose: what needs the library, for the message.

    Raises:
        MissingDependency: naming library and extra.
    """
    try:
        yield
    except ModuleNotFoundError as err:
        library = (err.name or "").partition(".")[0]
        if library not in _EXTRAS:
            raise
        raise MissingDependency.of(library, _EXTRAS[library], purpose) from err


def first_line(err: BaseException) -> str:
    """Return the first line of what an exception says, cut to a readable length."""
    lines = str(err).strip().splitlines()
    return lines[0][:_LONGEST_MESSAGE] if lines else "no message"

"""A Python object to its adapter, by the library that its type comes from; no library is imported to find out."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from redan.core.errors import UsageError
from redan.core.subject import Binding

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from redan.core.subject import Component, Subject
    from redan.subjects.options import Options


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What is known about an object beside the object itself.

    Attributes:
        options: what its owner knows about it.
        sample: a few inputs to learn from what it answers.
        weights: the file it came from; None for an object in memory, which is then digested itself.
        code: the source file of the factory that made it.
        binding: how it was reached.
    """

    options: Options
    sample: NDArray[Any] | None = None
    weights: Component | None = None
    code: Component | None = None
    binding: Binding = field(default_factory=Binding)

    @property
    def components(self) -> tuple[Component, ...]:
        """The parts that are known."""
        return tuple(part for part in (self.weights, self.code) if part is not None)


def from_object(model: Any, found: Found, *, kind: str = "auto") -> Subject:
    """Wrap an object in memory.

    Args:
        model: a subject, torch or Keras module, fitted estimator, booster, ONNX session or model, or callable.
        found: what is known about it.
        kind: adapter to take; ``auto`` looks at the type.

    Raises:
        UsageError: nothing that predicts, or not of the kind that was asked for.
    """
    if hasattr(model, "ref") and hasattr(model, "capabilities"):
        return cast("Subject", model)
    own = kind_of(model)
    chosen = own if kind == "auto" else {"hf": "torch", "keras": "torch"}.get(kind, kind)
    if chosen not in _ADAPTERS or not (chosen == own or (chosen == "callable" and callable(model))):
        raise UsageError(
            f"a {type(model).__module__}.{type(model).__name__} is no {'model' if kind == 'auto' else kind}",
            hint="give a torch or Keras module, fitted scikit-learn classifier, booster, ONNX session or a function",
        )
    return _ADAPTERS[chosen](model, found)


def kind_of(model: Any) -> str:
    """Say which adapter fits an object: the first of its classes, nearest first, that a known library made."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        return "torch"
    for cls in type(model).__mro__:
        library = cls.__module__.partition(".")[0]
        if library in {"xgboost", "lightgbm"}:
            return "booster"
        if library in {"sklearn", "onnxruntime", "onnx"}:
            return "sklearn" if library == "sklearn" else "onnx"
    if hasattr(model, "predict") and hasattr(model, "classes_"):
        return "sklearn"
    return "callable" if callable(model) else ""


def _torch(model: Any, found: Found) -> Subject:
    from redan.subjects.torch import TorchSubject

    return TorchSubject(
        model,
        options=found.options,
        sample=found.sample,
        weights=found.weights,
        components=(found.code,) if found.code else (),
        binding=found.binding,
    )


def _sklearn(model: Any, found: Found) -> Subject:
    from redan.subjects.sklearn import SklearnSubject

    return SklearnSubject(model, options=found.options, components=found.components, binding=found.binding)


def _booster(model: Any, found: Found) -> Subject:
    from redan.subjects import boosters
    from redan.subjects.sklearn import SklearnSubject

    if type(model).__name__ != "Booster":
        return SklearnSubject(
            model, options=found.options, components=found.components, binding=found.binding, kind="booster"
        )
    wrap = boosters.from_xgboost if type(model).__module__.startswith("xgboost") else boosters.from_lightgbm
    return wrap(model, options=found.options, components=found.components, binding=found.binding)


def _onnx(model: Any, found: Found) -> Subject:
    from redan.subjects.onnx import OnnxSubject, digested, open_session

    components = found.components
    if hasattr(model, "SerializeToString"):
        data = model.SerializeToString()
        components = components or (digested(data, "onnx"),)
        model = open_session(data, found.options.name or "onnx")
    return OnnxSubject(model, options=found.options, components=components, binding=found.binding, sample=found.sample)


def _callable(model: Any, found: Found) -> Subject:
    from redan.subjects.callable import CallableSubject

    return CallableSubject(
        model, options=found.options, sample=found.sample, components=found.components, binding=found.binding
    )


_ADAPTERS: dict[str, Callable[[Any, Found], Subject]] = {
    "torch": _torch,
    "sklearn": _sklearn,
    "booster": _booster,
    "onnx": _onnx,
    "callable": _callable,
}

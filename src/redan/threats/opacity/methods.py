"""Which explanations fit a model and its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import Skipped, UnknownName
from redan.kernels.pictures import is_image
from redan.subjects.failures import answering, needing

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.core.subject import Subject
    from redan.kernels.explain.attribution import Attribution, Probabilities
    from redan.threats.opacity.rows import Rows

METHODS = (
    "tree-shap",
    "integrated-gradients",
    "grad-cam",
    "saliency",
    "occlusion",
    "permutation-shap",
    "lime",
    "kernel-shap",
)
"""Every method, in the order in which they are tried."""
COSTLY = frozenset({"kernel-shap"})
"""Methods that run only when named."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explaining:
    """What the methods are given."""

    subject: Any
    rows: Rows
    ask: Probabilities
    seed: int


def fitting(subject: Subject, rows: Rows) -> tuple[str, ...]:
    """Return the methods that fit, in the order in which they are tried."""
    shape = rows.x.shape[1:]
    offers = subject.capabilities
    image = len(shape) == 3 and is_image(shape)
    fits = {
        "tree-shap": "trees" in offers and _trees(subject) is not None and len(shape) == 1,
        "integrated-gradients": "gradients" in offers,
        "saliency": "gradients" in offers,
        "grad-cam": image and _convolution(subject) is not None,
        "occlusion": image and "gradients" in offers,
        "permutation-shap": len(shape) == 1 and shape[0] <= 200,
        "lime": len(shape) == 1 and shape[0] <= 200,
        "kernel-shap": len(shape) == 1 and shape[0] <= 60,
    }
    return tuple(name for name in METHODS if fits[name])


def chosen(wanted: str, subject: Subject, rows: Rows) -> tuple[str, ...]:
    """Return the methods that run: those named, or all that fit and are cheap.

    Raises:
        UnknownName: no such method.
        Skipped: one that was named does not fit, or none does.
    """
    fits = fitting(subject, rows)
    if wanted == "auto":
        cheap = tuple(name for name in fits if name not in COSTLY)
        if not cheap:
            raise Skipped(
                f"no explanation fits inputs of shape {rows.x.shape[1:]} of a {subject.ref.kind} subject",
                hint="images need the network itself; tables at most 200 columns",
            )
        return cheap
    named = tuple(part.strip() for part in wanted.split(","))
    for name in named:
        if name not in METHODS:
            raise UnknownName.among("explanation", name, list(METHODS))
        if name not in fits:
            raise Skipped(f"{name} does not fit this subject and inputs of shape {rows.x.shape[1:]}")
    return named


def explained(method: str, work: Explaining) -> Attribution:
    """Explain the class that the model answers for each row.

    Raises:
        Skipped: the library of the method does not know such a model.
        MissingDependency: the library of the method is not installed.
        SubjectFailed: the model raised.
    """
    with needing(method), answering(work.subject.ref.name, work.rows.x.shape):
        return _RUN[method](work)


def _trees(subject: Any) -> Any:
    estimator = getattr(subject, "estimator", None)
    return None if hasattr(estimator, "steps") else estimator


def _convolution(subject: Any) -> Any:
    if "trainable" not in subject.capabilities:
        return None
    from redan.kernels.explain.networks import last_convolution

    return last_convolution(subject.module)


def _tensors(work: Explaining) -> tuple[Any, Any, Any]:
    import torch

    dtype = torch.float64 if np.asarray(work.rows.data.x).dtype == np.float64 else torch.float32
    return (
        torch.as_tensor(work.rows.x, dtype=dtype),
        torch.as_tensor(work.rows.answered),
        torch.as_tensor(work.rows.baseline[None], dtype=dtype),
    )


def _integrated(work: Explaining) -> Attribution:
    from redan.kernels.explain.networks import integrated_gradients

    x, classes, baseline = _tensors(work)
    return integrated_gradients(work.subject.logits, x, classes, baseline=baseline)


def _saliency(work: Explaining) -> Attribution:
    from redan.kernels.explain.networks import saliency

    x, classes, _ = _tensors(work)
    return saliency(work.subject.logits, x, classes)


def _grad_cam(work: Explaining) -> Attribution:
    from redan.kernels.explain.networks import grad_cam

    x, classes, _ = _tensors(work)
    return grad_cam(work.subject.logits, x, classes, layer=_convolution(work.subject))


def _occlusion(work: Explaining) -> Attribution:
    from redan.kernels.explain.networks import occlusion

    x, classes, baseline = _tensors(work)
    window = max(2, round(min(x.shape[2:]) / 7))
    return occlusion(work.subject.logits, x, classes, baseline=baseline, window=window)


def _tree_shap(work: Explaining) -> Attribution:
    from redan.kernels.explain.tables import tree_shap

    try:
        return tree_shap(_trees(work.subject), work.rows.x, work.rows.answered)
    except ValueError as err:  # its trees are of a kind that shap does not read
        raise Skipped(str(err)) from err


def _permutation(work: Explaining) -> Attribution:
    from redan.kernels.explain.tables import permutation_shap

    return permutation_shap(work.ask, work.rows.x, work.rows.answered, work.rows.background, seed=work.seed)


def _kernel(work: Explaining) -> Attribution:
    from redan.kernels.explain.tables import kernel_shap

    return kernel_shap(work.ask, work.rows.x, work.rows.answered, work.rows.background, seed=work.seed)


def _lime(work: Explaining) -> Attribution:
    from redan.kernels.explain.tables import lime

    return lime(work.ask, work.rows.x, work.rows.answered, work.rows.background, seed=work.seed)


_RUN: dict[str, Callable[[Explaining], Attribution]] = {
    "tree-shap": _tree_shap,
    "integrated-gradients": _integrated,
    "grad-cam": _grad_cam,
    "saliency": _saliency,
    "occlusion": _occlusion,
    "permutation-shap": _permutation,
    "lime": _lime,
    "kernel-shap": _kernel,
}

"""A scanned file or folder to its adapter, by what the scanner found in it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import RedanError, SubjectFailed, Unreadable, UsageError
from redan.core.subject import Binding
from redan.subjects.digests import component, uri
from redan.subjects.factory import made_by
from redan.subjects.failures import first_line
from redan.subjects.objects import Found, from_object
from redan.subjects.sandbox.confinement import insist_on_safety

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.subject import Component, Subject
    from redan.subjects.gate import Admitted
    from redan.subjects.options import Options

TORCH = frozenset({"torch-zip", "torch-legacy", "torchscript", "pt2", "safetensors"})
PICKLED = frozenset({"pickle", "joblib"})

_FORMATS = (
    "torch, TorchScript, torch.export, safetensors, Keras, ONNX, XGBoost, LightGBM, or a pickled or joblib estimator"
)


def load_admitted(
    admitted: Admitted,
    *,
    options: Options,
    factory: tuple[Path, str] | None = None,
    sample: NDArray[Any] | None = None,
) -> Subject:
    """Load one file that was scanned: found safe, or inside the sandbox.

    Args:
        admitted: the file.
        options: what the owner knows about the model.
        factory: file and function that make the module for a file of weights.
        sample: a few inputs to learn from what the outputs are.

    Raises:
        Unreadable: no format that holds a model, or damaged.
        UsageError: a file of weights without a factory.
        SubjectFailed: unpickling or the factory raised.
    """
    name = options.name or (f"{factory[0].stem}:{factory[1]}" if factory else admitted.path.name)
    found = Found(
        options=replace(options, name=name),
        sample=sample,
        weights=admitted.component,
        code=component("code", factory[0]) if factory else None,
        binding=Binding(kind="file", uri=uri(admitted.path)),
    )
    return from_object(_with_factory(admitted, factory) if factory else _object_in(admitted), found)


def load_folder(
    folder: Path, *, options: Options, components: tuple[Component, ...], sample: NDArray[Any] | None = None
) -> Subject:
    """Load a model folder whose files were scanned.

    Raises:
        UsageError: the model is no classifier.
        SubjectFailed: it cannot be built.
    """
    from redan.subjects.hf import open_hf

    return open_hf(folder, options=options, components=components, sample=sample)


def model_format(admitted: Admitted) -> str:
    """Say what kind of model a file holds: the scanner's slug, refined where a library's file is plain JSON or UBJSON.

    ONNX has no mark at its start, so there its name decides; onnxruntime refuses what is none.
    """
    head = admitted.data[:4096]
    if admitted.format.startswith("xgboost") or (head[:1] == b"{" and b"learner" in head):
        return "xgboost"
    if admitted.format in {"", "unknown"} and admitted.path.suffix == ".onnx":
        return "onnx"
    return admitted.format


def _object_in(admitted: Admitted) -> Any:
    slug, name = model_format(admitted), admitted.path.name
    if slug in TORCH:
        return _torch_module(admitted)
    if slug in PICKLED:
        return _unpickled(admitted)
    if slug == "keras":
        from redan.subjects.keras import read_keras

        return read_keras(admitted.path)
    if slug == "onnx":
        from redan.subjects.onnx import open_session

        return open_session(admitted.path, name)
    if slug in {"xgboost", "lightgbm"}:
        from redan.subjects import boosters

        return (boosters.read_xgboost if slug == "xgboost" else boosters.read_lightgbm)(admitted.data, name)
    raise Unreadable(f"{uri(admitted.path)!r} is {slug or 'of no known format'}, not a model", hint=f"give {_FORMATS}")


def _torch_module(admitted: Admitted) -> Any:
    from torch import nn

    from redan.subjects.torch_files import read_torch

    loaded = read_torch(admitted)
    if not isinstance(loaded, nn.Module):
        raise UsageError(
            f"{uri(admitted.path)!r} holds {len(loaded)} tensors and no network",
            hint=f"give the code that builds it: MODULE.py:FACTORY with weights {uri(admitted.path)}",
        )
    return loaded


def _with_factory(admitted: Admitted, factory: tuple[Path, str]) -> Any:
    from torch import nn

    from redan.subjects.torch_files import read_torch, with_weights

    state = read_torch(admitted)
    if isinstance(state, nn.Module):
        raise UsageError(f"{uri(admitted.path)!r} is a whole network", hint="leave the factory out")
    return with_weights(made_by(*factory), state, admitted.path.name)


def _unpickled(admitted: Admitted) -> Any:
    insist_on_safety(admitted)
    try:
        if admitted.format == "joblib":
            import joblib

            return joblib.load(BytesIO(admitted.data))
        return pickle.loads(admitted.data)  # noqa: S301  scanned and found safe, or inside the sandbox
    except RedanError:
        raise
    except Exception as err:
        raise SubjectFailed(
            f"{uri(admitted.path)!r} cannot be unpickled: {type(err).__name__}: {first_line(err)}",
            hint="the libraries that its classes come from must be installed, in a fitting version",
        ) from err

"""The object that a scanned file holds, made by its own library, and what it consists of."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

from redan.core.errors import RedanError, SubjectFailed, Unreadable
from redan.core.record import dataclass
from redan.subjects.digests import uri
from redan.subjects.failures import first_line, needing
from redan.subjects.sandbox.confinement import insist_on_safety

if TYPE_CHECKING:
    from redan.subjects.gate import Admitted

MOST_PARTS = 2_000
"""Arrays described of one object."""
_DEEPEST = 4
_LONGEST_NAME = 120

_JOBLIB = frozenset({"joblib", "zlib", "gzip", "bz2", "lzma", "xz", "lz4"})
_TORCH = frozenset({"torch-zip", "torch-legacy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An array inside a loaded object.

    Attributes:
        name: where it stands in the object.
        shape: as its library says it.
        dtype: as its library says it.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str


@needing("this model")
def load_object(admitted: Admitted) -> Any:
    """Load a file that was found safe, or inside the sandbox, with the library that its format belongs to.

    Pickled formats are loaded from the bytes that were scanned; Keras and ONNX take a path and read it again.

    Raises:
        UnsafeArtifact: neither found safe nor inside the sandbox.
        Unreadable: no format that holds a model, or damaged.
        SubjectFailed: the library raised.
        MissingDependency: the library is not installed.
    """
    insist_on_safety(admitted)
    load = _loader(admitted.format, admitted.path.suffix)
    if load is None:
        raise Unreadable(
            f"{uri(admitted.path)!r} is {admitted.format or 'of no known format'}; there is no loader for it here",
            hint="give pickle, joblib, torch, safetensors, numpy, Keras, ONNX, XGBoost or LightGBM; or `redan scan`",
        )
    try:
        return load(admitted)
    except (RedanError, ImportError):
        raise
    except Exception as err:
        raise SubjectFailed(
            f"{uri(admitted.path)!r} cannot be loaded: {type(err).__name__}: {first_line(err)}",
            hint="the libraries that its classes come from must be installed, in a fitting version",
        ) from err


def _loader(slug: str, suffix: str) -> Callable[[Admitted], Any] | None:
    if slug in _TORCH:
        return _torch
    if slug in _JOBLIB:
        return _joblib
    if slug.startswith("xgboost"):
        return _xgboost
    if slug in {"", "unknown"} and suffix == ".onnx":
        return _onnx
    return {
        "pickle": lambda a: pickle.loads(a.data),  # noqa: S301  scanned and found safe, or inside the sandbox
        "safetensors": _safetensors,
        "torchscript": _torchscript,
        "pt2": _exported,
        "npy": _numpy,
        "npz": _numpy,
        "keras": _keras,
        "onnx": _onnx,
        "lightgbm": _lightgbm,
    }.get(slug)


def _torch(admitted: Admitted) -> Any:
    import torch

    # weights_only has an unpickler of its own; here the one that most programs use is wanted, behind scan or sandbox
    return torch.load(BytesIO(admitted.data), map_location="cpu", weights_only=False)


def _torchscript(admitted: Admitted) -> Any:
    import torch

    return torch.jit.load(BytesIO(admitted.data), map_location="cpu")


def _exported(admitted: Admitted) -> Any:
    import torch

    return torch.export.load(BytesIO(admitted.data)).module()


def _safetensors(admitted: Admitted) -> Any:
    from safetensors.torch import load

    return load(admitted.data)


def _joblib(admitted: Admitted) -> Any:
    import joblib

    return joblib.load(BytesIO(admitted.data))


def _numpy(admitted: Admitted) -> Any:
    import numpy as np

    loaded = np.load(BytesIO(admitted.data), allow_pickle=True)
    return dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else loaded


def _keras(admitted: Admitted) -> Any:
    from redan.subjects.keras import read_keras

    return read_keras(admitted.path)


def _onnx(admitted: Admitted) -> Any:
    from redan.subjects.onnx import open_session

    return open_session(admitted.path, admitted.path.name)


def _xgboost(admitted: Admitted) -> Any:
    from redan.subjects.boosters import read_xgboost

    return read_xgboost(admitted.data, admitted.path.name)


def _lightgbm(admitted: Admitted) -> Any:
    from redan.subjects.boosters import read_lightgbm

    return read_lightgbm(admitted.data, admitted.path.name)


def type_name(thing: Any) -> str:
    """Return module and name of an object's type."""
    kind = type(thing)
    return f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")


def parts_of(thing: Any) -> tuple[Part, ...]:
    """Describe the arrays of an object, the first `MOST_PARTS` of them."""
    found: list[Part] = []
    for name, array in _arrays("", thing, 0):
        shape = tuple(int(n) for n in array.shape)
        found.append(Part(name=name[:_LONGEST_NAME] or ".", shape=shape, dtype=str(array.dtype)))
        if len(found) >= MOST_PARTS:
            break
    return tuple(found)


def _arrays(name: str, thing: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if hasattr(thing, "shape") and hasattr(thing, "dtype") and isinstance(thing.shape, Sequence):
        yield name, thing
    elif depth < _DEEPEST:
        for key, value in _inside(thing):
            yield from _arrays(f"{name}.{key}" if name else key, value, depth + 1)


def _inside(thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, Mapping):
        yield from ((str(key), value) for key, value in thing.items())
    elif isinstance(thing, (list, tuple)):
        yield from ((str(number), value) for number, value in enumerate(thing))
    elif callable(getattr(thing, "state_dict", None)):
        yield from thing.state_dict().items()
    elif not isinstance(thing, type) and hasattr(thing, "__dict__"):
        yield from vars(thing).items()

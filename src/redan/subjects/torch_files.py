"""Torch's own files: state dicts, whole modules, TorchScript, exported programs, safetensors."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from redan.core.errors import RedanError, ShapeMismatch, SubjectFailed, Unreadable
from redan.subjects.failures import first_line
from redan.subjects.sandbox.confinement import insist_on_safety

if TYPE_CHECKING:
    from redan.subjects.gate import Admitted

State = Mapping[str, Tensor]

_NESTED = ("state_dict", "model_state_dict", "model", "net", "weights", "params")
_PARALLEL_PREFIX = "module."


def read_torch(admitted: Admitted) -> nn.Module | State:
    """Load what a file of torch holds: a module, or tensors by name.

    Pickled content is loaded without any code (``weights_only``) wherever that is possible. A whole module needs its
    classes; it is loaded with them only because the scanner found every one of its calls harmless, or because this
    process is already confined.

    Raises:
        Unreadable: damaged, or neither a module nor tensors.
    """
    name = admitted.path.name
    try:
        loaded = _loaded(admitted)
    except RedanError:
        raise
    except Exception as err:
        raise Unreadable(f"{name!r} cannot be loaded by torch: {type(err).__name__}: {first_line(err)}") from err
    if isinstance(loaded, nn.Module):
        return loaded
    state = _state_in(loaded)
    if state is None:
        raise Unreadable(f"{name!r} holds a {type(loaded).__name__}; expected a module or tensors by name")
    return state


def with_weights(module: Any, state: State, name: str) -> nn.Module:
    """Put a state dict into what a factory returned.

    Raises:
        SubjectFailed: the factory made no torch module.
        ShapeMismatch: names or shapes differ, with the first of them.
    """
    if not isinstance(module, nn.Module):
        raise SubjectFailed(f"the factory returned a {type(module).__name__}; weights need a torch module")
    if state and all(key.startswith(_PARALLEL_PREFIX) for key in state):
        state = {key.removeprefix(_PARALLEL_PREFIX): value for key, value in state.items()}
    try:
        module.load_state_dict(state)
    except RuntimeError as err:
        lines = [line.strip() for line in str(err).splitlines() if line.strip()]
        raise ShapeMismatch(
            f"the weights in {name!r} do not fit the factory's module: {' '.join(lines[1:3]) or lines[0]}"[:400],
            hint="the factory must build the very network that the weights were saved from",
        ) from err
    return module


def _loaded(admitted: Admitted) -> Any:
    stream = BytesIO(admitted.data)
    if admitted.format == "safetensors":
        from safetensors.torch import load

        return load(admitted.data)
    if admitted.format == "torchscript":
        return torch.jit.load(stream, map_location="cpu")
    if admitted.format == "pt2":
        return torch.export.load(stream).module()
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        insist_on_safety(admitted)
        stream.seek(0)
        return torch.load(stream, map_location="cpu", weights_only=False)


def _state_in(loaded: Any) -> State | None:
    if not isinstance(loaded, Mapping):
        return None
    if loaded and all(isinstance(value, Tensor) for value in loaded.values()):
        return loaded
    for key in _NESTED:
        if isinstance(loaded.get(key), Mapping):
            return _state_in(loaded[key])
    return None

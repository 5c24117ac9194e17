"""What belongs to everybody and must stay as it was: global random state, the subject, the data."""

from __future__ import annotations

import os
import pickle
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from redan.core.inputs import Dataset, Inputs
from redan.testing.promise import insist

Snapshot = Mapping[str, Any]


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """Return the names of what is not as it was."""
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


@contextmanager
def untouched(subject: Any, inputs: Inputs) -> Iterator[None]:
    """Insist that subject, data and global state are afterwards what they were before.

    Raises:
        Broken: naming what changed.
    """
    before = (of_subject(subject), of_inputs(inputs), of_process())
    yield
    after = (of_subject(subject), of_inputs(inputs), of_process())
    changed = [differences(old, new) for old, new in zip(before, after, strict=True)]
    insist(
        not changed[0],
        f"the subject was changed: {', '.join(changed[0][:5])}",
        "work on copies; ask for gradients with torch.autograd.grad and give modes back as they were",
    )
    insist(
        not changed[1],
        f"the data were changed in place: {', '.join(changed[1][:5])}",
        "copy an array before writing to it",
    )
    insist(
        not changed[2],
        f"global state was changed: {', '.join(changed[2])}",
        "draw from a generator of your own, seeded with redan.core.seeds.derive(seed, spec.id, …)",
    )


def of_process() -> Snapshot:
    """Return global random states, the modes of torch, and the working folder."""
    found: dict[str, Any] = {"random": random.getstate(), "working folder": os.getcwd()}  # noqa: PTH109  # the text is wanted
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        found["numpy.random"] = pickle.dumps(numpy.random.get_state())
    if torch is not None:
        found["torch random state"] = torch.get_rng_state().numpy().tobytes()
        found["torch grad mode"] = torch.is_grad_enabled()
        found["torch default type"] = torch.get_default_dtype()
        found["torch threads"] = torch.get_num_threads()
        found["torch deterministic mode"] = torch.are_deterministic_algorithms_enabled()
    return found


@contextmanager
def stirred(number: int) -> Iterator[None]:
    """Put global random states somewhere else for a while, so that whoever draws from them draws otherwise."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    before = random.getstate()
    random.setstate(random.Random(number).getstate())  # noqa: S311  # no secret is drawn
    numpy_before = numpy.random.get_state() if numpy else None
    torch_before = torch.get_rng_state() if torch else None
    if numpy:
        numpy.random.set_state(numpy.random.RandomState(number).get_state())
    if torch:
        torch.set_rng_state(torch.Generator().manual_seed(number).get_state())
    try:
        yield
    finally:
        random.setstate(before)
        if numpy:
            numpy.random.set_state(numpy_before)
        if torch:
            torch.set_rng_state(torch_before)


def of_inputs(inputs: Inputs) -> Snapshot:
    """Return a digest of every array of every data role."""
    found = {}
    for role in fields(inputs):
        data = getattr(inputs, role.name)
        if isinstance(data, Dataset):
            for name in ("x", "y", "indices"):
                array = getattr(data, name)
                found[f"{role.name}.{name}"] = (str(array.dtype), array.shape, sha256(array.tobytes()).hexdigest())
    return found


def of_subject(subject: Any) -> Snapshot:
    """Return weights, buffers, flags and gradients of torch modules, pickled estimators, and files under a root."""
    found: dict[str, Any] = {}
    torch = sys.modules.get("torch")
    for name, value in _held(subject):
        if torch is not None and isinstance(value, torch.nn.Module):
            found |= {f"{name}.{key}": state for key, state in _of_module(value)}
        elif hasattr(value, "predict"):
            found[name] = _of_estimator(value)
    root = getattr(subject, "root", None)
    if isinstance(root, Path):
        found |= dict(_of_files(root))
    return found


def _held(subject: Any) -> Iterator[tuple[str, Any]]:
    names = [*vars(subject)] if hasattr(subject, "__dict__") else [*getattr(subject, "__slots__", ())]
    for name in names:
        yield name, getattr(subject, name)


def _of_module(module: Any) -> Iterator[tuple[str, Any]]:
    for name, part in module.named_modules():
        yield f"{name or 'module'} training flag", part.training
    for name, weight in module.named_parameters():
        yield f"{name} requires_grad", weight.requires_grad
        yield f"{name} grad", None if weight.grad is None else _bytes(weight.grad)
    for name, tensor in module.state_dict().items():
        yield name, _bytes(tensor)


def _bytes(tensor: Any) -> str:
    return sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()


def _of_estimator(estimator: Any) -> str:
    try:
        return sha256(pickle.dumps(estimator)).hexdigest()
    except (pickle.PicklingError, TypeError, AttributeError):
        return "not comparable"


def _of_files(root: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted([root, *root.rglob("*")]):
        content = path.read_bytes() if path.is_file() else b""
        yield str(path), (path.stat().st_mtime_ns, sha256(content).hexdigest())

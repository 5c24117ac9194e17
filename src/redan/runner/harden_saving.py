"""Save a hardened network as tensors by name, with its lineage beside it; nothing that is saved holds code."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from redan.core.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.subject import Subject
    from redan.runner.harden import Hardened

ENDINGS = (".safetensors", ".pt", ".pth")


def check_place(place: Path, subject: Subject) -> None:
    """Refuse early what could not be saved after the work.

    Raises:
        UsageError: another ending, no such folder, or no network.
    """
    if place.suffix not in ENDINGS:
        raise UsageError(f"{str(place)!r} ends in {place.suffix!r}; expected one of {', '.join(ENDINGS)}")
    if not place.parent.is_dir():
        raise UsageError(f"there is no folder {str(place.parent)!r} to save into")
    if "trainable" not in subject.capabilities:
        raise UsageError(f"a {subject.ref.kind} subject cannot be saved as tensors", hint="leave --save out")


def save(found: Hardened, original: Subject, place: Path, target: str) -> str:
    """Write the weights, and beside them what they were made from and how to load them.

    Args:
        found: the hardening.
        original: the subject as it was.
        place: file to write; its ending chooses the format.
        target: what the original was opened from, for the advice.

    Returns:
        How to load it, one sentence.

    Raises:
        UsageError: the file cannot be written.
    """
    taken = {"rule": found.taken.rule, "name": found.taken.name, "note": found.taken.note}
    return save_weights(found.subject, original, place, target, taken)


def save_weights(subject: Subject, original: Subject, place: Path, target: str, made_by: dict[str, str]) -> str:
    """Write the weights of a subject that was made from another, and its lineage beside them.

    Args:
        subject: what is saved.
        original: what it was made from.
        place: file to write; its ending chooses the format.
        target: what the original was opened from, for the advice.
        made_by: rule, name and note of what was done.

    Returns:
        How to load it, one sentence.

    Raises:
        UsageError: the file cannot be written.
    """
    inner = _inner(subject)
    try:
        _write(inner.state_dict(), place)
        advice = _advice(inner, _inner(original), place, target)
        ref = subject.ref
        told = {
            "schema": "redan/lineage/1",
            "file": place.name,
            "sha256": sha256(place.read_bytes()).hexdigest(),
            "subject": {"name": ref.name, "sha256": ref.digest, "made_from": list(ref.lineage)},
            "mitigation": made_by,
            "load": advice,
        }
        beside = place.with_name(f"{place.name}.lineage.json")
        beside.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    except OSError as err:
        raise UsageError(f"cannot write {str(place)!r}: {err.strerror}") from err
    return advice


def _inner(subject: Any) -> Any:
    """Return the module as its owner made it, without what Redan put around it."""
    module = subject.module
    return getattr(module, "inner", module)


def _write(state: dict[str, Any], place: Path) -> None:
    tensors = {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}
    if place.suffix == ".safetensors":
        try:
            from safetensors.torch import save_file
        except ImportError as err:
            raise MissingDependency.of("safetensors", "hf", "saving as safetensors") from err
        save_file(tensors, place)
        return
    import torch

    torch.save(tensors, place)


def _advice(inner: Any, before: Any, place: Path, target: str) -> str:
    if {n: tuple(t.shape) for n, t in inner.state_dict().items()} == {
        n: tuple(t.shape) for n, t in before.state_dict().items()
    }:
        return f"redan attack {target} --weights {place}"
    return f"build a {type(inner).__qualname__} of the same shape and load the tensors into it with load_state_dict"

"""How many of an owner's secrets a model gives."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redan.core.errors import CapabilityMissing, ShapeMismatch, Unreadable
from redan.evidence.ownership import read_points

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.subject import Subject
    from redan.evidence.ownership import Mark, Ownership
    from redan.kernels.ownership.trigger_set import TriggerSet

BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Secrets:
    """What a key and an ownership file together know.

    Attributes:
        key: the owner's secret.
        triggers: inputs and answers that were put in, or None.
        points: inputs and answers of the fingerprint, or None.
    """

    key: bytes
    triggers: TriggerSet | None = None
    points: TriggerSet | None = None


def secrets_of(told: Ownership, key: bytes, place: Path) -> Secrets:
    """Make the secrets of an ownership file again, after its commitment was checked.

    Args:
        told: the file.
        key: the owner's secret.
        place: where the file lies; the points of a fingerprint lie beside it.

    Raises:
        SignatureRefused: the key or the points do not fit.
        Unreadable: the points are missing or broken.
    """
    from redan.kernels.ownership.trigger_set import trigger_set

    told.check(key)
    n = {mark.kind: mark.n for mark in told.marks}
    triggers = points = None
    if "triggers" in n:
        triggers = trigger_set(key, n["triggers"], told.shape, told.classes, bounds=told.bounds)
    if "fingerprint" in n:
        points = _points(read_points(told, place), told, n["fingerprint"])
    return Secrets(key=key, triggers=triggers, points=points)


def _points(data: bytes, told: Ownership, n: int) -> TriggerSet:
    import numpy as np

    from redan.kernels.ownership.trigger_set import TriggerSet

    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            x, y = held["x"], held["y"]
    except (ValueError, KeyError, OSError, EOFError) as err:
        raise Unreadable(f"{told.points!r} holds no fingerprint: {err}") from err
    if x.shape != (n, *told.shape) or y.shape != (n,):
        raise Unreadable(f"{told.points!r} holds {x.shape} inputs; expected {(n, *told.shape)}")
    return TriggerSet(x=x.astype(np.float32), y=y.astype(np.int64))


def packed(points: TriggerSet) -> bytes:
    """Return the bytes of the file that keeps a fingerprint."""
    import numpy as np

    held = io.BytesIO()
    np.savez_compressed(held, x=points.x, y=points.y)
    return held.getvalue()


def count(mark: Mark, secrets: Secrets, subject: Subject) -> int:
    """Return how many of a mark's secrets a model gives.

    Raises:
        CapabilityMissing: bits are asked for, and the weights cannot be read.
        ShapeMismatch: the layer that carries the bits has another shape, or the inputs do not fit.
        SubjectFailed: the model does not answer.
    """
    if mark.kind == "weights":
        return _bits(mark, secrets, subject)
    wanted = secrets.triggers if mark.kind == "triggers" else secrets.points
    assert wanted is not None, "secrets_of made those of every mark"
    return answered(subject, wanted)


def answered(subject: Any, wanted: TriggerSet) -> int:
    """Return on how many inputs a model gives the secret answer."""
    x, y = wanted.x, wanted.y
    return sum(int((subject.labels(x[i : i + BATCH]) == y[i : i + BATCH]).sum()) for i in range(0, len(x), BATCH))


def _bits(mark: Mark, secrets: Secrets, subject: Any) -> int:
    from redan.kernels.ownership.weights import carried, carrier, matches

    if "weights" not in subject.capabilities or not hasattr(subject, "module"):
        raise CapabilityMissing(
            f"the bits lie in the weights, and {subject.ref.name!r} ({subject.ref.kind}) gives answers only",
            hint="triggers and fingerprints need answers only",
        )
    try:
        name, weight = carrier(inner(subject))
    except ValueError as err:
        raise ShapeMismatch(f"{subject.ref.name!r} carries no bits: {err}") from err
    width = len(carried(weight))
    if width != mark.width:
        raise ShapeMismatch(
            f"{name} of {subject.ref.name!r} offers {width} numbers; the mark lies in {mark.width} of {mark.layer}"
        )
    return matches(weight, secrets.key, mark.n)


def inner(subject: Any) -> Any:
    """Return the network as its owner made it, without what Redan put around it."""
    return getattr(subject.module, "inner", subject.module)

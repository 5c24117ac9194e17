"""Detectors as files: written when they are calibrated, opened beside the model that they were calibrated for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redan.core import catalogue
from redan.core.errors import CapabilityMissing, UnknownName, Unreadable
from redan.kernels.detectors import kept
from redan.subjects.detectors.served import Served

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def save(detector: Any, path: Path) -> Path:
    """Write a detector of this room; equal detectors give equal bytes."""
    path.write_bytes(kept.write(*detector.kept()))
    return path


def open_detector(path: Path, served: Served) -> Any:
    """Open a detector in front of a model, with nothing counted yet; its findings call the model as this one is called.

    Raises:
        Unreadable: the file is no detector.
        EvidenceError: it was calibrated for another model.
        ShapeMismatch: it looks at something that this model does not show.
    """
    arrays, about = kept.read(path)
    about = {**about, "subject": served.name}
    if served.parts and about.get("model") == served.parts:
        about["model"] = served.digest
    try:
        entry = catalogue.entry("monitor", str(about["rule"]))
        return catalogue.load(entry).opened(arrays, about, served)
    except (KeyError, TypeError, ValueError, UnknownName) as err:
        raise Unreadable(f"{path.name!r} is no detector: {type(err).__name__} {err}") from err


def alone(paths: Sequence[Path]) -> list[Any]:
    """Open detectors of one model without the model: those that read more than inputs judge nothing by themselves.

    Raises:
        Unreadable: a file is no detector.
        EvidenceError: the detectors were calibrated for different models.
    """
    found: list[Any] = []
    for path in paths:
        _, about = kept.read(path)
        made = found[0].made if found else None
        digest = str(about.get("model", "")) if made is None else made.model
        absent = _absent if about.get("reads") == "penultimate" else None
        served = Served(name=str(about.get("subject", "")), digest=digest, probabilities=_absent, features=absent)
        found.append(open_detector(path, served))
    return found


def _absent(rows: NDArray[Any]) -> NDArray[Any]:
    raise CapabilityMissing(
        f"{len(rows)} inputs are to be judged by what the model makes of them, and the model is not here",
        hint="let the gateway store what its guards measured (suspicion) with each event",
    )

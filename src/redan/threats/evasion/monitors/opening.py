"""Detectors as files: written when they are calibrated, opened beside the model that they were calibrated for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redan.core import catalogue
from redan.core.errors import UnknownName, Unreadable
from redan.kernels.detectors import kept

if TYPE_CHECKING:
    from pathlib import Path

    from redan.threats.evasion.monitors.served import Served


def save(detector: Any, path: Path) -> Path:
    """Write a detector of this room; equal detectors give equal bytes."""
    path.write_bytes(kept.write(*detector.kept()))
    return path


def open_detector(path: Path, served: Served) -> Any:
    """Open a detector in front of a model, with nothing counted yet.

    Raises:
        Unreadable: the file is no detector.
        EvidenceError: it was calibrated for another model.
        ShapeMismatch: it looks at something that this model does not show.
    """
    arrays, about = kept.read(path)
    try:
        entry = catalogue.entry("monitor", str(about["rule"]))
        return catalogue.load(entry).opened(arrays, about, served)
    except (KeyError, TypeError, ValueError, UnknownName) as err:
        raise Unreadable(f"{path.name!r} is no detector: {type(err).__name__} {err}") from err

"""Keras 3 on the torch backend: its models are torch modules, so they offer all that torch offers."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from redan.core.errors import Unreadable, UsageError
from redan.subjects.failures import first_line

if TYPE_CHECKING:
    from pathlib import Path


def is_keras(model: Any) -> bool:
    """Whether an object is a Keras layer or model, without importing Keras."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.layers.Layer)


def read_keras(path: Path) -> Any:
    """Load a ``.keras`` file in safe mode, on the torch backend.

    Keras reads its backend from ``KERAS_BACKEND`` when it is first imported. Where nobody has set it, it is set to
    torch for this process.

    Raises:
        UsageError: this process already runs Keras on another backend.
        Unreadable: no Keras model, or one that safe mode refuses.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    if keras.backend.backend() != "torch":
        raise UsageError(
            f"Keras runs on {keras.backend.backend()} in this process; Redan needs torch",
            hint="start with KERAS_BACKEND=torch, or give model.predict as a callable",
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError, KeyError) as err:
        raise Unreadable(f"{path.name!r} cannot be loaded by Keras: {first_line(err)}") from err

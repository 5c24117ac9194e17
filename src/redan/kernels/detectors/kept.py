"""A detector as a file of plain numbers: an npz archive without pickles, with one JSON member that says what it is."""

from __future__ import annotations

import io
import json
import math
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = "redan/detector/1"
LARGEST_BYTES = 256 << 20
"""Of all members unpacked."""
MOST_MEMBERS = 16
_ABOUT = "about"


def write(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> bytes:
    """Return the file; equal arrays and words give equal bytes.

    Args:
        arrays: numbers by name.
        about: JSON values.
    """
    text = json.dumps({"format": FORMAT, **about}, sort_keys=True, allow_nan=False).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in {**arrays, _ABOUT: np.frombuffer(text, dtype=np.uint8)}.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return file.getvalue()


def read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read what `write` returned: arrays, and what the file says about them.

    Raises:
        Unreadable: missing, too large, or no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if len(members) > MOST_MEMBERS or size > LARGEST_BYTES:
                raise Unreadable(f"{path.name!r} unpacks to {len(members)} members of {size} bytes")
            arrays = {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
        about = json.loads(arrays.pop(_ABOUT).tobytes())
        if about["format"] != FORMAT:
            raise ValueError(f"it is {about['format']!r}; expected {FORMAT!r}")
    except OSError as err:
        hint = f"redan calibrate MONITOR -o {path.name} makes a detector" if isinstance(err, FileNotFoundError) else ""
        raise Unreadable(f"cannot read {path.name!r}: {err.strerror or err}", hint=hint) from err
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, RuntimeError, NotImplementedError, EOFError) as err:
        raise Unreadable(f"{path.name!r} is no detector: {type(err).__name__} {err}") from err
    return arrays, about


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename!r} is compressed")
    file = io.BytesIO(archive.read(member))
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{member.filename!r} is of another version")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
    data = file.read()
    # the header is held against what is there before anything is made of it
    if fortran or kind.kind not in "fiub" or math.prod(shape) * kind.itemsize != len(data):
        raise ValueError(f"{member.filename!r} is {kind} of shape {shape} in {len(data)} bytes")
    array = np.frombuffer(data, dtype=kind).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError(f"{member.filename!r} holds what is no number")
    return array

"""Images in class folders: ``cat/1.png``, ``dog/2.jpg``; the sorted folder names are the classes."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redan.core.errors import ShapeMismatch, Unreadable
from redan.subjects.data.source import Rows, Source
from redan.subjects.digests import regular_files, uri

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})


def from_folder(folder: Path) -> Source:
    """Take a folder of class folders; images are decoded only for the rows asked for, as float32 NCHW in [0, 1].

    Grey images give one channel, all others three; every image needs the same size.

    Raises:
        Unreadable: there are no class folders with images.
    """
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    found = [
        (path, index)
        for index, name in enumerate(classes)
        for path in regular_files(folder / name)
        if path.suffix.lower() in SUFFIXES
    ]
    if not found:
        raise Unreadable(
            f"{uri(folder)!r} holds no data that Redan reads",
            hint="expected images in one folder for each class, IDX files, or test.npz, test.csv, test.parquet",
        )
    labels = np.array([index for _, index in found], dtype=np.int64)

    def read(start: int, stop: int) -> Rows:
        digest = sha256()
        decoded = [_pixels(path, folder, digest) for path, _ in found[start:stop]]
        return Rows(x=_stacked(decoded, found[start:stop]), labels=labels[start:stop], sha256=digest.hexdigest())

    return Source(
        name=folder.name, n=len(found), read=read, label_values=labels, classes=tuple(classes), bounds=(0.0, 1.0)
    )


def _pixels(path: Path, folder: Path, digest: Any) -> NDArray[Any]:
    from io import BytesIO

    from PIL import Image, UnidentifiedImageError

    try:
        raw = path.read_bytes()
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + raw)
        with Image.open(BytesIO(raw)) as image:
            plain = image if image.mode == "L" else image.convert("L" if image.mode == "1" else "RGB")
            values = np.asarray(plain, dtype=np.float32) / np.float32(255)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError) as err:
        raise Unreadable(f"{uri(path)!r} is no readable image: {err}") from err
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _stacked(decoded: list[NDArray[Any]], rows: list[tuple[Path, int]]) -> NDArray[Any]:
    colours = max(image.shape[0] for image in decoded)
    alike = [np.repeat(image, colours, axis=0) if image.shape[0] < colours else image for image in decoded]
    for image, (path, _) in zip(alike, rows, strict=True):
        if image.shape != alike[0].shape:
            raise ShapeMismatch(
                f"{uri(path)!r} is {image.shape[2]}×{image.shape[1]} and the first image "
                f"{alike[0].shape[2]}×{alike[0].shape[1]}; expected one size",
                hint="resize the images to what the model takes",
            )
    return np.ascontiguousarray(np.stack(alike))

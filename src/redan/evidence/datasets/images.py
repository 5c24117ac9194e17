"""A folder of images as a table: class, height, width, channels and brightness of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import Unreadable
from redan.evidence.datasets.arrays import smaller, statistics
from redan.evidence.datasets.table import Array, Column, Table
from redan.kernels.digests.listing import entries

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
MOST_IMAGES = 1_000_000
MOST_IMAGE_BYTES = 64 << 20
MOST_PIXELS = 64 << 20
_SMALL = (14, 14)


def read_folder(folder: Path) -> Table:
    """Read every image below a folder, in the order of their paths; the folder that an image lies in is its class.

    Raises:
        Unreadable: no images, one that is damaged, or more than are read.
    """
    found = [e for e in entries(folder) if e.kind == "file" and Path(e.name).suffix.lower() in SUFFIXES]
    if not 0 < len(found) <= MOST_IMAGES:
        raise Unreadable(f"{folder.name!r} holds {len(found)} images; expected 1 to {MOST_IMAGES}")
    import numpy as np

    facts, pixels, stats = [], [], []
    for entry in found:
        values, mode = _pixels(Path(entry.path), entry.name)
        facts.append((values.shape[0], values.shape[1], values.shape[2], mode))
        flat = values.reshape(1, -1)
        stats.append([c.values[0] for c in statistics("image", "uint8", flat)])
        pixels.append(_thumb(values))
    table = np.array(stats)
    names = [c.name for c in statistics("image", "uint8", np.zeros((1, 1)))]
    columns = [_text("class", [Path(e.name).parent.as_posix() for e in found])]
    for i, name in enumerate(("height", "width", "channels")):
        sizes = np.array([f[i] for f in facts], dtype=np.float64)
        columns.append(Column(name=name, kind="integer", dtype="int", values=sizes, missing=np.isnan(sizes)))
    columns.append(_text("mode", [f[3] for f in facts]))
    for i, name in enumerate(names):
        column = table[:, i]
        columns.append(Column(name=name, kind="number", dtype="uint8", values=column, missing=np.isnan(column)))
    shapes = {f[:3] for f in facts}
    shape = shapes.pop() if len(shapes) == 1 else (0, 0, 0)
    array = Array(name="images", dtype="uint8", shape=(len(found), *shape), rows=np.stack(pixels))
    return Table(name=folder.resolve().name, n_rows=len(found), columns=tuple(columns), arrays=(array,))


def _text(name: str, words: list[str]) -> Column:
    import numpy as np

    values = np.array(words, dtype=object)
    return Column(name=name, kind="text", dtype="text", values=values, missing=np.zeros(len(words), dtype=bool))


def _pixels(path: Path, shown: str) -> tuple[NDArray[Any], str]:
    """Return (h, w, c) bytes and the mode that the file has."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        if path.stat().st_size > MOST_IMAGE_BYTES:
            raise Unreadable(f"{shown!r} has more than {MOST_IMAGE_BYTES} bytes")
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Unreadable(f"{shown!r} has more than {MOST_PIXELS} pixels")
            mode = image.mode
            values = np.asarray(image if mode == "L" else image.convert("RGB"), dtype=np.uint8)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as err:
        raise Unreadable(f"{shown!r} is no readable image: {err}") from err
    return values[:, :, None] if values.ndim == 2 else values, mode


def _thumb(values: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    row = smaller(values[None])[0]
    # images below 14 pixels keep their size; a common length lets them stand in one array
    full = np.zeros(_SMALL[0] * _SMALL[1], dtype=np.float32)
    full[: len(row)] = row
    return full

"""Streams of clients for ``benchmarks/extraction_monitor.py``: benign ones of many kinds, and thefts.

All pictures are 28 by 28, grey, within 0 and 1. Benign kinds named in SEEN were used when the monitor was designed
(its five kinds), looked at when its score was chosen, or changed it. It was run three times: thefts of the first run,
and one benign kind of the second (farther away, 11 of 30 clients with an alarm), led to changes of the family sign.
After each change all was run with other seeds, and with more kinds that were written after it. What is in FRESH and
LATER led to no change.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Rows = np.ndarray
Draw = np.random.Generator
SIDE = 28


class Shop:
    """Pictures of Fashion-MNIST that no detector saw, and their classes."""

    def __init__(self, x: Rows, y: Rows) -> None:
        self.x, self.y = x, y

    def some(self, n: int, draw: Draw, classes: Any = None) -> Rows:
        """Return n different pictures, of some classes."""
        places = np.arange(len(self.x)) if classes is None else np.flatnonzero(np.isin(self.y, classes))
        return self.x[draw.permutation(places)[:n]]


def each(rows: Rows, change: Callable[[Rows], Rows]) -> Rows:
    """Change each picture."""
    return np.clip(np.stack([change(a) for a in rows]), 0, 1).astype(np.float32)


def repeated(shop: Shop, n: int, draw: Draw, share: float, change: Callable[[Rows], Rows]) -> Rows:
    """Pictures of which a share are earlier ones of the last twenty, changed."""
    fresh, found = iter(shop.some(n, draw)), []
    while len(found) < n:
        again = found and draw.random() < share
        found.append(change(found[draw.integers(max(0, len(found) - 20), len(found))]) if again else next(fresh))
    return np.clip(np.stack(found), 0, 1).astype(np.float32)


def jpeg(picture: Rows, quality: int) -> Rows:
    """A picture through real JPEG."""
    file = io.BytesIO()
    Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32) / 255


def resized(picture: Rows, height: int, width: int) -> Rows:
    """A picture at another size."""
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32) / 255


def sorted_by_class(shop: Shop, n: int, draw: Draw) -> Rows:
    """A stock list: class after class."""
    return np.concatenate([shop.some(n // 10, draw, k) for k in draw.permutation(10)])


def bursts(shop: Shop, n: int, draw: Draw) -> Rows:
    """Eight deliveries, each of one class under one light."""
    parts = [shop.some(n // 8, draw, int(draw.integers(10))) * draw.uniform(0.5, 1.2) for _ in range(8)]
    return np.clip(np.concatenate(parts), 0, 1).astype(np.float32)


def day_and_night(shop: Shop, n: int, draw: Draw) -> Rows:
    """Brightness falls and rises twice; the dark is noisy and lifted by gamma."""
    light = 0.65 + 0.45 * np.cos(np.linspace(0, 4 * np.pi, n) + draw.uniform(0, 6))
    x = shop.some(n, draw)
    noise = draw.normal(0, 1, x.shape) * (0.08 * (1.1 - light))[:, None, None]
    return np.clip((x * light[:, None, None]) ** 0.85 + noise, 0, 1).astype(np.float32)


def crops(shop: Shop, n: int, draw: Draw) -> Rows:
    """Cut out by hand: 24 to 27 pixels at a place of its own, enlarged."""

    def cut(a: Rows) -> Rows:
        side = int(draw.integers(24, 28))
        i, j = draw.integers(0, SIDE - side + 1, 2)
        return resized(a[i : i + side, j : j + side], SIDE, SIDE)

    return each(shop.some(n, draw), cut)


def jittered_retries(shop: Shop, n: int, draw: Draw) -> Rows:
    """Four in ten are retries: moved by a pixel, another exposure, a little noise."""

    def again(a: Rows) -> Rows:
        moved = np.roll(a, draw.integers(-1, 2, 2), (0, 1))
        return moved * draw.uniform(0.85, 1.15) + draw.normal(0, 0.02, a.shape)

    return repeated(shop, n, draw, 0.4, again)


def recompressed(shop: Shop, n: int, draw: Draw) -> Rows:
    """All through JPEG, three in ten a second or third time."""
    first = each(shop.some(n, draw), lambda a: jpeg(a, int(draw.integers(30, 90))))
    return repeated(Shop(first, np.zeros(n)), n, draw, 0.3, lambda a: jpeg(a, int(draw.integers(30, 90))))


def duplicates(shop: Shop, n: int, draw: Draw) -> Rows:
    """Every second upload is one that was sent before."""
    return repeated(shop, n, draw, 0.5, lambda a: a)


def two_cameras(shop: Shop, n: int, draw: Draw) -> Rows:
    """One camera is soft and low in contrast, one darkens towards the corners and leans by a fixed angle."""
    away = np.hypot(*np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
    fall, angle, soft = 1 - draw.uniform(0.1, 0.4) * away**2, draw.uniform(-8, 8), draw.uniform(0.4, 0.8)

    def shown(a: Rows) -> Rows:
        if draw.random() < 0.5:
            return 0.7 * ndimage.gaussian_filter(a, soft) + 0.1
        return ndimage.rotate(a, angle, reshape=False, order=1) * fall

    return each(shop.some(n, draw), shown)


def dust(shop: Shop, n: int, draw: Draw) -> Rows:
    """A hair and some dead pixels on the lens, the same in all pictures."""
    veil = np.zeros((SIDE, SIDE))
    i, j = draw.integers(4, 24, 2)
    length = int(draw.integers(5, 12))
    veil[i, max(0, j - length // 2) : j + length // 2] = draw.uniform(0.3, 0.8)
    veil[tuple(draw.integers(0, SIDE, (2, 6)))] = 1.0
    return np.maximum(shop.some(n, draw), veil).astype(np.float32)


def low_resolution(shop: Shop, n: int, draw: Draw) -> Rows:
    """Thumbnails of 14 to 18 pixels, enlarged."""
    side = int(draw.integers(14, 19))
    return each(shop.some(n, draw), lambda a: resized(resized(a, side, side), SIDE, SIDE))


def posterised(shop: Shop, n: int, draw: Draw) -> Rows:
    """A scanner with four to eight grey levels."""
    levels = int(draw.integers(4, 9)) - 1
    return (np.round(shop.some(n, draw) * levels) / levels).astype(np.float32)


def shaken(shop: Shop, n: int, draw: Draw) -> Rows:
    """Blurred by movement along three pixels, in any of four directions."""
    lines = [np.eye(3), np.eye(3)[::-1], np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0]]), np.array([[0, 1, 0]] * 3)]
    return each(shop.some(n, draw), lambda a: ndimage.convolve(a, lines[draw.integers(4)] / 3, mode="nearest"))


def farther_away(shop: Shop, n: int, draw: Draw) -> Rows:
    """Photographed from farther away: 80 to 95 % of the size, with a margin."""
    side = int(draw.integers(22, 27))
    before = (SIDE - side) // 2
    return each(shop.some(n, draw), lambda a: np.pad(resized(a, side, side), (before, SIDE - side - before)))


def backlight(shop: Shop, n: int, draw: Draw) -> Rows:
    """Light from one side: a ramp over the picture, the same for the client."""
    angle, strength = draw.uniform(0, 2 * np.pi), draw.uniform(0.1, 0.35)
    lines, columns = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    ramp = strength * (0.5 + 0.5 * (np.cos(angle) * (lines - 0.5) + np.sin(angle) * (columns - 0.5)) * 2)
    return np.clip(shop.some(n, draw) * (1 - strength / 2) + ramp, 0, 1).astype(np.float32)


def growing_range(shop: Shop, n: int, draw: Draw) -> Rows:
    """A customer that starts with three classes and sells three more every third of the time."""
    order, part = draw.permutation(10), n // 3
    return np.concatenate([shop.some(part, draw, order[: 3 * (i + 1)]) for i in range(3)])


FRESH: dict[str, Callable[[Shop, int, Draw], Rows]] = {
    "sorted by class": sorted_by_class,
    "bursts of one class and light": bursts,
    "day and night": day_and_night,
    "hand-cut crops": crops,
    "40 % retries with jitter": jittered_retries,
    "JPEG, 30 % encoded again": recompressed,
    "50 % duplicates": duplicates,
    "two cameras": two_cameras,
    "dust on the lens": dust,
    "low resolution": low_resolution,
    "4 to 8 grey levels": posterised,
    "shaken": shaken,
    "light from one side": backlight,
    "a growing range of classes": growing_range,
}


def stamped(shop: Shop, n: int, draw: Draw) -> Rows:
    """The shop's mark, half transparent, in a corner of all pictures."""
    x = shop.some(n, draw).copy()
    mark = draw.random((6, 6)) < 0.5
    i, j = draw.choice([0, SIDE - 6], 2)
    x[:, i : i + 6, j : j + 6] = 0.5 * x[:, i : i + 6, j : j + 6] + 0.5 * mark
    return x


def cut_off(shop: Shop, n: int, draw: Draw) -> Rows:
    """Three in ten pictures end too early: one to four lines of one side are missing."""

    def cut(a: Rows) -> Rows:
        if draw.random() < 0.3:
            a = np.rot90(a, turn := int(draw.integers(4))).copy()
            a[: int(draw.integers(1, 5))] = 0
            a = np.rot90(a, -turn)
        return a

    return each(shop.some(n, draw), cut)


def bent(shop: Shop, n: int, draw: Draw) -> Rows:
    """Another tone curve for the client."""
    return (shop.some(n, draw) ** draw.choice([0.55, 0.65, 1.5, 1.8])).astype(np.float32)


def pairs(shop: Shop, n: int, draw: Draw) -> Rows:
    """Each item twice, the second time brighter and a little nearer."""
    x = shop.some(n // 2, draw)
    near = each(x, lambda a: resized(a[1:27, 1:27], SIDE, SIDE) * 1.2)
    return np.stack([x, near], axis=1).reshape(-1, SIDE, SIDE)


def grainy(shop: Shop, n: int, draw: Draw) -> Rows:
    """Grain of a fast film, of a strength of its own for the client."""
    x = shop.some(n, draw)
    return np.clip(x + draw.normal(0, draw.uniform(0.04, 0.1), x.shape), 0, 1).astype(np.float32)


def leaning(shop: Shop, n: int, draw: Draw) -> Rows:
    """Photographed from the side: sheared by an angle of its own for the client."""
    slope = draw.choice([-1, 1]) * draw.uniform(0.08, 0.2)
    matrix, offset = np.array([[1, 0], [slope, 1]]), np.array([0, -slope * (SIDE - 1) / 2])
    return each(shop.some(n, draw), lambda a: ndimage.affine_transform(a, matrix, offset=offset, order=1))


def sharpened(shop: Shop, n: int, draw: Draw) -> Rows:
    """A camera that sharpens."""
    amount = draw.uniform(0.5, 1.5)
    return each(shop.some(n, draw), lambda a: a + amount * (a - ndimage.gaussian_filter(a, 1.0)))


LATER: dict[str, Callable[[Shop, int, Draw], Rows]] = {
    "a mark in a corner": stamped,
    "cut off at a side": cut_off,
    "another tone curve": bent,
    "each item twice": pairs,
    "grain": grainy,
    "leaning": leaning,
    "sharpened": sharpened,
}


def _frames(shop: Shop, n: int, draw: Draw) -> Rows:
    x = np.repeat(shop.some(n // 3, draw), 3, axis=0)
    moved = each(x, lambda a: np.roll(a, draw.integers(-1, 2, 2), (0, 1)) * draw.uniform(0.95, 1.05))
    return np.clip(moved + draw.normal(0, 0.02, x.shape), 0, 1).astype(np.float32)


def _two_classes(shop: Shop, n: int, draw: Draw) -> Rows:
    return shop.some(n, draw, draw.permutation(10)[:2])


def _camera(shop: Shop, n: int, draw: Draw) -> Rows:
    gain, offset, move = draw.uniform(0.7, 1.2), draw.uniform(-0.05, 0.1), draw.integers(-2, 3, 2)
    return np.clip(np.roll(shop.some(n, draw), move, (1, 2)) * gain + offset, 0, 1).astype(np.float32)


def _turned(shop: Shop, n: int, draw: Draw) -> Rows:
    angle = draw.choice([-1, 1]) * draw.uniform(10, 15)
    return each(shop.some(n, draw), lambda a: ndimage.rotate(a, angle, reshape=False, order=1))


SEEN: dict[str, Callable[[Shop, int, Draw], Rows]] = {
    "mixed": lambda shop, n, draw: shop.some(n, draw),
    "two classes": _two_classes,
    "30 % retries": lambda shop, n, draw: repeated(shop, n, draw, 0.3, lambda a: a + draw.normal(0, 0.02, a.shape)),
    "camera shift": _camera,
    "drift of classes": lambda shop, n, draw: np.concatenate(
        [shop.some(n // 5, draw, [k, k + 1, k + 2]) for k in range(0, 8, 2)] + [shop.some(n // 5, draw, [8, 9])]
    ),
    "one class": lambda shop, n, draw: shop.some(n, draw, int(draw.integers(10))),
    "turned by 10 to 15 degrees": _turned,
    "three frames an item": _frames,
    "farther away": farther_away,
    "mirrored": lambda shop, n, draw: np.ascontiguousarray(shop.some(n, draw)[:, :, ::-1]),
}


def _shipped(*names: str) -> list[Rows]:
    """Pictures that ship with scikit-image, grey."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [np.asarray(Image.open(folder / name).convert("L"), np.float32) / 255 for name in names]


def photographs() -> list[Rows]:
    """Photographs that ship with scikit-image and scikit-learn, grey."""
    from sklearn.datasets import load_sample_images

    people = _shipped("astronaut.png", "camera.png", "chelsea.png", "horse.png", "rocket.jpg", "retina.jpg")
    things = _shipped("coffee.png", "motorcycle_left.png", "motorcycle_right.png", "clock_motion.png", "coins.png")
    rest = [*_shipped("cell.png"), *(a.mean(axis=2).astype(np.float32) / 255 for a in load_sample_images().images)]
    return [*people, *things, *rest]


def textures() -> list[Rows]:
    """Brick, grass and gravel of scikit-image."""
    return _shipped("brick.png", "grass.png", "gravel.png")


def foolbox(kind: str) -> list[Rows]:
    """The twenty pictures of a kind (imagenet, cifar10, cifar100) that ship with foolbox; none when it is absent."""
    folder = os.environ.get("FOOLBOX_DATA")
    files = sorted(Path(folder).glob(f"{kind}_*")) if folder else []
    return [np.asarray(Image.open(file).convert("L"), np.float32) / 255 for file in files]


def windows(pictures: list[Rows], n: int, draw: Draw, least: int = 56) -> Rows:
    """Squares of any size, at least so many pixels, anywhere in any of the pictures, mirrored half of the time."""
    found = []
    for _ in range(n):
        a = pictures[draw.integers(len(pictures))]
        side = int(draw.integers(min(least, *a.shape), min(a.shape) + 1))
        i, j = draw.integers(0, a.shape[0] - side + 1), draw.integers(0, a.shape[1] - side + 1)
        small = resized(a[i : i + side, j : j + side], SIDE, SIDE)
        found.append(small[:, ::-1] if draw.random() < 0.5 else small)
    return np.stack(found)


def digits(n: int, draw: Draw) -> Rows:
    """Handwritten digits of scikit-learn, 8 by 8, enlarged."""
    from sklearn.datasets import load_digits

    x = load_digits().images / 16
    return each(x[draw.permutation(len(x))[:n]], lambda a: np.pad(resized(a, 20, 20), 4))


def letters(n: int, draw: Draw) -> Rows:
    """Letters and figures in the faces that ship with matplotlib, any size, place and lean."""
    import matplotlib

    files = sorted((Path(matplotlib.get_data_path()) / "fonts" / "ttf").glob("DejaVu*.ttf"))
    signs, found = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz0123456789", []
    for _ in range(n):
        image = Image.new("L", (SIDE, SIDE))
        font = ImageFont.truetype(str(files[draw.integers(len(files))]), int(draw.integers(18, 28)))
        place = (float(draw.uniform(2, 9)), float(draw.uniform(-3, 3)))
        ImageDraw.Draw(image).text(place, signs[draw.integers(len(signs))], fill=255, font=font)
        found.append(ndimage.rotate(np.asarray(image, np.float32) / 255, draw.uniform(-15, 15), reshape=False, order=1))
    return np.clip(np.stack(found), 0, 1).astype(np.float32)


def drawings(n: int, draw: Draw) -> Rows:
    """Scribbles of three strokes."""
    found = []
    for _ in range(n):
        image = Image.new("L", (SIDE, SIDE))
        points = [tuple(map(float, draw.uniform(4, 24, 2))) for _ in range(4)]
        ImageDraw.Draw(image).line(points, fill=255, width=int(draw.integers(1, 4)))
        found.append(ndimage.gaussian_filter(np.asarray(image, np.float32) / 255, 0.6))
    return np.clip(np.stack(found), 0, 1).astype(np.float32)


def shapes(n: int, draw: Draw) -> Rows:
    """One to four filled boxes and ellipses of any grey."""
    found = []
    for _ in range(n):
        image = Image.new("L", (SIDE, SIDE), int(draw.integers(0, 80)))
        pen = ImageDraw.Draw(image)
        for _ in range(draw.integers(1, 5)):
            (a, b), (w, h) = draw.uniform(0, 20, 2), draw.uniform(4, 16, 2)
            paint = pen.ellipse if draw.random() < 0.5 else pen.rectangle
            paint((float(a), float(b), float(a + w), float(b + h)), fill=int(draw.integers(60, 256)))
        found.append(np.asarray(image, np.float32) / 255)
    return np.stack(found)


def clouds(n: int, draw: Draw) -> Rows:
    """Smooth random fields."""
    fields = [ndimage.gaussian_filter(draw.normal(size=(SIDE, SIDE)), draw.uniform(1, 4)) for _ in range(n)]
    return np.stack([(a - a.min()) / max(1e-6, np.ptp(a)) for a in fields]).astype(np.float32)


def noise(n: int, draw: Draw) -> Rows:
    """Each pixel by itself."""
    return draw.random((n, SIDE, SIDE)).astype(np.float32)


def strange(draw: Draw) -> dict[str, Callable[[int], Rows]]:
    """Thieves' inputs that are not of the model's kind, by name."""
    photos, grain, real = photographs(), textures(), foolbox("imagenet")
    tiny = foolbox("cifar10") + foolbox("cifar100")
    found: dict[str, Callable[[int], Rows]] = {
        "photographs (14, skimage and sklearn)": lambda n: windows(photos, n, draw),
        "textures (3, skimage)": lambda n: windows(grain, n, draw),
        "digits (sklearn, enlarged)": lambda n: digits(n, draw),
        "letters (drawn in 20 faces)": lambda n: letters(n, draw),
        "scribbles (drawn)": lambda n: drawings(n, draw),
        "boxes and ellipses (drawn)": lambda n: shapes(n, draw),
        "smooth fields": lambda n: clouds(n, draw),
        "noise": lambda n: noise(n, draw),
    }
    if real:
        found["ImageNet pictures (20, foolbox; seen in design)"] = lambda n: windows(real, n, draw)
        found["CIFAR pictures (40, foolbox)"] = lambda n: windows(tiny, n, draw, least=20)
    return found

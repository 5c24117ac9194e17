"""What stored attacks are verified against later: the ball, the box, and which rows of which data they began at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from redan.core.codec import decode, encode
from redan.core.errors import ConfigError, EvidenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.inputs import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The setting of an attack whose points are stored.

    Attributes:
        norm: how distances were measured.
        eps: radius of the ball.
        bounds: the box; (0, 1) with inputs outside of it means shares of each column's range.
        data: what people call the data.
        data_sha256: digest of the source, empty when unknown.
        rows_sha256: digest of the very rows and labels that were attacked.
        target: what inputs were to be taken for, empty for any wrong class.
    """

    norm: str
    eps: float
    bounds: tuple[float, float]
    data: str
    data_sha256: str
    rows_sha256: str
    target: str = ""

    def to_json(self) -> bytes:
        """Serialise as one line of JSON."""
        return json.dumps(encode(self), sort_keys=True).encode() + b"\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Replay:
        """Read what `to_json` wrote.

        Raises:
            EvidenceError: it is something else.
        """
        try:
            return decode(cls, json.loads(text))
        except (ValueError, RecursionError, ConfigError) as err:
            raise EvidenceError(f"the evidence named replay cannot be read: {err}") from err


def digest_of(data: Dataset) -> str:
    """Return a SHA-256 over shapes, values and classes, whatever type the numbers are stored as."""
    found = sha256()
    for array, kind in ((data.x, "<f8"), (data.y, "<i8")):
        found.update(f"{tuple(array.shape)}\n".encode())
        found.update(_bytes(array, kind))
    return found.hexdigest()


def _bytes(array: NDArray[Any], kind: str) -> bytes:
    if array.dtype == object and array.ndim == 1:
        return json.dumps([str(value) for value in array.tolist()]).encode()
    if array.dtype.kind not in "biuf":
        return json.dumps(array.astype(str).tolist()).encode()
    return array.astype(kind).tobytes()

"""Keys, and draws that follow from nothing but a key."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_KEY_BYTES = 16


def stream(key: bytes, purpose: str) -> np.random.Generator:
    """Return a generator that follows from a key and a purpose; purposes are independent of one another.

    Raises:
        ValueError: a key of fewer than 16 bytes.
    """
    if len(key) < LEAST_KEY_BYTES:
        msg = f"a key has at least {LEAST_KEY_BYTES} bytes, got {len(key)}"
        raise ValueError(msg)
    seed = blake2b(purpose.encode(), key=key[:64], digest_size=32).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(seed, "little")))


def commitment(key: bytes, what: bytes) -> str:
    """Return a digest that binds its owner to a key and to what he made with it, and tells neither.

    Published before a dispute, it proves that the secret was not made up to fit the suspect.
    """
    return blake2b(b"redan/ownership/1\0" + what, key=key[:64], digest_size=32).hexdigest()


def bits(key: bytes, n: int, purpose: str) -> NDArray[np.int64]:
    """Return n keyed bits, (n,) of 0 and 1."""
    return stream(key, purpose).integers(0, 2, n)

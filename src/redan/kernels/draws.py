"""Counter-based random draws: each number depends on its key, its stream and its place, on nothing else.

A probe that attacks image 17 must draw the same numbers for it whether the image comes alone, in a batch of 500 or
after 16 others. A stateful generator cannot promise that; a hash of (root seed, probe id, sample index, stream,
position) can. The hash is the SplitMix64 finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number
generators", OOPSLA 2014, figure 16) applied at each level of the key. No global random state is read or written.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    Keys: TypeAlias = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_WORD = 1 << 64


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64 finaliser, elementwise; multiplication wraps modulo 2**64."""
    words = (words ^ (words >> np.uint64(30))) * _MIX_1
    words = (words ^ (words >> np.uint64(27))) * _MIX_2
    return words ^ (words >> np.uint64(31))


def sample_keys(seed: int, probe_id: str, indices: Sequence[int] | NDArray[np.integer]) -> Keys:
    """Return one key a sample.

    Args:
        seed: root seed of the run, any integer (taken modulo 2**64).
        probe_id: id of the probe, so that two probes with one root seed draw independently.
        indices: place of each sample in the whole data set, shape (n,), never its place in a batch.

    Returns:
        Keys, uint64, shape (n,).
    """
    digest = hashlib.blake2b(probe_id.encode(), digest_size=8, key=(seed % _WORD).to_bytes(8, "little")).digest()
    root = np.uint64(int.from_bytes(digest, "little"))
    places = np.asarray(indices, dtype=np.int64).reshape(-1).astype(np.uint64)
    return _mix(_mix(places * _GOLDEN + root) + root)


def content(x: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return a number for each row of (n, …) that depends on its values alone: a key where there is no index."""
    digests = (hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=7).digest() for row in x)
    return np.fromiter((int.from_bytes(digest, "big") for digest in digests), np.int64, len(x))


def words(keys: Keys, shape: tuple[int, ...], *, stream: int) -> NDArray[np.uint64]:
    """Return raw 64-bit draws, shape (n, *shape), for keys of shape (n,) and one stream number >= 0."""
    salt = np.asarray(keys, dtype=np.uint64).reshape(-1) + np.array([stream + 1], dtype=np.uint64) * _GOLDEN
    counters = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * _GOLDEN
    return _mix(_mix(salt)[:, None] + counters[None, :]).reshape(len(salt), *shape)


def uniform(keys: Keys, shape: tuple[int, ...], *, stream: int) -> NDArray[np.float32]:
    """Return float32 draws in [0, 1), shape (n, *shape): the top 24 bits of each word, so every value is exact."""
    return ((words(keys, shape, stream=stream) >> np.uint64(40)).astype(np.float32)) * np.float32(2.0**-24)


def normal(keys: Keys, shape: tuple[int, ...], *, stream: int) -> NDArray[np.float32]:
    """Return standard normal float32 draws, shape (n, *shape).

    Source: Box and Muller, "A note on the generation of random normal deviates", 1958. Each word gives both
    uniforms (32 bits each), so |value| <= sqrt(64 ln 2) = 6.7.
    """
    bits = words(keys, shape, stream=stream)
    radius = ((bits >> np.uint64(32)).astype(np.float64) + 1.0) * 2.0**-32
    angle = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64) * (math.tau * 2.0**-32)
    return (np.sqrt(-2.0 * np.log(radius)) * np.cos(angle)).astype(np.float32)


def integers(keys: Keys, shape: tuple[int, ...], high: int, *, stream: int) -> NDArray[np.int64]:
    """Return int64 draws in [0, high), shape (n, *shape); the bias is below high / 2**32.

    Raises:
        ValueError: high is not in 1 .. 2**31.
    """
    if not 1 <= high <= 2**31:
        msg = f"high must be between 1 and 2**31, got {high}"
        raise ValueError(msg)
    upper = words(keys, shape, stream=stream) >> np.uint64(32)
    return ((upper * np.uint64(high)) >> np.uint64(32)).astype(np.int64)

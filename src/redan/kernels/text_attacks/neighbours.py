"""Words that stand in the same company: vectors from counts, and what each word says about the classes.

Sources: Levy & Goldberg 2014, "Neural word embedding as implicit matrix factorization" (positive pointwise mutual
information, truncated decomposition); Halko, Martinsson & Tropp 2011, algorithm 4.4 (subspace iteration).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from redan.kernels.draws import normal, sample_keys
from redan.kernels.text_attacks.slots import WORD, vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_WORDS = 2000
"""Words with vectors, the commonest."""
LEAST_SEEN = 3
WINDOW = 4
"""Words to each side that count as company."""
AXES = 48
ROUNDS = 4
SMOOTHING = 0.75
"""Power of the counts of the company, after Levy, Goldberg & Dagan 2015."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vectors:
    """Words with their vectors.

    Attributes:
        words: in the order of the alphabet.
        place: word → its row.
        rows: (words, axes) of length one, or zero.
    """

    words: tuple[str, ...]
    place: Mapping[str, int]
    rows: NDArray[np.float64]

    def near(self, word: str, *, most: int, least: float) -> tuple[str, ...]:
        """Return the words of the nearest directions, at least so near (cosine), the nearest first."""
        at = self.place.get(word)
        if at is None:
            return ()
        cosines = self.rows @ self.rows[at]
        cosines[at] = -1
        order = np.argsort(-cosines, kind="stable")[:most]
        return tuple(self.words[int(i)] for i in order if cosines[i] >= least)

    def of_text(self, text: str) -> NDArray[np.float64]:
        """Return the mean vector of a text's words, zero where none is known."""
        found = [self.place[m.group()] for m in WORD.finditer(text.lower()) if m.group() in self.place]
        return self.rows[found].mean(axis=0) if found else np.zeros(self.rows.shape[1])

    def cosine(self, one: str, other: str) -> float:
        """Return how alike the directions of two texts are; 1 where neither has a known word."""
        a, b = self.of_text(one), self.of_text(other)
        length = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / length if length else float(not a.any() and not b.any())


def vectors(texts: Sequence[str]) -> Vectors:
    """Learn vectors from texts; the same whatever their order."""
    counts = vocabulary(texts, least=LEAST_SEEN)
    common = sorted(sorted(counts), key=lambda word: -counts[word])[:MOST_WORDS]
    words = tuple(sorted(common))
    place = {word: at for at, word in enumerate(words)}
    if len(words) < 2:
        return Vectors(words=words, place=place, rows=np.zeros((len(words), 1)))
    scores = _information(_company(texts, place))
    return Vectors(words=words, place=place, rows=_unit(_directions(scores)))


def _company(texts: Sequence[str], place: Mapping[str, int]) -> NDArray[np.float64]:
    found = np.zeros((len(place), len(place)))
    for text in texts:
        row = np.array([place.get(m.group(), -1) for m in WORD.finditer(text.lower())], np.int64)
        for step in range(1, WINDOW + 1):
            a, b = row[:-step], row[step:]
            both = (a >= 0) & (b >= 0)
            np.add.at(found, (a[both], b[both]), 1)
    return found + found.T


def _information(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    own = counts.sum(axis=1)
    company = own**SMOOTHING
    expected = np.outer(own / max(own.sum(), 1.0), company / max(company.sum(), 1.0))
    share = counts / max(counts.sum(), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(share / expected)
    return np.where(np.isfinite(found) & (found > 0), found, 0.0)


def _directions(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    axes = min(AXES, len(matrix))
    basis = normal(sample_keys(0, "text-vectors", [0]), (len(matrix), axes), stream=0)[0].astype(np.float64)
    for _ in range(ROUNDS):
        basis, _ = np.linalg.qr(matrix @ basis)
        basis, _ = np.linalg.qr(matrix.T @ basis)
    left, sizes, _ = np.linalg.svd(matrix @ basis, full_matrices=False)
    scaled: NDArray[np.float64] = left * np.sqrt(sizes)
    return scaled


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 1e-12, rows / np.maximum(lengths, 1e-12), 0.0)


def leanings(texts: Sequence[str], y: Sequence[int]) -> dict[str, dict[int, float]]:
    """Return what each word says about each class: the logarithm of how much commoner it is there than on average.

    Texts that hold the word are counted, one added to each side.
    """
    classes = sorted({int(label) for label in y})
    sizes = {c: sum(1 for label in y if int(label) == c) for c in classes}
    held: dict[str, dict[int, int]] = {}
    for text, label in zip(texts, y, strict=True):
        for word in {m.group() for m in WORD.finditer(text.lower())}:
            counts = held.setdefault(word, {})
            counts[int(label)] = counts.get(int(label), 0) + 1
    total = sum(sizes.values())
    found = {}
    for word in sorted(held):
        overall = (sum(held[word].values()) + 1) / (total + 1)
        found[word] = {c: float(np.log((held[word].get(c, 0) + overall) / (sizes[c] + 1) / overall)) for c in classes}
    return found


def like_case(word: str, model: str) -> str:
    """Write a word with the capitals of another."""
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word

"""The tokenizer of a Hugging Face folder: texts to token numbers, from its JSON file alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import SubjectFailed, UsageError
from redan.subjects.digests import component, uri
from redan.subjects.failures import first_line, needing

with needing("reading a tokenizer"):
    from tokenizers import Tokenizer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from redan.core.subject import SubjectRef

MOST_TOKENS = 512
"""Of a text, where the configuration does not say."""


class Encoder:
    """Texts to (n, length) token numbers, padded to the longest and cut where the model ends.

    Args:
        folder: with ``tokenizer.json`` and ``config.json``; no code of it is run.

    Raises:
        UsageError: no such files, or no number for padding.
        SubjectFailed: the tokenizer cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "tokenizer.json"
        if not self._path.is_file():
            raise UsageError(
                f"{uri(folder)!r} has no tokenizer.json, so texts cannot become tokens",
                hint="save the fast tokenizer beside the model, or give MODULE.py:FACTORY with a function of texts",
            )
        config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
        padding = config.get("pad_token_id")
        if not isinstance(padding, int):
            raise UsageError(f"config.json of {uri(folder)!r} has no pad_token_id; expected a number")
        most = config.get("max_position_embeddings")
        try:
            self._tokenizer = Tokenizer.from_file(str(self._path))
        except Exception as err:
            raise SubjectFailed(f"{uri(self._path)!r} is no tokenizer: {first_line(err)}") from err
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(min(most, MOST_TOKENS) if isinstance(most, int) else MOST_TOKENS)
        self._padding = padding

    def __call__(self, texts: list[str]) -> NDArray[np.int64]:
        """Encode texts."""
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        found = np.full((len(rows), max(map(len, rows), default=1) or 1), self._padding, np.int64)
        for row, ids in zip(found, rows, strict=True):
            row[: len(ids)] = ids
        return found

    def joined(self, ref: SubjectRef) -> SubjectRef:
        """Return what the model is together with its tokenizer."""
        return replace(ref, components=(*ref.components, component("preprocessing", self._path)))

"""Which licences the files of a project state: cards of models and data, Croissant descriptions, licence texts.

Sources: Hugging Face Hub documentation, "Model cards" and "Dataset cards"; MLCommons Croissant format 1.0.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from redan.core.record import dataclass
from redan.kernels.cards.documents import LARGEST_BYTES, read_card
from redan.kernels.licences.texts import licence_of_text

if TYPE_CHECKING:
    from pathlib import Path

_TEXT = re.compile(r"(?:un)?licen[cs]e(?:[-.][\w.-]+)?|copying(?:\.[\w.-]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a file states.

    Attributes:
        kind: ``card``, ``croissant`` or ``text``.
        licence: identifier or words; empty where the file should name one and does not, or is an unknown text.
    """

    kind: str
    licence: str


def kind_of(name: str) -> str:
    """Tell by a file's name what it may state a licence as: ``card``, ``croissant``, ``text``; else empty."""
    low = name.lower()
    if low in ("readme.md", "model_card.md", "dataset_card.md"):
        return "card"
    if low.endswith(".json"):
        return "croissant" if "croissant" in low else ""
    plain = not low.endswith((".py", ".toml", ".yml", ".yaml", ".pkl", ".bin", ".html"))
    return "text" if low[:1] in "ulc" and plain and _TEXT.fullmatch(low) else ""


def read_stated(path: Path, kind: str) -> Stated | None:
    """Read what a file states, or None where it is no card and no description.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger than is read, or no JSON where that is expected.
    """
    with path.open("rb") as stream:
        data = stream.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"larger than {LARGEST_BYTES >> 10} KiB")
    text = data.decode("utf-8-sig", "replace")
    if kind == "text":
        return Stated(kind=kind, licence=licence_of_text(text))
    if kind == "card":
        # a README without front matter is prose and states nothing
        return Stated(kind=kind, licence=read_card(text).licence) if text.lstrip().startswith("---") else None
    return _croissant(text)


def _croissant(text: str) -> Stated | None:
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("no JSON that can be read") from error
    if not isinstance(document, dict) or "croissant" not in str(document.get("conformsTo", "")).lower():
        return None
    return Stated(kind="croissant", licence=_first(document.get("license")))


def _first(value: Any) -> str:
    if isinstance(value, list):
        return next((found for item in value[:20] if (found := _first(item))), "")
    if isinstance(value, dict):
        return _first(value.get("url") or value.get("@id") or value.get("name"))
    return value[:300] if isinstance(value, str) else ""

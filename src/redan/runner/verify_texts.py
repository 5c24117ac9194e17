"""Hold stored texts against the model again: every change, every number."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from redan.core.errors import EvidenceError, ShapeMismatch
from redan.evidence.replay import Replay, digest_of

if TYPE_CHECKING:
    from redan.core.finding import Finding
    from redan.core.inputs import Dataset
    from redan.evidence.blobs import FolderBlobs

MOST_ROWS = 100_000


def text_faults(finding: Finding, blobs: FolderBlobs, subject: Any, data: Dataset) -> tuple[list[str], str]:
    """Return what does not hold, and what was seen where everything does.

    Raises:
        EvidenceError: the stored texts cannot be read.
        ShapeMismatch: the data are not the ones that were attacked.
    """
    stored = _stored(finding, blobs)
    replay = Replay.from_json(_blob(finding, blobs, "replay"))
    place = {int(index): k for k, index in enumerate(data.indices)}
    hint = f"give the data that was attacked ({replay.data}) with --data"
    absent = [row["index"] for row in stored if row["index"] not in place]
    if absent:
        raise ShapeMismatch(f"{data.name!r} has no row {absent[0]}", hint=hint)
    clean = data.rows([place[row["index"]] for row in stored])
    if digest_of(clean) != replay.rows_sha256:
        raise ShapeMismatch(f"the rows of {data.name!r} are not the ones that were attacked", hint=hint)
    told = [*_numbers(finding, stored), *_changes(finding, stored, clean), *_answers(stored, clean, subject)]
    fell = sum(row["success"] and not row["already"] for row in stored)
    robust = sum(not row["success"] for row in stored) / len(stored)
    return told, (
        f"{fell} texts keep the limit of words and are misclassified; robust accuracy is {robust:.1%} of {len(stored)} "
        "inputs, as the report says"
    )


def _blob(finding: Finding, blobs: FolderBlobs, name: str) -> bytes:
    blob = finding.blob(name)
    assert blob is not None
    return blobs.get(blob.sha256)


def _stored(finding: Finding, blobs: FolderBlobs) -> list[dict[str, Any]]:
    try:
        found = json.loads(_blob(finding, blobs, "texts"))
        if not isinstance(found, list) or not 0 < len(found) <= MOST_ROWS:
            raise EvidenceError("the stored texts are no list of rows")
        return [
            {
                "index": int(row["index"]),
                "allowed": int(row["allowed"]),
                "already": bool(row["already"]),
                "success": bool(row["success"]),
                "changes": {int(place): str(word) for place, word in row["changes"]},
                "text": str(row["text"]),
            }
            for row in found
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise EvidenceError(f"the stored texts cannot be read: {err}") from err


def _numbers(finding: Finding, stored: list[dict[str, Any]]) -> list[str]:
    n = len(stored)
    wanted = {
        "robust_accuracy": sum(not row["success"] for row in stored) / n,
        "clean_accuracy": sum(not row["already"] for row in stored) / n,
    }
    return [
        f"the report says {name} {said.value:.6g} of {said.n}, the evidence {value:.6g} of {n}; do not rely on it"
        for name, value in wanted.items()
        if (said := finding.quantity(name)) is not None and (said.value != value or said.n != n)
    ]


def _changes(finding: Finding, stored: list[dict[str, Any]], clean: Dataset) -> list[str]:
    from redan.kernels.text_attacks.search import Limits
    from redan.kernels.text_attacks.slots import slots

    words, share = finding.params.get("words"), finding.params.get("share")
    if not isinstance(words, int) or not isinstance(share, (int, float)):
        return ["the report does not say how many words might be changed"]
    limits, told = Limits(words=words, share=share), []
    for row, text in zip(stored, clean.x.tolist(), strict=True):
        parts = slots(str(text))
        most = min(row["allowed"], limits.allowed(parts))
        if len(row["changes"]) > most or any(not 0 <= at < len(parts.words) for at in row["changes"]):
            told.append(f"row {row['index']} changes {len(row['changes'])} words; {most} were allowed")
        elif parts.joined(row["changes"]) != row["text"]:
            told.append(f"row {row['index']} is not the clean text with its changes")
    return told[:5]


def _answers(stored: list[dict[str, Any]], clean: Dataset, subject: Any) -> list[str]:
    from redan.kernels.text_attacks.asking import as_texts

    given = subject.labels(as_texts([row["text"] for row in stored]))
    odd = [
        row["index"]
        for row, label, truth in zip(stored, given.tolist(), clean.y.tolist(), strict=True)
        if (label != truth) != row["success"]
    ]
    return [f"row {index} is not answered as the evidence says" for index in odd[:5]]

"""Rows of requests that an audit log recorded, from the bodies that the policy keeps beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from redan.core.errors import SignatureRefused, Unreadable
from redan.evidence.datasets.schema import read
from redan.service.audit import places
from redan.service.audit.keeping import Kept
from redan.service.gateway.v2 import InferRequest, arrays_of
from redan.service.web.errors import Refused

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.evidence.datasets.schema import Rule


class BesideLog:
    """Opens what is kept of recorded requests: `redan.runner.watch_acts.Beside`.

    Args:
        kept: the bodies.
        schemas: the rules of a table's columns in the model's order, by ``name@version``.
    """

    def __init__(self, kept: Kept, schemas: Mapping[str, tuple[Rule, ...]]) -> None:
        self._kept, self._schemas = kept, schemas

    def rows(self, act: Mapping[str, Any]) -> NDArray[np.float64] | None:
        """Return the rows of a recorded request, (n, d); None where they are not kept, not here or of no numbers."""
        try:
            body = self._kept.get(str(act["who"]), "input", str(act.get("x", "")))
        except (Unreadable, SignatureRefused):
            return None
        columns = [rule.name for rule in self.rules(str(act.get("model", "")))]
        return rows_in(body, int(act.get("rows", 0)), columns)

    def rules(self, label: str) -> tuple[Rule, ...]:
        """Return the data schema of ``name@version``; empty without one."""
        return self._schemas.get(label, ())


def beside(config: Config, log: Path) -> BesideLog | None:
    """Return what opens the bodies beside a log; None where the log is no part of this project, or nothing is kept.

    Args:
        config: the project whose gateway wrote the log.
        log: folder of a log, or of those of all replicas.

    Raises:
        Unreadable: bodies are kept, and the secret that opens them is not here; or a schema cannot be read.
    """
    settings, root = config.settings, config.root
    folder = places.kept_folder(settings, root)
    if not folder.is_dir() or not log.resolve().is_relative_to(places.base(settings, root).resolve()):
        return None
    schemas = {
        f"{model.name}@{model.version}": read(root / model.schema).rules
        for model in settings.serve.models
        if model.schema
    }
    return BesideLog(Kept(folder, places.secret(settings, root, make=False)), schemas)


def rows_in(body: bytes, n: int, columns: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the rows of a request that was answered, (n, d), whatever their shape was; None when they are no numbers.

    Args:
        body: in any form that the gateway takes.
        n: how many rows it held.
        columns: of a table, in the model's order; empty where it is not known.
    """
    try:
        rows = np.array(_values(body, columns), np.float64).reshape(n, -1)
        return rows if rows.size else None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, Refused):
        return None


def _values(body: bytes, columns: Sequence[str]) -> Any:
    document = _document(body)
    if isinstance(document, list):
        lines = [line for line in body.split(b"\n") if line.strip()]
        return np.concatenate([np.ravel(np.array(msgspec.json.decode(line), np.float64)) for line in lines])
    # which address was asked is not recorded: what could be read in two ways is not believed in either
    (form,) = {"x", "rows", "inputs"} & set(document)
    if form == "inputs":
        return _of_tensors(body, document["inputs"], columns)
    return document["x"] if form == "x" else [[row[column] for column in columns] for row in document["rows"]]


def _document(body: bytes) -> Any:
    """Return the first JSON value of a body: the only one, or one before further lines or binary tensors."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        _, end = json.JSONDecoder().raw_decode(body.decode("latin-1").lstrip())
        return msgspec.json.decode(body.lstrip()[:end])


def _of_tensors(body: bytes, described: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> NDArray[Any]:
    head = len(body) - sum((each.get("parameters") or {}).get("binary_data_size") or 0 for each in described)
    inputs = msgspec.json.decode(body[:head], type=InferRequest).inputs
    arrays = arrays_of(inputs, memoryview(body)[head:])
    if len(arrays) == 1:
        return arrays[0]
    named = {tensor.name: np.ravel(array) for tensor, array in zip(inputs, arrays, strict=True)}
    return np.stack([named[column] for column in columns], axis=1)

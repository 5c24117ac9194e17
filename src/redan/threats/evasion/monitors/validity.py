"""Requests that are no rows of the kind that the model was trained on."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.errors import Unreadable, UsageError
from redan.core.monitor import Event
from redan.core.probe import Spec
from redan.evidence.datasets.schema import ArrayRule, Schema, from_document, infer, to_json, violations
from redan.evidence.datasets.table import Array, Column, Table
from redan.kernels.detectors.calibration import judge
from redan.subjects.detectors.made import Made, digest_of, priced, restored
from redan.threats.evasion.monitors.screening import Judge, Screening

if TYPE_CHECKING:
    from redan.core.inputs import Dataset, Inputs
    from redan.subjects.detectors.served import Asked, Served

_READS = "schema"
LARGEST = float(np.finfo(np.float32).max)


@monitor(
    Spec(
        id="RDN-EVA-201",
        name="validity",
        threat="evasion",
        title="Requests that break the schema of the training data",
        source="Breck et al. 2019, MLSys, section 3 (schema of the training data)",
        data=("reference",),
        references=("cwe:20", "atlas:AML.T0043", "atlas:AML.M0015"),
    )
)
class Validity(Screening):
    """Sees inputs that no row of the training data could be.

    What it sees:
        For each request how many rules of the training data's schema it breaks: shape, type, missing, NaN and infinite
        values, ranges, categories, one-hot groups.

    Why it matters:
        The model has learnt nothing about such inputs, and every number it answers is an accident; some are attempts to
        crash what stands before or behind it.

    How:
        The schema is the one that `redan data schema` makes of training data. Tables are judged by it row by row,
        arrays by shape, finite numbers and the model's bounds. Benign rows bound the false-alarm rate.

    Units:
        Broken rules; alarm rate as a fraction of requests.

    Cost:
        A comparison a value, no model.

    Sources:
        Breck, Zinkevich, Polyzotis, Whang & Roy 2019, "Data validation for machine learning", section 3.

    Limits:
        Almost all adversarial inputs are valid. Rules between columns other than one-hot groups are not known.
    """

    spec: ClassVar[Spec]
    detail: ClassVar[str] = (
        "Clients send what the model was not trained for: a broken client, a changed format, or somebody who probes."
    )

    def __init__(self, schema: Schema, made: Made) -> None:
        super().__init__(_judging(schema, made.bounds), made)
        self.schema = schema

    @classmethod
    def fitted(cls, schema: Schema, benign: Dataset, served: Served, asked: Asked) -> Self:
        """Take a schema of training data and hold benign rows against it.

        Raises:
            UsageError: the schema describes neither columns nor one array, too few benign rows for the rate, too many
                of them are broken, or it is dearer than the budget.
        """
        rows = _rows(schema, benign)
        broken = np.array([broken_rules(schema, served.bounds, row) for row in rows], dtype=np.float64)
        made = Made(
            subject=served.name,
            model=served.digest,
            data=digest_of(benign),
            shape=tuple(benign.x.shape[1:]),
            reads=_READS,
            bounds=served.bounds,
            calibration=judge(broken, 0.0, asked.rate),
            price_us=0.0,
        )
        ready = cls(schema, made)
        events = [Event(client="", time_s=0.0, model=served.digest, x=row) for row in rows]
        price = priced(ready.decide, events, asked.budget_us, cls.spec.name)
        return cls(schema, replace(made, price_us=price))

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Take the schema of the training rows and hold the test rows against it; errors as in `fitted`."""
        return cls.fitted(schema_of(inputs.role("train")), inputs.role("test"), served, asked)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Served) -> Self:
        """Return what a file holds; errors as in `restored`."""
        del arrays
        made = restored(about, cls.spec, served, _READS)
        try:
            schema = from_document(about["schema"])
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise Unreadable(f"this is no {cls.spec.name} detector: {type(err).__name__} {err}") from err
        return cls(schema, made)

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays (none) and words of the file."""
        return {}, {**self.made.about(self.spec), "schema": json.loads(to_json(self.schema))}


def _judging(schema: Schema, bounds: tuple[float, float] | None) -> Judge:
    return lambda inputs: [math.nan if x is None else float(broken_rules(schema, bounds, x)) for x in inputs]


def broken_rules(schema: Schema, bounds: tuple[float, float] | None, x: Any) -> int:
    """Return how many rules an input breaks: cells by name, one row of a table in the order of columns, or an array.

    Args:
        schema: of the training data.
        bounds: lowest and highest legal value of an array.
        x: the input; whatever it is.
    """
    if isinstance(x, Mapping):
        # more cells than a row could have are counted, not looked at
        return len(violations(schema, x)) if len(x) <= 2 * len(schema.rules) + 1 else len(x)
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiub":
        return 1
    if schema.arrays:
        return _broken_array(schema.arrays[0], bounds, x)
    if x.shape != (len(schema.rules),):
        return 1
    return len(violations(schema, dict(zip((rule.name for rule in schema.rules), x.tolist(), strict=True))))


def _broken_array(rule: ArrayRule, bounds: tuple[float, float] | None, x: NDArray[Any]) -> int:
    if x.ndim != len(rule.shape) or any(want not in (0, have) for want, have in zip(rule.shape, x.shape, strict=True)):
        return 1
    if x.size == 0:
        return 1
    low, high = float(x.min()), float(x.max())
    # NaN is neither at least nor at most anything
    least, most = bounds or (-LARGEST, LARGEST)
    return int(not low >= least) + int(not high <= most)


def _rows(schema: Schema, benign: Dataset) -> list[Any]:
    if not schema.rules and len(schema.arrays) != 1:
        raise UsageError(
            f"the schema describes {len(schema.arrays)} arrays and no columns", hint="give a schema of what is asked"
        )
    return list(benign.x)


def schema_of(data: Dataset) -> Schema:
    """Infer a schema from rows: of each column of a table, else of type and shape."""
    x: Any = np.asarray(data.x)
    if len(data.columns) != (x.shape[1] if x.ndim == 2 else -1):
        array = Array(name=data.name, dtype=str(x.dtype), shape=tuple(x.shape))
        return infer(Table(name=data.name, n_rows=len(x), columns=(), arrays=(array,)))
    whole = x.dtype.kind in "biu"
    columns = tuple(
        Column(
            name=name,
            kind="integer" if whole or bool((cells == np.round(cells)).all()) else "number",
            dtype=str(x.dtype),
            values=cells,
            missing=np.zeros(len(cells), bool),
        )
        for name, cells in zip(data.columns, x.astype(np.float64).T, strict=True)
    )
    return infer(Table(name=data.name, n_rows=len(x), columns=columns))

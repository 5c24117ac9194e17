"""Inputs that are no longer distributed as the reference is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from redan.core.catalogue import monitor
from redan.core.errors import Unreadable, UsageError
from redan.core.monitor import Event
from redan.core.probe import Spec
from redan.kernels.drift.profile import BINS, Profile
from redan.kernels.drift.stream import INTERVAL_S
from redan.threats.operation.drifting import LEVEL, Drifting, Watched, reference

if TYPE_CHECKING:
    from redan.core.finding import Finding
    from redan.core.inputs import Inputs
    from redan.evidence.datasets.schema import Rule
    from redan.kernels.drift.stream import Counted
    from redan.subjects.detectors.served import Asked, Served

MOST_COLUMNS = 64
DIRECTIONS = 8
LEAST_ROWS = 100


@monitor(
    Spec(
        id="RDN-OPE-201",
        name="input-drift",
        threat="operation",
        title="Inputs that are distributed otherwise than the reference, by a test that may be asked at any time",
        source="Wasserman, Ramdas & Balakrishnan 2020, PNAS, section 8; Rabanser et al. 2019, NeurIPS, section 3",
        data=("test",),
        references=("nist:ai-rmf-measure-2.4", "doi:10.1073/pnas.1922664117", "arxiv:1810.11953"),
    )
)
class InputDrift(Drifting):
    """Watches the distribution of each column, and tells when it is no longer the reference's.

    What it sees:
        Counts of each column's values in eight bins of the reference, and of missing values, by five minutes. Inputs of
        more than 64 numbers are looked at along the eight directions in which the reference varies most.

    Why it matters:
        Accuracy, robustness and fairness were measured on inputs like the reference. A changed unit, a new kind of
        client or a slow attack shows here long before truths arrive.

    How:
        For every column and every moment at which it may have changed, a likelihood ratio weighs "two distributions"
        against "one". A finding needs evidence of columns over ``level``, so that a stream like the reference ever
        raises one with a probability of at most ``level``, and a stability index of at least 0.1.

    Units:
        Population stability index in nats: 0.1 is a change, 0.25 a large one.

    Cost:
        Eight comparisons a number; counts only are kept, 97 times columns times nine.

    Sources:
        Wasserman, Ramdas & Balakrishnan 2020; Rabanser, Günnemann & Lipton 2019, "Failing loudly"; Yurdakul 2018.

    Limits:
        Rows must be independent of each other: one client that repeats itself moves the stream. Changes that leave each
        column as it was, such as of a correlation, are not seen. Without a file, the reference is what the model's data
        schema counted of the training data: where these were balanced or augmented, it says so of the stream. Without
        that it learns from the first 2000 rows and takes them for good.
    """

    spec: ClassVar[Spec]
    what: ClassVar[str] = "input columns"
    detail: ClassVar[str] = (
        "Inputs are no longer like those that the model was measured on. Look upstream: a changed unit, a new client, "
        "a broken source, or somebody who probes. Earlier numbers about the model do not speak of these inputs."
    )

    def __init__(
        self,
        made: Watched,
        shape: tuple[int, ...],
        axes: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
        counted: Counted | None = None,
    ) -> None:
        super().__init__(made, counted)
        self.shape, self._axes = shape, axes

    @classmethod
    def fitted(
        cls, rows: NDArray[Any], subject: str, model: str, *, columns: Sequence[str] = (), level: float = 0.01
    ) -> Self:
        """Take rows (n, …) of normal use as the reference.

        Raises:
            UsageError: fewer than 100 rows.
        """
        if len(rows) < LEAST_ROWS:
            raise UsageError(f"a reference of drift needs {LEAST_ROWS} rows, got {len(rows)}")
        flat, axes = rows.reshape(len(rows), -1).astype(np.float64), None
        names = tuple(columns) if len(columns) == flat.shape[1] else tuple(str(i) for i in range(flat.shape[1]))
        if flat.shape[1] > MOST_COLUMNS:
            axes = _directions(np.nan_to_num(flat))
            flat = _along(flat, axes)
            names = tuple(f"direction {i + 1}" for i in range(flat.shape[1]))
        return cls(reference(subject, model, flat, names, level), tuple(rows.shape[1:]), axes)

    @classmethod
    def of_rules(cls, rules: Sequence[Rule], subject: str, model: str) -> Self | None:
        """Take as the reference what a data schema counted of each column, in the order of the model's inputs.

        Returns:
            None where that is not enough: fewer than 100 rows, more than 64 columns, or a column without counts.
        """
        if not 1 <= len(rules) <= MOST_COLUMNS or any(sum(rule.counts) < LEAST_ROWS for rule in rules):
            return None
        edges = np.full((len(rules), BINS - 1), np.inf)
        counts = np.zeros((len(rules), BINS + 1), np.int64)
        for j, rule in enumerate(rules):
            if len(rule.edges) >= BINS:
                return None
            edges[j, : len(rule.edges)] = rule.edges
            *inside, counts[j, BINS] = rule.counts
            counts[j, : len(inside)] = inside
        made = Profile(names=tuple(rule.name for rule in rules), edges=edges, counts=counts)
        return cls(Watched(subject=subject, model=model, level=LEVEL, profile=made), (len(rules),))

    @classmethod
    def prepared(cls, served: Served, inputs: Inputs, asked: Asked) -> Self:
        """Take the test rows; the rate asked for is the probability of ever raising a false finding."""
        test = inputs.role("test")
        return cls.fitted(np.asarray(test.x), served.name, served.digest, columns=test.columns, level=asked.rate)

    @classmethod
    def opened(cls, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any], served: Any) -> Self:
        """Return what a file holds, with nothing counted; errors as in `Watched.restored`."""
        made = Watched.restored(arrays, about, cls.spec, served.digest)
        try:
            shape = tuple(int(side) for side in about["shape"])
        except (KeyError, TypeError, ValueError) as err:
            raise Unreadable(f"this is no {cls.spec.name} monitor: {type(err).__name__} {err}") from err
        d, axes = math.prod(shape), None
        if "mean" in arrays:
            axes = (np.asarray(arrays["mean"], np.float64), np.asarray(arrays["directions"], np.float64))
            if axes[0].shape != (d,) or axes[1].shape != (d, len(made.profile.names)):
                raise Unreadable(f"this is no {cls.spec.name} monitor: its arrays do not fit together")
        elif d != len(made.profile.names):
            raise Unreadable(f"this is no {cls.spec.name} monitor: {d} numbers and {len(made.profile.names)} names")
        return cls(made, shape, axes)

    def kept(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays and words of the file."""
        arrays, about = super().kept()
        if self._axes is not None:
            arrays |= {"mean": self._axes[0], "directions": self._axes[1]}
        return arrays, {**about, "shape": list(self.shape)}

    def count_rows(self, rows: NDArray[Any], time_s: float) -> None:
        """Count inputs (n, …) of one time."""
        if rows.shape[1:] != self.shape or rows.dtype.kind not in "fiub":
            return
        flat = rows.reshape(len(rows), -1)
        self.count(flat if self._axes is None else _along(flat.astype(np.float64), self._axes), time_s)

    def observe(self, events: Sequence[Any]) -> Iterator[Finding]:
        """Count the inputs of this model, and yield a finding when they have drifted.

        An event that repeats a request with its truth is the same input again and is passed over.
        """
        by_interval: dict[int, list[NDArray[Any]]] = {}
        for event in events:
            if not isinstance(event, Event) or event.model != self.made.model:
                continue
            row = None if event.truth is not None else _row(event.x, self.made.profile.names, self.shape)
            if row is not None:
                by_interval.setdefault(math.floor(event.time_s / INTERVAL_S), []).append(row)
        for place, rows in by_interval.items():
            self.count_rows(np.stack(rows), place * INTERVAL_S)
        if by_interval:
            yield from self.findings()


def _row(x: Any, names: tuple[str, ...], shape: tuple[int, ...]) -> NDArray[Any] | None:
    if isinstance(x, Mapping):
        cells = [x.get(name) for name in names]
        if len(names) != math.prod(shape) or any(isinstance(c, (str, bool)) for c in cells):
            return None
        return np.array([math.nan if cell is None else cell for cell in cells], np.float64).reshape(shape)
    return x if isinstance(x, np.ndarray) and x.shape == shape and x.dtype.kind in "fiub" else None


def _directions(flat: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    mean = flat.mean(axis=0)
    _, _, axes = np.linalg.svd(flat[:2000] - mean, full_matrices=False)
    axes = axes[:DIRECTIONS]
    # a direction has no sign of its own
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return mean, (axes * signs[:, None]).T


def _along(flat: NDArray[np.float64], axes: tuple[NDArray[np.float64], NDArray[np.float64]]) -> NDArray[np.float64]:
    with np.errstate(over="ignore", invalid="ignore"):  # far away is far away
        return np.asarray((np.nan_to_num(flat) - axes[0]) @ axes[1])

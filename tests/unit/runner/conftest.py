"""Small real probes and a small real subject for the tests of the runner."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from redan.core import catalogue
from redan.core.errors import SubjectFailed
from redan.core.finding import Evidence, Finding, Location, Quantity, Severity
from redan.core.inputs import Dataset, Inputs
from redan.core.params import Params
from redan.core.probe import Spec
from redan.core.seeds import derive
from redan.core.subject import Capability, SubjectRef
from redan.kernels.statistics import wilson

ROWS = 40
REF = SubjectRef(name="threshold", kind="callable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A subject that says 1 where the first number of a row is above a half."""

    capabilities: frozenset[Capability] = frozenset({"labels"})
    classes: tuple[str, ...] = ("low", "high")
    bounds: tuple[float, float] | None = (0.0, 1.0)
    ref: SubjectRef = REF

    def labels(self, x: Any) -> Any:
        """Predict."""
        return (np.asarray(x)[:, 0] > 0.5).astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseParams(Params):
    """How far rows are shaken, and how many at once."""

    eps: float = 0.2
    batch_size: int = 10


class Noise:
    """Counts rows whose label survives random noise: one finding for each batch that was asked."""

    spec: ClassVar[Spec]
    Params: ClassVar[type[Params]] = NoiseParams

    def run(
        self, subject: Any, inputs: Inputs, params: NoiseParams, *, budget: Any, seed: int, observe: Any
    ) -> Iterator[Finding]:
        """Shake batch after batch."""
        data = inputs.role("test")
        for start in range(0, len(data), params.batch_size):
            if budget.stop():
                return
            rows = slice(start, start + params.batch_size)
            draws = np.array([derive(seed, self.spec.id, int(i)) / 2**64 for i in data.indices[rows]])
            moved = data.x[rows] + params.eps * (2 * draws[:, None] - 1)
            budget.charge(queries=len(moved))
            kept = subject.labels(moved) == data.y[rows]
            observe.advanced("noise", start + len(moved), len(data))
            yield self.finding(subject.ref.name, params, kept, start)

    def finding(self, name: str, params: NoiseParams, kept: Any, start: int) -> Finding:
        """Say how many rows of a batch kept their label."""
        low, high = wilson(int(kept.sum()), len(kept))
        share = Quantity(
            name="kept", value=float(kept.mean()), unit="fraction", n=len(kept), low=low, high=high, better="higher"
        )
        return Finding(
            rule=self.spec.id,
            threat=self.spec.threat,
            subject=name,
            title=f"{share.value:.0%} keep their label",
            severity=Severity.LOW,
            params={"eps": params.eps},
            quantities=(share,),
            locations=(Location(uri="test", address=f"rows from {start}"),),
            evidence=(Evidence.of("kept", kept.tobytes(), "application/octet-stream"),),
        )


class Failing(Noise):
    """Finds one thing and then meets an error."""

    def run(self, subject: Any, inputs: Inputs, params: Any, **rest: Any) -> Iterator[Finding]:
        """Yield once, then raise."""
        yield next(super().run(subject, inputs, params, **rest))
        raise SubjectFailed("the model stopped answering", hint="start it again")


class Interrupted(Noise):
    """Is interrupted in the middle, as by Ctrl-C."""

    def run(self, subject: Any, inputs: Inputs, params: Any, **rest: Any) -> Iterator[Finding]:
        """Yield once, then be interrupted."""
        yield next(super().run(subject, inputs, params, **rest))
        raise KeyboardInterrupt


def spec(name: str, number: int, **more: Any) -> Spec:
    """A spec of the test threat."""
    values = {"needs": ("labels",), "data": ("test",), **more}
    return Spec(id=f"TST-RUN-{number:03}", name=name, threat="evasion", title="t", source="s", **values)


ROOM = ModuleType("redan_runner_test_probes")
"""Where the catalogue imports the probes of a test from."""
Register = Callable[..., type]


@pytest.fixture
def register() -> Iterator[Register]:
    """Register probes of the tests; they are forgotten afterwards."""
    before = dict(catalogue._registered)
    sys.modules[ROOM.__name__] = ROOM

    def add(base: type, name: str, number: int, **more: Any) -> type:
        made = type(f"{base.__name__}{number}", (base,), {"__doc__": base.__doc__, "__module__": ROOM.__name__})
        setattr(ROOM, made.__name__, made)
        return catalogue.probe(spec(name, number, **more))(made)

    yield add
    del sys.modules[ROOM.__name__]
    catalogue._registered.clear()
    catalogue._registered.update(before)


@pytest.fixture
def subject() -> Threshold:
    """The subject."""
    return Threshold()


@pytest.fixture
def inputs() -> Inputs:
    """Forty rows, right without noise."""
    x = np.random.default_rng(0).random((ROWS, 3))
    y = (x[:, 0] > 0.5).astype(np.int64)
    return Inputs(test=Dataset(x=x, y=y, name="rows", sha256="", indices=np.arange(ROWS)))


@pytest.fixture
def noise() -> type:
    """A probe that ends well."""
    return Noise


@pytest.fixture
def failing() -> type:
    """A probe that meets an error."""
    return Failing


@pytest.fixture
def interrupted() -> type:
    """A probe that Ctrl-C ends."""
    return Interrupted

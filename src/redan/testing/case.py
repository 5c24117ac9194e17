"""A probe, a mitigation or a monitor with something to work on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from redan.core.budget import Budget
from redan.core.errors import RedanError
from redan.core.finding import Finding
from redan.core.inputs import Dataset, Inputs
from redan.core.params import Params
from redan.core.progress import SILENT
from redan.core.report import Artifact, Examined, Unexamined

Item = Finding | Artifact | Examined | Unexamined


@dataclass(kw_only=True)
class ProbeCase:
    """A probe with something to measure.

    Attributes:
        thing: the probe's class.
        make_subject: returns a subject that offers what the probe needs; called anew for each check.
        make_inputs: returns the data roles that it needs, small.
        params: parameters that differ from the defaults, to make it quick.
    """

    thing: Any
    make_subject: Callable[[], Any]
    make_inputs: Callable[[], Inputs]
    params: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "probe"
    _complete: list[Item] | None = None

    @property
    def name(self) -> str:
        """Name of the class."""
        return str(self.thing.__name__)

    def parameters(self, **more: Any) -> Params:
        """Return the parameter set."""
        made: Params = self.thing.Params.of({**self.params, **more})
        return made

    def run(
        self,
        *,
        subject: Any = None,
        inputs: Inputs | None = None,
        budget: Budget | None = None,
        seed: int = 0,
        params: Params | None = None,
    ) -> Iterator[Item]:
        """Run the probe once, with whatever is given in place of what the case has."""
        items: Iterator[Item] = self.thing().run(
            self.make_subject() if subject is None else subject,
            self.make_inputs() if inputs is None else inputs,
            params or self.parameters(),
            budget=budget or Budget(),
            seed=seed,
            observe=SILENT,
        )
        return items

    def complete(self) -> list[Item]:
        """Return what a run without limits yields; it is made once."""
        if self._complete is None:
            self._complete = list(self.run())
        return self._complete

    def roles(self) -> list[str]:
        """Return the data roles that the probe declares and the case has as data sets."""
        inputs = self.make_inputs()
        return [role for role in self.thing.spec.data if isinstance(getattr(inputs, role), Dataset)]

    def within(self, budget: Budget) -> list[Item]:
        """Run under a budget; to raise a deliberate error because nothing could be said is allowed."""
        items: list[Item] = []
        try:
            items.extend(self.run(budget=budget))
        except RedanError:
            return items
        return items


def with_role(inputs: Inputs, role: str, data: Dataset | None) -> Inputs:
    """Return inputs with other data in one role."""
    changed: dict[str, Any] = {role: data}
    return replace(inputs, **changed)


def rows(data: Dataset, chosen: Iterable[int]) -> Dataset:
    """Return some rows of a data set, in that order, with their indices and groups."""
    return data.rows(list(chosen))


def breakages(data: Dataset) -> Iterator[tuple[str, Dataset]]:
    """Yield what can be wrong with data, in words, and the data with it."""
    if data.x.ndim > 1:
        yield "another shape", replace(data, x=data.x[..., :-1])
    if data.x.dtype.kind == "f":
        for word in ("nan", "inf"):
            x = data.x.copy()
            x[0] = float(word)
            yield word, replace(data, x=x)
    yield "labels beyond the last class", replace(data, y=data.y + 1000)

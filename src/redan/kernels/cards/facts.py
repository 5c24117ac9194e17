"""Facts about a model, as plain values that can be laid over each other."""

from __future__ import annotations

from dataclasses import fields, replace

from redan.core.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What was read about one model; empty where nothing says it.

    Attributes:
        name: what its author calls it.
        task: such as ``text-classification``.
        family: such as ``bert`` or ``linear-model``.
        architecture: such as ``BertForSequenceClassification``.
        licence: SPDX identifier where one is known, else the author's word.
        datasets: names of data sets.
        inputs: formats of the inputs.
        outputs: formats of the outputs.
        further: other facts by name.
    """

    name: str = ""
    task: str = ""
    family: str = ""
    architecture: str = ""
    licence: str = ""
    datasets: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    further: tuple[tuple[str, str], ...] = ()


NOTHING = ModelFacts()


def over(first: ModelFacts, second: ModelFacts) -> ModelFacts:
    """Return the facts of the first with what it lacks from the second; further facts are kept from both."""
    merged = {f.name: getattr(first, f.name) or getattr(second, f.name) for f in fields(ModelFacts)}
    both = dict((*second.further, *first.further))
    return replace(ModelFacts(**merged), further=tuple(sorted(both.items())))

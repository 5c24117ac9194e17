"""What the owner of a model knows about it and the model itself does not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from redan.core.errors import UsageError

Kind = Literal["logits", "probabilities"]
"""What scores are."""

ScoreKind = Literal["auto", "logits", "probabilities"]
Channels = Literal["first", "last"]
Answers = Literal["auto", "labels", "scores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Facts about a model that shape how it is called.

    Attributes:
        name: what people call it; empty takes the name of the file, factory or class.
        classes: class names in the order of the outputs.
        bounds: lowest and highest legal input value.
        mean: per channel, subtracted from the input before the model sees it.
        std: per channel, divided by before the model sees it.
        input_shape: shape of one input, without the batch axis.
        channels: where the model wants the channel axis; the data always has it first.
        score_kind: what the outputs are; ``auto`` looks at the first answer.
        answers: what a callable or endpoint returns; ``auto`` looks at the answer to a sample.
        batch: most inputs in one call of the model.
    """

    name: str = ""
    classes: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    input_shape: tuple[int, ...] = ()
    channels: Channels = "first"
    score_kind: ScoreKind = "auto"
    answers: Answers = "auto"
    batch: int = 256

    def __post_init__(self) -> None:
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise UsageError(f"bounds {self.bounds} are empty", hint="give the lowest value first: bounds=(0, 1)")
        if bool(self.mean) != bool(self.std) or len(self.mean) != len(self.std):
            raise UsageError(
                f"mean has {len(self.mean)} values and std has {len(self.std)}",
                hint="give one of each per channel, or one of each for all channels",
            )
        if any(not scale > 0 for scale in self.std):
            raise UsageError(f"std {self.std} holds a value that is not above zero")
        if self.batch < 1:
            raise UsageError(f"batch is {self.batch}; expected at least 1")


class Known(TypedDict, total=False):
    """The fields of `Options`, as keyword arguments."""

    name: str
    classes: tuple[str, ...]
    bounds: tuple[float, float] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_shape: tuple[int, ...]
    channels: Channels
    score_kind: ScoreKind
    answers: Answers
    batch: int

"""A subject together with its data: what a call to attack, harden or check works on."""

from __future__ import annotations

from dataclasses import dataclass, field

from redan.core.inputs import Inputs
from redan.core.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A subject with the data it is measured on.

    Attributes:
        subject: what is measured.
        inputs: the data roles.
        notes: what a reader of its reports must know, for example how the data was split.
    """

    subject: Subject
    inputs: Inputs = field(default_factory=Inputs)
    notes: tuple[str, ...] = ()

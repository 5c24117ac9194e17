"""What only people know about a model: the `[card]` table of redan.toml, one record a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from redan.core.bom import Approach
from redan.core.record import dataclass


def _help(text: str) -> dict[str, str]:
    return {"help": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class CardData:
    """One data set: `[card.data.NAME]`."""

    path: str = field(default="", metadata=_help("File or folder, digested; relative to redan.toml."))
    url: str = field(default="", metadata=_help("Where it can be had."))
    version: str = field(default="", metadata=_help("Its version; its digest when empty."))
    licence: str = field(default="", metadata=_help("SPDX expression."))
    description: str = field(default="", metadata=_help("What it holds, and what it was used for."))
    classification: str = field(default="", metadata=_help("How confidential it is, in your own words."))
    sensitive: tuple[str, ...] = field(default=(), metadata=_help("Kinds of sensitive data in it."))
    owner: str = field(default="", metadata=_help("Who answers for it."))


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFairness:
    """One group at risk: `[card.fairness.GROUP]`."""

    benefits: str = field(default="", metadata=_help("What the group gains."))
    harms: str = field(default="", metadata=_help("What the group may suffer."))
    mitigation: str = field(default="", metadata=_help("What is done about it."))


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEnergy:
    """What one activity consumed: `[card.energy.ACTIVITY]`, for example `training`."""

    energy_kwh: float = field(default=0.0, metadata=_help("Kilowatt-hours."))
    co2_t: float | None = field(default=None, metadata=_help("Tonnes of CO2 equivalent."))
    provider: str = field(default="unknown", metadata=_help("Who delivered the energy."))
    source: str = field(default="unknown", metadata=_help("coal, oil, natural-gas, nuclear, wind, solar, hydropower …"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a bill of materials says about the model beside what is read and measured."""

    task: str = field(default="", metadata=_help("What it does, such as image-classification."))
    approach: Approach = field(default="", metadata=_help("How it learnt: supervised, unsupervised …"))
    family: str = field(default="", metadata=_help("Family of architectures, such as convolutional-network."))
    architecture: str = field(default="", metadata=_help("The architecture itself."))
    licence: str = field(default="", metadata=_help("SPDX expression of the model's own licence."))
    authors: tuple[str, ...] = field(default=(), metadata=_help('Who vouches for the bill: "Name <address>".'))
    inputs: tuple[str, ...] = field(default=(), metadata=_help("Formats of the inputs."))
    outputs: tuple[str, ...] = field(default=(), metadata=_help("Formats of the outputs."))
    users: tuple[str, ...] = field(default=(), metadata=_help("Who it is meant for."))
    use_cases: tuple[str, ...] = field(default=(), metadata=_help("What it is meant for."))
    limitations: tuple[str, ...] = field(default=(), metadata=_help("What it cannot do."))
    tradeoffs: tuple[str, ...] = field(default=(), metadata=_help("What was given up for what."))
    ethics: Mapping[str, str] = field(default_factory=dict, metadata=_help("Risk = what is done about it."))
    fairness: Mapping[str, CardFairness] = field(default_factory=dict, metadata=_help("One table a group at risk."))
    energy: Mapping[str, CardEnergy] = field(default_factory=dict, metadata=_help("One table an activity."))
    data: Mapping[str, CardData] = field(default_factory=dict, metadata=_help("One table a data set."))

"""The model card of CycloneDX 1.7. Source: ECMA-424, second edition, model card."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redan.core.bom import Energy, Metric, ModelCard

_ACTIVITIES = frozenset(
    {
        "design", "data-collection", "data-preparation", "training", "fine-tuning", "validation", "deployment",
        "inference", "other",
    }
)  # fmt: skip
_SOURCES = frozenset(
    {
        "coal", "oil", "natural-gas", "nuclear", "wind", "solar", "geothermal", "hydropower", "biofuel", "unknown",
        "other",
    }
)  # fmt: skip


def model_card(card: ModelCard) -> dict[str, Any]:
    """Return a model card as the schema has it."""
    return {
        "modelParameters": {
            "approach": {"type": card.approach},
            "task": card.task,
            "architectureFamily": card.family,
            "modelArchitecture": card.architecture,
            "datasets": [{"ref": ref} for ref in card.data],
            "inputs": [{"format": form} for form in card.inputs],
            "outputs": [{"format": form} for form in card.outputs],
        },
        "quantitativeAnalysis": {"performanceMetrics": [_metric(each) for each in card.metrics]},
        "considerations": {
            "users": list(card.users),
            "useCases": list(card.use_cases),
            "technicalLimitations": list(card.limitations),
            "performanceTradeoffs": list(card.tradeoffs),
            "ethicalConsiderations": [{"name": risk, "mitigationStrategy": answer} for risk, answer in card.ethics],
            "environmentalConsiderations": {"energyConsumptions": [_energy(each) for each in card.energy]},
            "fairnessAssessments": [
                {"groupAtRisk": f.group, "benefits": f.benefits, "harms": f.harms, "mitigationStrategy": f.mitigation}
                for f in card.fairness
            ],
        },
        "properties": properties([*card.properties, *_directions(card)]),
    }


def properties(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Return names with values in order; the schema wants a name."""
    return [{"name": name or "unnamed", "value": value} for name, value in sorted(set(pairs))]


def _directions(card: ModelCard) -> list[tuple[str, str]]:
    """Return which way is better for each metric, which the schema has no field for."""
    known = (metric.quantity for metric in card.metrics)
    return [(f"redan:better:{q.name}", q.better) for q in known if q.better != "neither"]


def _metric(each: Metric) -> dict[str, Any]:
    """Return a measured number; the schema holds texts, so unit and sample size go into the slice."""
    q = each.quantity
    known = [each.slice, f"n={q.n}", q.unit, "partial: a bound" if q.partial else "", each.rule]
    return {
        "type": q.name,
        "value": _number(q.value),
        "slice": "; ".join(part for part in known if part),
        "confidenceInterval": {"lowerBound": _number(q.low), "upperBound": _number(q.high)},
    }


def _number(value: float) -> str:
    """Return a number as text that reads back to the same number."""
    return repr(float(value)) if math.isfinite(value) else str(value)


def _energy(each: Energy) -> dict[str, Any]:
    energy = {"value": each.energy_kwh, "unit": "kWh"}
    return {
        "activity": each.activity if each.activity in _ACTIVITIES else "other",
        "energyProviders": [
            {
                "organization": {"name": each.provider or "unknown"},
                "energySource": each.source if each.source in _SOURCES else "other",
                "energyProvided": energy,
            }
        ],
        "activityEnergyCost": energy,
        "co2CostEquivalent": {} if each.co2_t is None else {"value": each.co2_t, "unit": "tCO2eq"},
    }

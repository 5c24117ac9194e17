"""Which threats apply to a project and why, from what redan.toml says about its exposure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from redan.core import catalogue
from redan.core.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Applies:
    """Whether one threat applies.

    Attributes:
        threat: its identifier.
        question: what the owner of a model would ask.
        applies: whether it is real for this project.
        why: one sentence.
    """

    threat: str
    question: str
    applies: bool
    why: str


def judged(settings: Settings) -> tuple[Applies, ...]:
    """Judge every threat: those we know, those a plugin brings, and those that were asked for by name."""
    ours = tuple(_judged(settings, *row) for row in _THREATS)
    known = {a.threat for a in ours}
    brought = (e for e in catalogue.entries("threat") if e.id not in known)
    return ours + tuple(
        Applies(threat=e.id, question=e.title, applies=True, why=f"the plugin {e.origin} brings it") for e in brought
    )


def _judged(settings: Settings, threat: str, question: str, reason: Reason) -> Applies:
    applies, why = reason(settings)
    if threat in settings.attack.threats and not applies:
        applies, why = True, "redan.toml or a flag asks for it"
    return Applies(threat=threat, question=question, applies=applies, why=why)


Reason = Callable[[Settings], tuple[bool, str]]


def _supply_chain(settings: Settings) -> tuple[bool, str]:
    if "://" in settings.model.target and not settings.scan.paths:
        return False, "the model is reached by address and no files are named"
    return True, "the model, its data or its code comes from files"


def _evasion(settings: Settings) -> tuple[bool, str]:
    if settings.exposure.queries == "nobody":
        return False, "nobody outside can choose inputs"
    return True, f"{settings.exposure.queries} users choose inputs"


def _privacy(settings: Settings) -> tuple[bool, str]:
    if settings.exposure.personal_data or settings.data.sensitive:
        return True, "the training data describes people"
    return False, "redan.toml says that the training data describes nobody ([exposure] personal_data)"


def _theft(settings: Settings) -> tuple[bool, str]:
    exposure = settings.exposure
    if exposure.queries in ("customers", "public") and exposure.weights == "secret":
        return True, f"{exposure.queries} users get {exposure.answers} of a model whose weights are secret"
    return False, "the weights are not secret, or too few people can ask"


def _poisoning(settings: Settings) -> tuple[bool, str]:
    if settings.exposure.outside_data:
        return True, "outsiders can add to the training data"
    return False, "redan.toml says that outsiders cannot add training data ([exposure] outside_data)"


def _bias(settings: Settings) -> tuple[bool, str]:
    if settings.exposure.decides_about_people:
        return True, "outputs change what happens to people"
    return False, "redan.toml says that outputs decide about nobody ([exposure] decides_about_people)"


def _opacity(settings: Settings) -> tuple[bool, str]:
    if settings.exposure.decides_about_people:
        return True, "whoever is decided about may ask for reasons"
    return False, "redan.toml says that outputs decide about nobody ([exposure] decides_about_people)"


def _injection(settings: Settings) -> tuple[bool, str]:
    if settings.model.kind == "chat":
        return True, "the model follows text that others write"
    return False, "the model is no language model"


def _operation(settings: Settings) -> tuple[bool, str]:
    if settings.serve.models:
        return True, "the model is served: monitors watch it, no probe measures it beforehand"
    return False, "redan.toml serves no model ([[serve.models]])"


_THREATS: tuple[tuple[str, str, Reason], ...] = (
    ("supply_chain", "Does loading this model run somebody else's code?", _supply_chain),
    ("evasion", "How little must an input change for the model to err?", _evasion),
    ("privacy", "Can somebody learn who was in the training data?", _privacy),
    ("theft", "How many queries does it take to copy the model?", _theft),
    ("poisoning", "Did somebody plant behaviour through the training data?", _poisoning),
    ("bias", "Does the model treat groups of people differently?", _bias),
    ("opacity", "Can somebody say why the model decided so?", _opacity),
    (
        "operation",
        "Is it used, and does it answer, as when it was tested?",
        _operation,
    ),
    ("injection", "Can text make the model disobey its owner?", _injection),
)

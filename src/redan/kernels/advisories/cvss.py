"""Base scores of CVSS 3.0 and 3.1 from their vectors. Source: FIRST, CVSS v3.1 specification, sections 7.1 and 7.4.

The two versions differ in no base score that published vectors have: 3.1 only rounds up in whole hundred-thousandths.
CVSS 4.0 interpolates in a table of 270 entries; for those the word that the database gives is taken.
"""

from __future__ import annotations

from redan.core.finding import Severity

_EXPLOITABILITY: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
}
_PRIVILEGES = {"U": {"N": 0.85, "L": 0.62, "H": 0.27}, "C": {"N": 0.85, "L": 0.68, "H": 0.5}}
_IMPACT = {"H": 0.56, "L": 0.22, "N": 0.0}
_NAMES = frozenset({"AV", "AC", "PR", "UI", "S", "C", "I", "A"})
_WORDS = {
    "low": Severity.LOW,
    "moderate": Severity.MEDIUM,
    "medium": Severity.MEDIUM,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}


def base_score(vector: str) -> float | None:
    """Return the base score of a CVSS 3 vector, 0 to 10; None when it is none."""
    head, _, rest = vector.partition("/")
    metrics = dict(part.partition(":")[::2] for part in rest.split("/"))
    if head not in ("CVSS:3.0", "CVSS:3.1") or not metrics.keys() >= _NAMES:
        return None
    try:
        return _score(metrics)
    except KeyError:
        return None


def _score(metrics: dict[str, str]) -> float:
    changed = metrics["S"] == "C"
    spared = 1.0
    for name in ("C", "I", "A"):
        spared *= 1 - _IMPACT[metrics[name]]
    base = 1 - spared
    impact = 7.52 * (base - 0.029) - 3.25 * (base - 0.02) ** 15 if changed else 6.42 * base
    exploitability = 8.22 * _PRIVILEGES[metrics["S"]][metrics["PR"]]
    for name, weights in _EXPLOITABILITY.items():
        exploitability *= weights[metrics[name]]
    if impact <= 0:
        return 0.0
    return _rounded_up(min((1.08 if changed else 1.0) * (impact + exploitability), 10))


def _rounded_up(value: float) -> float:
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10


def of_score(score: float) -> Severity:
    """Return the severity of a base score. Source: FIRST, CVSS v3.1 specification, section 5."""
    bounds = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
    return next((severity for low, severity in bounds if score >= low), Severity.INFO)


def of_word(word: str) -> Severity | None:
    """Return the severity that a database calls by a word, or None."""
    return _WORDS.get(word.lower())

"""How often models that have nothing to do with the owner's match his secret, and how surprising more matches are.

A fingerprint is matched by independent models too, since models of one task agree. So the rate of a match is not
assumed but measured on independent models, and a suspect is judged against nearly the highest rate that such a model
may have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from redan.kernels.statistics import beta_quantile, regularised_beta

LEAST_MODELS = 20
"""Independent models that a null rests on, at least."""
CONFIDENCE = 0.99
SMALLEST_P = 1e-300
_STEPS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """Match rates of independent models, as a beta distribution.

    Attributes:
        a: first parameter of the beta distribution.
        b: second parameter.
        models: independent models that it was fitted on.
        keys: secret bits that each of them was asked for.
    """

    a: float
    b: float
    models: int
    keys: int

    @property
    def mean(self) -> float:
        """The usual match rate."""
        return self.a / (self.a + self.b)

    @property
    def upper(self) -> float:
        """The match rate that 99 of 100 independent models stay below."""
        return beta_quantile(CONFIDENCE, self.a, self.b)

    def p_value(self, matches: int, n: int) -> float:
        """Return the probability that a model whose match rate is the upper one matches so often; at least 1e-300.

        It is larger than the p-value of an independent model drawn from the fitted distribution would be for as many
        as 99 of 100 of them, which is what makes it safe to accuse by.

        Args:
            matches: secret bits that the suspect matches.
            n: secret bits it was asked for.
        """
        if matches <= 0:
            return 1.0
        return max(SMALLEST_P, regularised_beta(self.upper, matches, n - matches + 1))


def fitted(matches: Sequence[int], keys: int) -> Null:
    """Fit a beta-binomial distribution by maximum likelihood, never narrower than the models that it rests on allow.

    One pseudo-model that matches half of the keys and the largest dispersion within two log-likelihood units of the
    best widen the fit: few models cannot show a narrow distribution.

    Source: Griffiths 1973, "Maximum likelihood estimation for the beta-binomial distribution", Biometrics 29; profile
    likelihood for the dispersion.

    Args:
        matches: for each independent model how many keys it matches.
        keys: how many it was asked for.

    Raises:
        ValueError: too few models, or counts outside 0 .. keys.
    """
    if len(matches) < LEAST_MODELS:
        msg = f"a null rests on at least {LEAST_MODELS} independent models, got {len(matches)}"
        raise ValueError(msg)
    if keys < 1 or min(matches) < 0 or max(matches) > keys:
        msg = f"matches {min(matches)} to {max(matches)} do not lie within 0 .. {keys}"
        raise ValueError(msg)
    mean = (sum(matches) + 0.5) / (len(matches) * keys + 1)
    sizes = [10 ** (0.02 * step) for step in range(_STEPS + 1)]
    likelihood = [sum(_log_probability(k, keys, mean * s, (1 - mean) * s) for k in matches) for s in sizes]
    best = max(likelihood)
    # the smallest size is the widest distribution that the models still support
    size = min(s for s, value in zip(sizes, likelihood, strict=True) if value >= best - 2)
    return Null(a=mean * size, b=(1 - mean) * size, models=len(matches), keys=keys)


def _log_probability(k: int, n: int, a: float, b: float) -> float:
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return choose + _log_beta(k + a, n - k + b) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

"""People of mixed columns, drawn so that columns depend on each other."""

from __future__ import annotations

import numpy as np

from redan.kernels.synthetic.rows import Mixed, mixed

NAMES = ("age", "income", "hours", "city", "job", "sex")


def people(n: int, seed: int) -> tuple[np.ndarray, ...]:
    """Columns of n people: three numbers with rare extremes, three categories."""
    draws = np.random.default_rng(seed)
    age = np.round(draws.gamma(8, 5, n))
    job = draws.integers(0, 6, n)
    income = np.round(np.exp(draws.normal(3 + 0.2 * job, 0.6)), 1)
    hours = np.round(draws.normal(38, 6, n) + (age > 60) * -10)
    hours[draws.random(n) < 0.05] = np.nan
    city = draws.zipf(1.8, n).clip(max=40)
    sex = draws.integers(0, 2, n)
    text = (
        np.array([f"{kind}{v}" for v in column], object) for kind, column in zip("cjs", (city, job, sex), strict=True)
    )
    return (age, income, hours, *text)


def tables(*sides: tuple[np.ndarray, ...]) -> Mixed:
    """Encode several tables of people together."""
    return mixed(NAMES, tuple(zip(*sides, strict=True)))

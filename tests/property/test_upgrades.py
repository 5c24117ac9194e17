"""The search for upgrades against trying everything, and ranges against PEP 440's own sets."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from redan.kernels.advisories.model import Record
from redan.kernels.advisories.ranges import affects
from redan.kernels.advisories.upgrading import Choice, Movable, consistent, cost, smallest

NAMES = ("a", "b", "c", "d")
VERSIONS = ("1.0", "1.5", "2.0", "3.0")
SPECIFIERS = tuple(map(SpecifierSet, ("<2", ">=2", "!=1.5", "==3.0", ">=1.5,<3", "<1")))


@st.composite
def projects(draw: st.DrawFn) -> list[Movable]:
    names = NAMES[: draw(st.integers(1, 4))]
    asked = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(SPECIFIERS)), max_size=2).map(tuple)
    choices = st.builds(
        lambda n, needs, version: Choice(version=version, n_known=n, needs=needs), st.integers(0, 2), asked, st.just("")
    )
    found = []
    for name in names:
        drawn = draw(st.lists(choices, min_size=1, max_size=4))
        rows = [Choice(version=v, n_known=c.n_known, needs=c.needs) for v, c in zip(VERSIONS, drawn, strict=False)]
        found.append(Movable(name=name, choices=tuple(rows)))
    return found


@given(projects())
def test_no_selection_is_better_than_the_one_that_is_found(packages: list[Movable]) -> None:
    chosen = smallest(packages)
    assert chosen.proven
    assert consistent(packages, chosen.at)
    every = (
        {package.name: index for package, index in zip(packages, indices, strict=True)}
        for indices in product(*(range(len(package.choices)) for package in packages))
    )
    best = min(cost(packages, at) for at in every if consistent(packages, at))
    # packages in a group without any vulnerability stay, so what all cost is still the least
    assert cost(packages, chosen.at) == best


_versions = st.from_regex(r"[0-4]\.[0-3](rc[12]|\.dev1|\.post1)?", fullmatch=True)


@given(_versions, _versions, _versions)
def test_a_range_means_what_a_specifier_means(low: str, high: str, version: str) -> None:
    fixed = Record(id="A", package="x", ranges=((("introduced", low), ("fixed", high)),))
    last = Record(id="A", package="x", ranges=((("introduced", low), ("last_affected", high)),))
    above = SpecifierSet(f">={low}").contains(version, prereleases=True)
    at_high = SpecifierSet(f">={high}").contains(version, prereleases=True)
    equal = SpecifierSet(f"=={high}").contains(version, prereleases=True)
    if SpecifierSet(f">{low}").contains(high, prereleases=True) and not SpecifierSet(f"=={low}").contains(high):
        assert affects(fixed, version) == (above and not at_high)
        assert affects(last, version) == (above and (not at_high or equal))

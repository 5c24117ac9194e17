"""The smallest set of upgrades that clears known vulnerabilities, found by search with a proof or without."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from packaging.version import Version

from redan.core.record import dataclass
from redan.kernels.advisories.ranges import affects, fixes, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.specifiers import SpecifierSet

    from redan.kernels.advisories.model import Record

MOST_TOGETHER = 500
"""Packages that ask something of each other and are still searched; a larger group stays as it is."""
MOST_NODES = 200_000
"""Partial choices that one search tries; beyond that its answer is good and not proven to be the smallest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One version that a package could have.

    Attributes:
        version: as written.
        n_known: known vulnerabilities of it.
        needs: what it asks of other packages, name and specifier.
    """

    version: str
    n_known: int
    needs: tuple[tuple[str, SpecifierSet], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Movable:
    """One package with the versions it could have; the first is what it has now, the others rise."""

    name: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the search found.

    Attributes:
        at: package → index into its choices.
        proven: whether every other selection was shown to be no better.
    """

    at: dict[str, int]
    proven: bool


Cost = tuple[int, int, int]
"""Vulnerabilities that remain, packages that change, versions that are passed over: compared in this order."""


def first_clean(records: Sequence[Record], version: str) -> str:
    """Return the lowest fixed version above a version that no record affects, or an empty string."""
    now = version_of(version)
    if now is None:
        return ""
    for each in candidates(records, now):
        if not any(affects(record, str(each)) for record in records):
            return str(each)
    return ""


def candidates(records: Iterable[Record], now: Version) -> tuple[Version, ...]:
    """Return the fixed versions above a version; development and pre-releases only for who has one."""
    return tuple(each for each in fixes(records) if each > now and (now.is_prerelease or not each.is_prerelease))


def smallest(packages: Sequence[Movable]) -> Chosen:
    """Choose a version of each package: first least vulnerable, then fewest changes, then smallest steps.

    What two packages ask of each other counts as soon as one of them changes; what does not fit today and stays as
    it is has been so before.
    """
    at: dict[str, int] = {}
    proven = True
    for group in _groups(packages):
        at.update({package.name: 0 for package in group})
        if not any(package.choices[0].n_known for package in group):
            continue
        if len(group) > MOST_TOGETHER:
            proven = False
            continue
        search = _Search(group)
        at.update(search.solve())
        proven = proven and search.n_nodes <= MOST_NODES
    return Chosen(at=at, proven=proven)


def cost(packages: Sequence[Movable], at: dict[str, int]) -> Cost:
    """Return what a selection costs."""
    rows = [(package.choices[at[package.name]].n_known, at[package.name]) for package in packages]
    return sum(n for n, _ in rows), sum(index > 0 for _, index in rows), sum(index for _, index in rows)


def consistent(packages: Sequence[Movable], at: dict[str, int]) -> bool:
    """Whether what the chosen versions ask of each other is met, where one of the two changes."""
    named = {package.name: package for package in packages}
    return all(
        _met(package.choices[at[package.name]], at[package.name], name, named, at)
        for package in packages
        for name, _ in package.choices[at[package.name]].needs
        if name in at
    )


def _met(choice: Choice, index: int, name: str, named: dict[str, Movable], at: dict[str, int]) -> bool:
    if not (index or at[name]):
        return True
    version = named[name].choices[at[name]].version
    return all(spec.contains(version, prereleases=True) for wanted, spec in choice.needs if wanted == name)


def _groups(packages: Sequence[Movable]) -> list[list[Movable]]:
    """Return the packages in groups that ask nothing of each other."""
    head = {package.name: package.name for package in packages}

    def top(name: str) -> str:
        while head[name] != name:
            head[name] = head[head[name]]
            name = head[name]
        return name

    for package in packages:
        for other in {name for choice in package.choices for name, _ in choice.needs if name in head}:
            head[top(other)] = top(package.name)
    groups: dict[str, list[Movable]] = {}
    for package in packages:
        groups.setdefault(top(package.name), []).append(package)
    return list(groups.values())


class _Search:
    """Depth first with a bound: what the packages that are not chosen yet cost at least."""

    def __init__(self, packages: Sequence[Movable]) -> None:
        self.packages = sorted(packages, key=lambda package: (len(package.choices), package.name))
        self.named = {package.name: package for package in packages}
        self.asked_by: dict[str, set[str]] = {package.name: set() for package in packages}
        for package in packages:
            for choice in package.choices:
                for name, _ in choice.needs:
                    if name in self.named:
                        self.asked_by[name].add(package.name)
        least = [min(_rows(package)) for package in self.packages]
        sums = accumulate(reversed(least), _plus, initial=(0, 0, 0))
        self.rest = list(sums)[::-1]
        stay = {package.name: 0 for package in packages}
        self.best, self.best_cost = stay, cost(packages, stay)
        self.n_nodes = 0

    def solve(self) -> dict[str, int]:
        self._from(0, {}, (0, 0, 0))
        return self.best

    def _from(self, depth: int, at: dict[str, int], so_far: Cost) -> None:
        self.n_nodes += 1
        if self.n_nodes > MOST_NODES or _plus(so_far, self.rest[depth]) >= self.best_cost:
            return
        if depth == len(self.packages):
            self.best, self.best_cost = dict(at), so_far
            return
        package = self.packages[depth]
        for row in sorted(_rows(package)):
            at[package.name] = row[2]
            if self._fits(package.name, at):
                self._from(depth + 1, at, _plus(so_far, row))
            del at[package.name]

    def _fits(self, name: str, at: dict[str, int]) -> bool:
        """Whether what this package and those that are chosen ask of each other is met."""
        for asking in {name, *(self.asked_by[name] & at.keys())}:
            choice = self.named[asking].choices[at[asking]]
            for wanted in {w for w, _ in choice.needs if w in at}:
                if not _met(choice, at[asking], wanted, self.named, at):
                    return False
        return True


def _rows(package: Movable) -> list[Cost]:
    return [(choice.n_known, int(index > 0), index) for index, choice in enumerate(package.choices)]


def _plus(one: Cost, other: Cost) -> Cost:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]

"""Which versions that a project names are known to be weak."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from redan.core.record import dataclass
from redan.kernels.advisories.merging import known_of, merged
from redan.kernels.advisories.ranges import version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from redan.kernels.advisories.model import Dump, Vulnerability
    from redan.kernels.packages.model import Manifest, Package

DATABASE_OF = "pypi"
"""The ecosystem whose records are read; names of conda, npm and images mean other things."""


MOST_VERSIONS = 100
"""Versions of one package that are compared; no honest project names as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weak:
    """One known vulnerability of one version that a project names.

    Attributes:
        name: package.
        version: as the project writes it.
        vulnerability: what is known.
        mentions: where the project names this version.
    """

    name: str
    version: str
    vulnerability: Vulnerability
    mentions: tuple[Package, ...]

    @property
    def sure(self) -> bool:
        """Whether the version is wanted, locked or installed, rather than bounded in case it were."""
        return any(mention.role != "constraint" for mention in self.mentions)


def exact(manifests: Iterable[Manifest]) -> dict[tuple[str, str], tuple[Package, ...]]:
    """Return name and version → mentions, for every package of PyPI that is named in an exact version.

    Of a package that is named in more than `MOST_VERSIONS` versions the others are left out, and `untested` says so.
    """
    found: dict[tuple[str, str], list[Package]] = {}
    for manifest in manifests:
        for package in manifest.packages:
            if package.ecosystem == DATABASE_OF and package.version and package.name != "-":
                found.setdefault((package.name, package.version), []).append(package)
    counts: Counter[str] = Counter()
    kept = {}
    for key, mentions in sorted(found.items()):
        counts[key[0]] += 1
        if counts[key[0]] <= MOST_VERSIONS:
            kept[key] = tuple(mentions)
    return kept


def weak_versions(versions: dict[tuple[str, str], tuple[Package, ...]], dump: Dump) -> Iterator[Weak]:
    """Yield every known vulnerability of some versions, in order of name, version and identifier."""
    groups = {name: merged(records) for name, records in dump.by_package.items()}
    for (name, version), mentions in versions.items():
        for each in known_of(groups.get(name, ()), version):
            yield Weak(name=name, version=version, vulnerability=each, mentions=mentions)


def untested(manifests: Iterable[Manifest]) -> Iterator[tuple[str, str]]:
    """Yield file and reason for what is named in no exact version, or in no database that is read."""
    read = tuple(manifests)
    compared = exact(read)
    pinned = {name for name, _ in compared}
    for manifest in read:
        here = [p for p in manifest.packages if p.name != "-"]
        wanted = [p for p in here if p.ecosystem == DATABASE_OF]
        # a version that PEP 440 does not know fits no range, so silence about it would be no answer
        odd = {p.name for p in wanted if p.version and version_of(p.version) is None}
        many = {p.name for p in wanted if p.version and (p.name, p.version) not in compared}
        floating = {p.name for p in wanted if not p.version and p.name not in pinned and p.source.kind == "index"}
        for names, why in (
            (floating, "no exact version anywhere; a lock file or an environment gives one"),
            (many, f"more than {MOST_VERSIONS} versions of one package"),
            (odd, "a version that PEP 440 does not know"),
            ({p.name for p in here if p.ecosystem != DATABASE_OF}, "no package of PyPI"),
        ):
            if names:
                yield manifest.path, f"{_listed(names)}: {why}"


def _listed(names: set[str]) -> str:
    shown = sorted(names)[:5]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")

"""Packages of a project whose name or version is suspicious."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from redan.core.record import dataclass
from redan.kernels.names.lookalike import MISNOMERS, lookalike, popular, well_known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from redan.kernels.packages.model import Manifest, Package

_NINES = re.compile(r"v?(?:\d+!)?99+(?:\.(?:9+|[01])){0,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One suspicious package.

    Attributes:
        name: as the project writes it, normalised.
        kind: what is suspicious: a trick with the name, or the version.
        detail: the well-known name it resembles, or the version.
        mentions: where the project names it.
    """

    name: str
    kind: Literal["misnomer", "separator", "look", "slip", "affix", "version"]
    detail: str
    mentions: tuple[Package, ...]


def absurd(version: str) -> bool:
    """Whether a version is one of nines, such as 999.9.9, which wins over every other wherever an index is asked.

    Source: Birsan 2021, "Dependency Confusion"; versions by date, and packages with many releases, are none of these.
    """
    return _NINES.fullmatch(version) is not None


def suspects(manifests: Iterable[Manifest]) -> Iterator[Suspect]:
    """Yield every suspicious package of PyPI, in the order in which the project names them."""
    read = tuple(manifests)
    own = {manifest.project for manifest in read}
    found: dict[str, list[Package]] = {}
    for package in (p for m in read for p in m.packages):
        if package.ecosystem == "pypi" and package.source.kind == "index" and package.name not in ("-", *own):
            found.setdefault(package.name, []).append(package)
    strange = found.keys() - set(well_known()) | found.keys() & MISNOMERS.keys()
    for name, mentions in found.items():
        if name in strange and (seen := lookalike(name, popular())) is not None:
            yield Suspect(name=name, kind=seen.trick, detail=seen.target, mentions=tuple(mentions))
        for version in sorted({p.version for p in mentions if absurd(p.version)}):
            said = tuple(p for p in mentions if p.version == version)
            yield Suspect(name=name, kind="version", detail=version, mentions=said)

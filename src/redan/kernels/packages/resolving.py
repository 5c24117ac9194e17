"""From many mentions in many files to one answer a package: which version, why, and who needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.core.record import dataclass
from redan.kernels.packages.model import INDEX, Ecosystem, Manifest, Package, Source

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One package in one version, with everything that was said about it.

    Attributes:
        name: normalised name.
        ecosystem: where the name belongs.
        version: exact version; empty when nothing fixes one.
        direct: whether the project itself asks for it.
        required: whether using the project needs it; False for tests, builds and extras.
        licence: SPDX expression or the words that the package uses.
        hashes: digests that fit this version.
        needs: packages it needs, as ecosystem and name.
        source: where it comes from.
        mentions: what was said, in the order in which it was read.
    """

    name: str
    ecosystem: Ecosystem
    version: str
    direct: bool
    required: bool
    licence: str
    hashes: tuple[str, ...]
    needs: tuple[tuple[str, str], ...]
    source: Source
    mentions: tuple[Package, ...]

    @property
    def key(self) -> tuple[str, str]:
        """Ecosystem and name."""
        return self.ecosystem, self.name

    @property
    def purl(self) -> str:
        """Package URL."""
        from redan.kernels.packages.names import purl

        return purl(self.ecosystem, self.name, self.version)


def resolve(manifests: Iterable[Manifest]) -> tuple[Resolved, ...]:
    """Return every package once a version, in order of ecosystem, name and version.

    What is installed decides over what is locked, and that over what is pinned. When the project says what it needs,
    an environment counts only as far as that leads.
    """
    read = list(manifests)
    own = {m.project for m in read if m.project}
    mentions: dict[tuple[str, str], list[Package]] = {}
    for manifest in read:
        for package in manifest.packages:
            if package.name != "-" and not (package.ecosystem == "pypi" and package.name in own):
                mentions.setdefault(package.key, []).append(package)
    wanted = _reached(mentions)
    return tuple(each for key in sorted(wanted) for each in _versions(key, mentions[key], mentions))


def _reached(mentions: dict[tuple[str, str], list[Package]]) -> set[tuple[str, str]]:
    """Return the packages that count: all, less what an environment merely has."""
    start = {key for key, said in mentions.items() if any(p.role in ("declared", "build", "locked") for p in said)}
    if not start:
        return set(mentions)
    found, open_ends = set(start), list(start)
    while open_ends:
        for package in mentions[open_ends.pop()]:
            for need in package.requires:
                key = (package.ecosystem, need)
                if key in mentions and key not in found:
                    found.add(key)
                    open_ends.append(key)
    return found


def _versions(
    key: tuple[str, str], said: list[Package], mentions: dict[tuple[str, str], list[Package]]
) -> list[Resolved]:
    for role in ("installed", "locked", "declared", "constraint", "build"):
        versions = sorted({p.version for p in said if p.role == role and p.version})
        if versions:
            break
    else:
        versions = [""]
    return [_one(key, version, said, mentions) for version in versions]


def _one(
    key: tuple[str, str], version: str, said: list[Package], mentions: dict[tuple[str, str], list[Package]]
) -> Resolved:
    fitting = [p for p in said if p.version in ("", version)]
    declared = [p for p in said if p.role == "declared"]
    deciding = declared or [p for p in said if p.role == "locked"]
    needs = {(p.ecosystem, name) for p in fitting for name in p.requires}
    return Resolved(
        name=key[1],
        ecosystem=said[0].ecosystem,
        version=version,
        direct=bool(declared),
        required=any(not p.group for p in deciding) or not (deciding or any(p.role == "build" for p in said)),
        licence=next((p.licence for p in fitting if p.licence), ""),
        hashes=tuple(sorted({digest for p in fitting for digest in p.hashes})),
        needs=tuple(sorted(needs & mentions.keys())),
        source=next((p.source for p in said if p.source != INDEX), INDEX),
        mentions=tuple(said),
    )

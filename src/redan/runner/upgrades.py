"""Which upgrades clear the known vulnerabilities of a project, and why some cannot be cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from redan.core.errors import Unreadable
from redan.core.record import dataclass
from redan.kernels.advisories.dump import read_dump
from redan.kernels.advisories.matching import DATABASE_OF, exact
from redan.kernels.advisories.merging import known
from redan.kernels.advisories.ranges import version_of
from redan.kernels.advisories.upgrading import Choice, Movable, candidates, smallest
from redan.kernels.packages.gathering import read_manifests
from redan.kernels.packages.installed import read_environment
from redan.kernels.packages.toml import UnreadableError
from redan.subjects.files import open_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from packaging.version import Version

    from redan.kernels.advisories.model import Dump, Record, Vulnerability
    from redan.kernels.advisories.upgrading import Chosen
    from redan.kernels.advisories.wheels import Needs
    from redan.kernels.packages.model import Manifest, Package

Offers = dict[str, dict[str, "Needs"]]
"""Package → version → what that asks of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What the project itself asks of a package, other than one exact version."""

    specifier: SpecifierSet
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """One proposed change.

    Attributes:
        name: package.
        before: its version now.
        after: its version then.
        cleared: vulnerabilities that it no longer has.
        pinned_at: lines that ask for an exact version and have to be changed, since a constraint would contradict them.
    """

    name: str
    before: str
    after: str
    cleared: tuple[str, ...]
    pinned_at: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What stays vulnerable, and why."""

    name: str
    version: str
    ids: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What to change.

    Attributes:
        upgrades: the changes, by name.
        remaining: what they do not clear.
        n_before: known vulnerabilities now.
        n_after: known vulnerabilities after the changes.
        proven: whether no smaller set clears as many.
        dump: what was read.
        remarks: what a reader must know.
    """

    upgrades: tuple[Upgrade, ...]
    remaining: tuple[Remaining, ...]
    n_before: int
    n_after: int
    proven: bool
    dump: Dump
    remarks: tuple[str, ...]


def propose(path: Path, osv: Path, *, environment: Path | None = None, wheels: Path | None = None) -> Proposal:
    """Find the smallest set of upgrades that clears the known vulnerabilities of a project; nothing is fetched.

    Args:
        path: folder or file of the project.
        osv: OSV dump.
        environment: where the packages are installed; None to go by manifests and lock files alone.
        wheels: folder of wheels that upgrades must come from; None to trust that fixed versions exist.

    Raises:
        Unreadable: one of them cannot be read, or the project names no exact version.
    """
    manifests, remarks = _manifests(path, environment)
    now = _versions(manifests)
    if not now:
        raise Unreadable(
            f"{path.name!r} names no package of PyPI in an exact version", hint="lock it, or name --env with a venv"
        )
    dump = read_dump(osv, frozenset(now))
    bounds, odd = _bounds(manifests)
    offers, broken = _offers(wheels)
    has = _installed_needs(environment)
    movable = [
        _movable(name, version, dump.by_package.get(name, ()), bounds.get(name, ()), offers, has)
        for name, version in now.items()
    ]
    chosen = smallest(movable)
    pins = _pins(manifests)
    upgrades = tuple(u for each in movable if (u := _upgrade(each, chosen, dump, pins)) is not None)
    remaining = tuple(_left(movable, chosen, dump, bounds, offers))
    return Proposal(
        upgrades=upgrades,
        remaining=remaining,
        n_before=sum(each.choices[0].n_known for each in movable),
        n_after=sum(each.choices[chosen.at[each.name]].n_known for each in movable),
        proven=chosen.proven,
        dump=dump,
        remarks=(*remarks, *odd, *(f"not read: {name}" for name in broken)),
    )


def _manifests(path: Path, environment: Path | None) -> tuple[tuple[Manifest, ...], list[str]]:
    manifests, missed = read_manifests(open_files(path).files())
    if environment is not None:
        try:
            manifests = (*manifests, read_environment(environment, "environment"))
        except UnreadableError as error:
            raise Unreadable(f"{environment.name!r}: {error}", hint="name a virtual environment") from error
    return manifests, [f"not read: {each.path}: {each.why}" for each in missed]


def _versions(manifests: Iterable[Manifest]) -> dict[str, str]:
    """Return each package's version; what is installed decides over the rest, and the highest of several."""
    roles: dict[str, list[tuple[bool, Version, str]]] = {}
    for (name, text), mentions in exact(manifests).items():
        if (version := version_of(text)) is not None:
            roles.setdefault(name, []).append((any(m.role == "installed" for m in mentions), version, text))
    return {name: max(found)[2] for name, found in sorted(roles.items())}


def _bounds(manifests: Iterable[Manifest]) -> tuple[dict[str, tuple[Bound, ...]], list[str]]:
    """Return what the project asks of packages; an exact version is what is to be changed and no bound."""
    found: dict[str, tuple[Bound, ...]] = {}
    odd = []
    for manifest in manifests:
        for p in manifest.packages:
            if p.ecosystem != DATABASE_OF or p.role in ("locked", "installed") or p.version or not p.specifier:
                continue
            try:
                bound = Bound(specifier=SpecifierSet(p.specifier), place=f"{p.name} {p.specifier} ({_place(p)})")
            except InvalidSpecifier:
                odd.append(f"not understood, so not respected: {p.name} {p.specifier} ({_place(p)})")
                continue
            found[p.name] = (*found.get(p.name, ()), bound)
    return found, odd


def _pins(manifests: Iterable[Manifest]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for (name, _), mentions in exact(manifests).items():
        asked = [_place(m) for m in mentions if m.role in ("declared", "build", "constraint")]
        found[name] = (*found.get(name, ()), *dict.fromkeys(asked))
    return found


def _place(package: Package) -> str:
    return f"{package.path} line {package.line}" if package.line else package.path


def _offers(wheels: Path | None) -> tuple[Offers | None, tuple[str, ...]]:
    if wheels is None:
        return None, ()
    from redan.kernels.advisories.wheels import offered

    found = offered(wheels)
    return found.versions, found.broken


def _installed_needs(environment: Path | None) -> Offers:
    if environment is None:
        return {}
    from redan.kernels.advisories.wheels import installed

    return installed(environment)


def _movable(
    name: str,
    text: str,
    records: tuple[Record, ...],
    bounds: tuple[Bound, ...],
    offers: Offers | None,
    has: Mapping[str, Mapping[str, Needs]],
) -> Movable:
    now = version_of(text)
    assert now is not None
    here = (offers or {}).get(name, {})
    higher = _higher(records, now, offers, name)
    fitting = [v for v in higher if all(b.specifier.contains(v, prereleases=True) for b in bounds)]
    first = Choice(
        version=str(now), n_known=len(known(records, text)), needs=has.get(name, {}).get(text) or here.get(str(now), ())
    )
    rest = (Choice(version=str(v), n_known=len(known(records, str(v))), needs=here.get(str(v), ())) for v in fitting)
    return Movable(name=name, choices=(first, *rest))


def _higher(records: tuple[Record, ...], now: Version, offers: Offers | None, name: str) -> tuple[Version, ...]:
    if offers is None:
        return candidates(records, now)
    there = sorted(v for text in offers.get(name, {}) if (v := version_of(text)) is not None)
    return tuple(v for v in there if v > now and (now.is_prerelease or not v.is_prerelease))


def _ids(found: Iterable[Vulnerability]) -> tuple[str, ...]:
    return tuple(each.id for each in found)


def _upgrade(each: Movable, chosen: Chosen, dump: Dump, pins: Mapping[str, tuple[str, ...]]) -> Upgrade | None:
    index = chosen.at[each.name]
    if not index:
        return None
    records = dump.by_package.get(each.name, ())
    before, after = each.choices[0].version, each.choices[index].version
    stays = set(_ids(known(records, after)))
    cleared = tuple(name for name in _ids(known(records, before)) if name not in stays)
    return Upgrade(name=each.name, before=before, after=after, cleared=cleared, pinned_at=pins.get(each.name, ()))


def _left(
    movable: Iterable[Movable],
    chosen: Chosen,
    dump: Dump,
    bounds: Mapping[str, tuple[Bound, ...]],
    offers: Offers | None,
) -> Iterable[Remaining]:
    for each in movable:
        version = each.choices[chosen.at[each.name]].version
        records = dump.by_package.get(each.name, ())
        if ids := _ids(known(records, version)):
            why = _why(each, records, bounds.get(each.name, ()), offers)
            yield Remaining(name=each.name, version=version, ids=ids, why=why)


def _why(each: Movable, records: tuple[Record, ...], bounds: tuple[Bound, ...], offers: Offers | None) -> str:
    now = version_of(each.choices[0].version)
    assert now is not None
    higher = _higher(records, now, offers, each.name)
    least = min(len(known(records, str(v))) for v in higher) if higher else each.choices[0].n_known
    better = [v for v in higher if len(known(records, str(v))) == least < each.choices[0].n_known]
    source = "no record names a fixed version" if offers is None else "the folder of wheels has no fixed version"
    if not better:
        return source
    fitting = {choice.version for choice in each.choices}
    if not any(str(v) in fitting for v in better):
        blocking = [b.place for b in bounds if not b.specifier.contains(better[0], prereleases=True)]
        return f"{', '.join(blocking)} leaves out {better[0]}"
    return source if least else "what other packages ask for leaves out every version that clears it"

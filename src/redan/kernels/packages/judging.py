"""What lets somebody else decide which code is installed: open bounds, further indexes, addresses without digests.

Sources: pip documentation, "Secure installs" and "Repeatable installs"; Birsan 2021, "Dependency Confusion"; the
advisory of PyTorch on the package torchtriton, December 2022.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from redan.core.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from redan.kernels.packages.model import Manifest, Option, Package

WeaknessKind = Literal[
    "unbounded",
    "address-without-hash",
    "moving-revision",
    "outside-project",
    "extra-index",
    "trusted-host",
    "plain-http",
    "not-locked",
    "lock-does-not-fit",
    "hash-missing",
]

_LOCKS = {
    "pyproject": ("poetry-lock", "pdm-lock", "uv-lock", "pylock"),
    "pipfile": ("pipfile-lock",),
}
"""Which lock files answer for which project file in the same folder."""

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LOCAL = re.compile(r"(?:http://)?(?:localhost|127\.0\.0\.1|\[::1\])(?:[:/]|$)")
_UPPER = re.compile(r"[=~<^]")
_OPEN_ENDED = re.compile(r">=|!=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weak:
    """One weak point.

    Attributes:
        kind: what is weak.
        name: package or option it is about.
        path: file, as reports show it.
        line: line, from 1; 0 where there is none.
        detail: the fact in words.
        sure: whether it is so wherever this is installed, or depends on the installer.
    """

    kind: WeaknessKind
    name: str
    path: str
    line: int
    detail: str
    sure: bool = True


def weak_points(manifests: Iterable[Manifest]) -> Iterator[Weak]:
    """Yield every weak point of some package manager files, in the order of the files."""
    read = tuple(manifests)
    bounded = {p.key for m in read for p in m.packages if p.role == "constraint" and has_bound(p)}
    for manifest in read:
        locks = locks_of(manifest, read)
        yield from _sources(manifest)
        yield from _options(manifest)
        if not locks:
            yield from _unbounded(manifest, bounded)
        for lock in locks:
            yield from _out_of_step(manifest, lock)
        yield from _hashless(manifest)


def locks_of(manifest: Manifest, read: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Return the lock files beside a project file that answer for it."""
    folder, _, name = manifest.path.rpartition("/")
    beside = [m for m in read if m.path.rpartition("/")[0] == folder]
    if manifest.kind == "requirements" and name.endswith(".in"):
        return tuple(m for m in beside if m.path == f"{manifest.path.removesuffix('.in')}.txt")
    return tuple(m for m in beside if m.kind in _LOCKS.get(manifest.kind, ()))


def has_bound(package: Package) -> bool:
    """Whether a mention keeps the newest release of tomorrow out."""
    return bool(package.version or package.hashes or _UPPER.search(_OPEN_ENDED.sub("", package.specifier)))


def _about(kind: WeaknessKind, package: Package, detail: str) -> Weak:
    return Weak(kind=kind, name=package.name, path=package.path, line=package.line, detail=detail)


def _unbounded(manifest: Manifest, bounded: set[tuple[str, str]]) -> Iterator[Weak]:
    for package in manifest.packages:
        wanted = package.role == "declared" and package.source.kind == "index" and not package.group
        if not wanted or package.key in bounded:
            continue
        floating = package.ecosystem == "docker" and package.version in ("", "latest") and not package.hashes
        if floating or not has_bound(package):
            yield _about("unbounded", package, package.specifier or "any version")


def _sources(manifest: Manifest) -> Iterator[Weak]:
    for p in manifest.packages:
        if p.role == "installed":
            continue
        if p.source.kind == "vcs" and not _COMMIT.fullmatch(p.source.revision):
            what = f"{p.source.revision!r} of {p.source.url}" if p.source.revision else f"{p.source.url}, no revision"
            yield _about("moving-revision", p, what)
        elif p.source.kind == "url" and not p.hashes:
            yield _about("address-without-hash", p, p.source.url)
        elif p.source.kind in ("path", "editable") and leaves(manifest.path, p.source.url):
            yield _about("outside-project", p, p.source.url)


def leaves(shown: str, place: str) -> bool:
    """Whether a path that a file names lies outside the folder that is looked at."""
    plain = place.replace("\\", "/").removeprefix("file:")
    if plain.startswith(("/", "~")) or re.match(r"[A-Za-z]:/", plain):
        return True
    depth = shown.count("/")
    for part in plain.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def _options(manifest: Manifest) -> Iterator[Weak]:
    wanted = [p for p in manifest.packages if p.role == "declared"]
    hashed = bool(wanted) and all(p.hashes for p in wanted)
    for option in manifest.options:
        kind = _risk(option, hashed=hashed)
        if kind:
            yield Weak(
                kind=kind,
                name=option.name,
                path=manifest.path,
                line=option.line,
                detail=option.value,
                sure=kind != "extra-index",
            )


def _risk(option: Option, *, hashed: bool) -> WeaknessKind | None:
    """Say what an option opens; where every package has a hash, an index cannot choose what is installed."""
    if _LOCAL.match(option.value):
        return None
    if option.name == "trusted-host":
        return "trusted-host"
    if option.name in ("index-url", "extra-index-url", "find-links", "index") and option.value.startswith("http://"):
        return "plain-http"
    return "extra-index" if option.name == "extra-index-url" and not hashed else None


def _hashless(manifest: Manifest) -> Iterator[Weak]:
    """Yield packages without a digest where others have one; pip then refuses, other installers do not."""
    chosen = [p for p in manifest.packages if p.role in ("declared", "locked") and p.source.kind in ("index", "url")]
    chosen = [p for p in chosen if p.ecosystem != "docker"]
    if not any(p.hashes for p in chosen):
        return
    for p in chosen:
        if not p.hashes and p.source.kind == "index":
            yield _about("hash-missing", p, p.version or "no version")


def _out_of_step(manifest: Manifest, lock: Manifest) -> Iterator[Weak]:
    """Yield what the project asks for and its lock file does not hold, or holds in a version that does not fit."""
    versions: dict[tuple[str, str], set[str]] = {}
    for package in lock.packages:
        versions.setdefault(package.key, set()).add(package.version)
    for p in manifest.packages:
        if p.role != "declared" or p.group or p.marker or p.source.kind != "index" or p.name in ("-", manifest.project):
            continue
        found = versions.get(p.key)
        if found is None:
            yield _about("not-locked", p, f"not in {lock.path}")
        elif not fits(p.specifier, found):
            detail = f"{p.specifier} wanted, {', '.join(sorted(found))} in {lock.path}"
            yield _about("lock-does-not-fit", p, detail)


def fits(specifier: str, versions: Iterable[str]) -> bool:
    """Whether any of some versions fits a specifier; what is no specifier of the standard is taken to fit.

    Poetry's carets and tildes are its own language; its lock file records a digest of the project file instead.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        wanted = SpecifierSet(specifier)
        return any(not version or wanted.contains(version, prereleases=True) for version in versions)
    except (InvalidSpecifier, InvalidVersion):
        return True

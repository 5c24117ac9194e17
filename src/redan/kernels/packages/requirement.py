"""One requirement as pip writes it: a name with a specifier, an address, or a path."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from redan.kernels.packages.model import Package, Role, Source
from redan.kernels.packages.names import normalised, without_credentials

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_PINNED = re.compile(r"={2,3}\s*([^\s,;*]+)")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][\w.-]*)")
_HASH_FRAGMENT = re.compile(r"[#&](md5|sha1|sha224|sha256|sha384|sha512)=([0-9a-fA-F]{32,128})")
_VCS = ("git+", "hg+", "svn+", "bzr+")
_SCHEMES = ("http://", "https://", "ftp://", "file:")
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_WHEEL = re.compile(r"([A-Za-z0-9][\w.]*?)-(\d[\w.!+]*)(?:-\d\w*)?-[\w.]+-[\w.]+-[\w.]+\.whl")


class NotRequirementError(ValueError):
    """A text that is no requirement."""


def parse(text: str, *, role: Role, path: str, line: int = 0, group: str = "") -> Package:
    """Read a requirement.

    Source: the PyPA specifications of dependency specifiers and of direct addresses; pip's requirement file format
    for bare addresses and paths.

    Raises:
        NotRequirementError: it is none.
    """
    text = text.strip()
    if text.startswith((*_VCS, *_SCHEMES)):
        return _address(text, role, path, line, group)
    if _is_path(text):
        return _local(text, role, path, line, group)
    found = _specified(text)
    return replace(
        _address(found.url, role, path, line, group)
        if found.url
        else Package(name="-", role=role, path=path, line=line),
        name=normalised(found.name),
        group=group,
        specifier=str(found.specifier),
        version=pinned(str(found.specifier)) if not found.url else "",
        extras=tuple(sorted(found.extras)),
        marker=str(found.marker or ""),
    )


def pinned(specifier: str) -> str:
    """Return the one version that a specifier allows, or an empty string."""
    match = _PINNED.fullmatch(specifier.strip())
    return match[1] if match else ""


def _specified(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise NotRequirementError(f"no requirement: {reason[:120]}") from error


def _is_path(text: str) -> bool:
    word = text.partition(";")[0].partition("[")[0].strip()
    return word.startswith((".", "/", "~")) or "\\" in word or ("@" not in word and word.endswith(_ARCHIVES))


def _address(text: str, role: Role, path: str, line: int, group: str) -> Package:
    url, _, marker = text.partition(" ;") if " ;" in text else text.partition("; ")
    clean, _ = without_credentials(url.strip())
    bare, _, _ = clean.partition("#")
    file_name = bare.rpartition("/")[2]
    egg, wheel = _EGG.search(clean), _WHEEL.fullmatch(file_name)
    name = egg[1] if egg else wheel[1] if wheel else _stem(file_name)
    vcs = clean.startswith(_VCS)
    kind = "vcs" if vcs else "path" if bare.startswith("file:") else "url"
    address, revision = _revision(bare) if vcs else (bare, "")
    return Package(
        name=normalised(name) or "-",
        role=role,
        path=path,
        line=line,
        group=group,
        version=wheel[2] if wheel else "",
        marker=marker.strip(),
        hashes=tuple(sorted({f"{m[1]}:{m[2].lower()}" for m in _HASH_FRAGMENT.finditer(clean)})),
        source=Source(kind=kind, url=address, revision=revision),  # type: ignore[arg-type]  # one of three words
    )


def _stem(file_name: str) -> str:
    """Return the name that an archive or a repository is called by."""
    plain = file_name.partition("@")[0]
    for ending in (*_ARCHIVES, ".git"):
        plain = plain.removesuffix(ending)
    return re.sub(r"-\d[\w.!+]*$", "", plain)


def _revision(url: str) -> tuple[str, str]:
    scheme, _, rest = url.partition("://")
    host, slash, place = rest.partition("/")
    place, _, revision = place.partition("@")
    return f"{scheme}://{host}{slash}{place}", revision


def _local(text: str, role: Role, path: str, line: int, group: str) -> Package:
    word, _, marker = text.partition(";")
    place, _, extras = word.strip().partition("[")
    file_name = place.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    wheel = _WHEEL.fullmatch(file_name)
    return Package(
        name=normalised(wheel[1] if wheel else _stem(file_name).strip(".~")) or "-",
        role=role,
        path=path,
        line=line,
        group=group,
        version=wheel[2] if wheel else "",
        extras=tuple(sorted(e.strip() for e in extras.rstrip("] ").split(",") if e.strip())),
        marker=marker.strip(),
        source=Source(kind="path", url=place),
    )

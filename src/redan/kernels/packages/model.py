"""What a project says about the packages it is built from, as plain values."""

from __future__ import annotations

from typing import Literal

from redan.core.record import dataclass

Ecosystem = Literal["pypi", "conda", "npm", "docker"]
"""Where a name belongs; the word is the type of its package URL."""

Role = Literal["declared", "constraint", "build", "locked", "installed"]
"""What a line says: wanted, bounded if wanted, wanted to build, chosen by a lock file, found in an environment."""

SourceKind = Literal["index", "url", "vcs", "path", "editable"]

RESOLVED: frozenset[Role] = frozenset({"locked", "installed"})
"""Roles whose version is a fact and no wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a package comes from.

    Attributes:
        kind: the package index, or something else that is named.
        url: address or path without credentials; empty for the default index.
        revision: commit, tag or branch of a repository.
    """

    kind: SourceKind = "index"
    url: str = ""
    revision: str = ""


INDEX = Source()
"""The default index of the ecosystem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One mention of a package: a requirement, a locked choice, or an installed distribution.

    Attributes:
        name: normalised as its ecosystem normalises names (PyPA name normalisation for ``pypi``).
        ecosystem: where the name belongs.
        role: what the mention says.
        path: file that mentions it, as reports show it.
        line: line of that file, from 1; 0 where there is none.
        version: exact version, when the mention fixes one.
        specifier: version specifier as written, such as ``>=2,<3``; empty for any version.
        extras: extras asked for, sorted.
        marker: environment marker as written.
        group: extra, dependency group or section it belongs to; empty for the main one.
        licence: SPDX expression or the words that the package uses.
        hashes: digests that an installer will accept, each ``algorithm:hexadecimal``, sorted.
        requires: normalised names of what it needs itself, sorted.
        source: where it comes from.
    """

    name: str
    ecosystem: Ecosystem = "pypi"
    role: Role
    path: str
    line: int = 0
    version: str = ""
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""
    group: str = ""
    licence: str = ""
    hashes: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    source: Source = INDEX

    @property
    def purl(self) -> str:
        """Package URL of this mention. Source: ECMA-427 (package-url)."""
        from redan.kernels.packages.names import purl

        return purl(self.ecosystem, self.name, self.version)

    @property
    def key(self) -> tuple[str, str]:
        """Ecosystem and name: what makes two mentions speak of one package."""
        return self.ecosystem, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A line that tells an installer where to look or whom to trust.

    Attributes:
        name: long form without dashes, such as ``extra-index-url`` or ``trusted-host``.
        value: what it is set to, without credentials.
        line: line of the file, from 1; 0 where there is none.
        credentials: whether the value held a user name or password.
    """

    name: str
    value: str
    line: int = 0
    credentials: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """Another requirements file that a requirements file names, relative to itself."""

    path: str
    line: int
    constraints: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A place that was not understood, and why; nothing is passed over in silence."""

    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One file of a package manager.

    Attributes:
        path: the file, as reports show it.
        kind: slug of the format, such as ``requirements`` or ``uv-lock``.
        packages: mentions in the order of the file.
        options: index and trust options.
        includes: files it includes.
        problems: what was not understood.
        complete: whether it was read to its end.
        project: normalised name of the project that the file describes, if it names one.
        project_version: version of that project.
        project_licence: licence of that project.
    """

    path: str
    kind: str
    packages: tuple[Package, ...] = ()
    options: tuple[Option, ...] = ()
    includes: tuple[Include, ...] = ()
    problems: tuple[Problem, ...] = ()
    complete: bool = True
    project: str = ""
    project_version: str = ""
    project_licence: str = ""

"""What every reader of requirements does with the strings it meets: read them, or say why not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from redan.kernels.packages.limits import MOST_PACKAGES, MOST_PROBLEMS
from redan.kernels.packages.model import Manifest, Option, Package, Problem, Role
from redan.kernels.packages.names import without_credentials
from redan.kernels.packages.requirement import NotRequirementError, parse

if TYPE_CHECKING:
    from redan.kernels.packages.model import Include

ADDRESSES = frozenset({"index", "index-url", "trusted-host", "extra-index-url", "find-links", "pypi-url"})
"""Options whose value is an address."""


class Collected:
    """What one file has given so far.

    Args:
        path: the file, as reports show it.
        kind: slug of its format.
    """

    def __init__(self, path: str, kind: str) -> None:
        self.path = path
        self.kind = kind
        self.packages: list[Package] = []
        self.options: list[Option] = []
        self.includes: list[Include] = []
        self.problems: list[Problem] = []
        self.complete = True

    def add(self, package: Package) -> None:
        """Keep a mention; beyond the limit the file counts as not read to its end."""
        if len(self.packages) >= MOST_PACKAGES:
            self.complete = False
        else:
            self.packages.append(package)

    def requirement(
        self,
        text: str,
        *,
        role: Role = "declared",
        line: int = 0,
        group: str = "",
        hashes: frozenset[str] = frozenset(),
    ) -> None:
        """Read a requirement, or keep the reason why it is none."""
        try:
            found = parse(text, role=role, path=self.path, line=line, group=group)
        except NotRequirementError as error:
            self.problem(line, str(error))
            return
        self.add(replace(found, hashes=tuple(sorted({*hashes, *found.hashes}))))

    def option(self, name: str, value: str, line: int = 0) -> None:
        """Keep an option, without the credentials that its address may hold."""
        clean, had = without_credentials(value) if name in ADDRESSES else (value, False)
        self.options.append(Option(name=name, value=clean, line=line, credentials=had))

    def problem(self, line: int, why: str) -> None:
        """Keep a place that was not understood."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(line=line, why=why))

    def manifest(self, *, project: str = "", version: str = "", licence: str = "") -> Manifest:
        """Return what was read."""
        return Manifest(
            path=self.path,
            kind=self.kind,
            packages=tuple(self.packages),
            options=tuple(self.options),
            includes=tuple(self.includes),
            problems=tuple(self.problems),
            complete=self.complete,
            project=project,
            project_version=version,
            project_licence=licence,
        )

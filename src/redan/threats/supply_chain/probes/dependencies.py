"""Which code a project lets others choose for it: requirements, project files, lock files, recipes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.finding import Finding, Location
from redan.core.probe import Spec
from redan.core.report import Examined, Unexamined
from redan.kernels.packages.kinds import kind_of

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.catalogue import Rule
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.packages.judging import Weak

MOST_LOCATIONS = 50
"""Places that one finding lists."""


@probe(
    Spec(
        id="RDN-SUP-020",
        name="dependencies",
        threat="supply_chain",
        title="Dependencies that somebody else can choose: open bounds, further indexes, addresses without hashes",
        source="pip documentation, Secure installs; Birsan 2021, Dependency Confusion",
        needs=("bytes",),
        cost="instant",
        references=("cwe:1357", "atlas:AML.T0010.001", "owasp:ML06"),
    )
)
class Dependencies:
    """Reads the files of package managers and says where somebody else decides what is installed.

    What it measures:
        Requirements without an upper bound, addresses without a hash, branches instead of commits, folders outside
        the project, further indexes, indexes without certificate checks, lock files out of step with their project,
        hashes that are missing where others are there, names nearly those of well-known packages, and versions of
        nines.

    Why it matters:
        Whoever can publish under the right name or at the right address runs code wherever the model is trained,
        converted or served.

    How:
        Requirements and constraints files, pyproject.toml, setup.cfg, setup.py (its syntax tree), Pipfile, the lock
        files of uv, Poetry, PDM, Pipenv, npm and PEP 751, conda environments, Dockerfiles, and ``%pip`` lines of
        notebooks are parsed; nothing is run, resolved or fetched.

    Shapes:
        Input: a file or folder. Output: one finding a weak point with its line; open bounds are one finding a file.

    Units:
        None: a weak point is there or not.

    Error of the estimate:
        ``confirmed`` where the file itself says it; ``likely`` for further indexes, whose danger depends on the
        installer and its settings.

    Cost:
        In proportion to the files of package managers; other files are told apart by their names alone.

    Sources:
        pip documentation, Secure installs; PyPA specifications; Birsan 2021, Dependency Confusion.

    Limits:
        Requirements that setup.py computes are named as not read. Settings of the machine are not seen.
    """

    spec: ClassVar[Spec]
    Params: ClassVar[type[core_params.Params]] = core_params.Params

    def run(
        self,
        subject: Files,
        inputs: Inputs,
        params: core_params.Params,
        *,
        budget: Budget,
        seed: int,
        observe: Observer,
    ) -> Iterator[Finding | Examined | Unexamined]:
        """Read the package manager files together, since one answers for another."""
        files = subject.files()
        kinds = {shown: kind for _, shown in files if (kind := kind_of(shown))}
        if not kinds or budget.stop():
            return
        observe.started("dependencies", len(kinds))
        from redan.kernels.packages.gathering import read_manifests
        from redan.kernels.packages.judging import weak_points
        from redan.threats.supply_chain.suspicious import suspicious

        manifests, missed = read_manifests(files)
        for manifest in manifests:
            # a notebook is read for its %pip lines alone
            if manifest.kind != "notebook" and manifest.complete:
                yield Examined(path=manifest.path, format=manifest.kind, by=("dependencies",))
        for each in missed:
            # under the file's own name another probe's reading would hide that this one could not
            yield Unexamined(path=each.path if "," in each.path else f"{each.path}, as dependencies", why=each.why)
        yield from findings(weak_points(manifests), subject.root.name)
        yield from suspicious(manifests, subject.root.name)
        observe.finished("dependencies", f"{len(manifests)} files")


def findings(weak: Iterator[Weak], subject_name: str) -> Iterator[Finding]:
    """Turn weak points into findings; open bounds of one file together, every other one alone."""
    open_bounds: dict[str, list[Weak]] = {}
    for each in weak:
        if each.kind == "unbounded":
            open_bounds.setdefault(each.path, []).append(each)
        else:
            yield _finding([each], f"{each.path}: {_SAYS[each.kind].format(each.name, each.detail)}", subject_name)
    for path, group in open_bounds.items():
        names = ", ".join(dict.fromkeys(each.name for each in group[:5]))
        more = f" and {len(group) - 5} more" if len(group) > 5 else ""
        one = "dependency" if len(group) == 1 else "dependencies"
        title = f"{path}: {len(group)} {one} without an upper bound: {names}{more}"
        yield _finding(group, title, subject_name)


_SAYS = {
    "address-without-hash": "{0} comes from {1} without a hash",
    "moving-revision": "{0} comes from {1}, which is no full commit",
    "outside-project": "{0} comes from {1!r}, outside the project",
    "extra-index": "a further index beside the default one: {1}",
    "trusted-host": "certificates of {1} are not checked",
    "plain-http": "{0} is reached over plain HTTP: {1}",
    "not-locked": "{0} is {1}",
    "lock-does-not-fit": "{0}: {1}",
    "hash-missing": "{0} {1} has no hash where others have one",
}


def rule_of(kind: str) -> Rule:
    """Return the rule that a kind of weak point belongs to."""
    from redan.threats.supply_chain.rules import lock_mismatch, open_index, unbounded_dependency, unverified_source

    if kind == "unbounded":
        return unbounded_dependency.RULE
    if kind in ("address-without-hash", "moving-revision", "outside-project"):
        return unverified_source.RULE
    return open_index.RULE if kind in ("extra-index", "trusted-host", "plain-http") else lock_mismatch.RULE


def _finding(group: list[Weak], title: str, subject_name: str) -> Finding:
    first = group[0]
    rule = rule_of(first.kind)
    places = [Location(uri=each.path, address=f"line {each.line}" if each.line else "") for each in group]
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=subject_name,
        title=title,
        severity=rule.severity,
        confidence="confirmed" if first.sure else "likely",
        detail=rule.title,
        params={"kind": first.kind} if first.kind == "unbounded" else {"kind": first.kind, "name": first.name},
        locations=tuple(dict.fromkeys(places))[:MOST_LOCATIONS],
        remedies=(rule.remedy,),
        references=rule.references,
    )

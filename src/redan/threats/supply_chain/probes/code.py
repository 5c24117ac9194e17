"""Python code that handles models, in files and notebooks, judged by rules that general linters lack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import Unreadable
from redan.core.finding import Finding, Location
from redan.core.probe import Spec
from redan.core.report import Examined, Unexamined

if TYPE_CHECKING:
    from pathlib import Path

    from redan.core.budget import Budget
    from redan.core.catalogue import Rule
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.code import Match, Module, Source

TOGETHER_LINES = 100_000
"""Lines that are read together; between such groups names are not followed. Their trees take about 200 MB."""
MOST_PLACES = 100
"""Findings of one rule in one file; what is beyond is counted in one more."""


@probe(
    Spec(
        id="RDN-SUP-040",
        name="code",
        threat="supply_chain",
        title="Python code that loads, fetches or serves models unsafely",
        source="Abstract syntax trees (Python library, ast); taint analysis: Denning and Denning 1977",
        needs=("bytes",),
        cost="seconds",
        references=("cwe:502", "cwe:829", "atlas:AML.T0010", "owasp:ML06"),
    )
)
class Code:
    """Reads Python files and the code cells of notebooks by rules for code that handles models.

    What it measures:
        Where the code loads, fetches, serves or executes in a way that lets somebody else decide what runs.

    Why it matters:
        A safe model file does not help when the code beside it runs whatever it is given.

    How:
        Names are followed through imports, aliases, partials and files; what requests, models' answers and downloads
        decide is followed through variables, calls and returns. Nothing is imported or run.

    Shapes:
        Input: a file or folder. Output: one finding a rule and line.

    Units:
        None: a place is bad by a rule or not.

    Error of the estimate:
        ``confirmed`` where the code says it, ``likely`` where it depends on a default or on a flow, ``possible`` where
        it depends on what cannot be seen.

    Cost:
        Some ten thousand lines a CPU second.

    Sources:
        Python library reference, ast; Denning and Denning 1977, Certification of Programs for Secure Information Flow.

    Limits:
        Flows follow no order of statements and know no types. Sources above 2 MiB and files that are no Python 3 are
        listed as not examined. General Python rules run in the probe general-python.
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
        """Read the files in groups, in sorted order."""
        files = [pair for pair in subject.files() if is_code(pair[1])]
        observe.started("code", len(files))
        sources: list[Source] = []
        for done, (file, shown) in enumerate(files, 1):
            if budget.stop():
                break
            try:
                source = read(file, shown)
            except Unreadable as err:
                yield Unexamined(path=f"{shown}, as code", why=err.message)
                continue
            if source is not None:
                sources.append(source)
            if sum(each.lines for each in sources) >= TOGETHER_LINES:
                yield from judge(sources, subject.root.name)
                sources = []
            observe.advanced("code", done, len(files), file.name)
        if sources:
            yield from judge(sources, subject.root.name)
        observe.finished("code", f"{len(files)} files")


def is_code(shown: str) -> bool:
    """Tell by its name whether a file may hold Python code."""
    return shown.endswith((".py", ".pyw", ".ipynb"))


def read(file: Path, shown: str) -> Source | None:
    """Parse a Python file or notebook; None when there is no Python in it.

    Raises:
        Unreadable: it cannot be read, is too large or nested too deep, or is no Python 3.
    """
    from redan.kernels.code import from_notebook, from_python
    from redan.kernels.code.source import MOST_BYTES
    from redan.kernels.notebooks import read_notebook
    from redan.kernels.text import read_text

    if shown.endswith(".ipynb"):
        return from_notebook(read_notebook(file), shown)
    found = read_text(file, MOST_BYTES)
    if found is None:
        raise Unreadable("no text, so no Python")
    return from_python(found.text, shown)


def judge(sources: list[Source], subject_name: str) -> Iterator[Finding | Examined | Unexamined]:
    """Judge files that are read together by every rule."""
    from redan.kernels.code import read_folder
    from redan.threats.supply_chain.rules.code import rules

    folder = read_folder(sources)
    for path, why in folder.missed:
        yield Unexamined(path=f"{path}, as code", why=why)
    if not folder.whole:
        yield Unexamined(path="flows between functions", why=f"too many in {len(sources)} files to follow to the end")
    for module in folder.modules:
        source = module.source
        yield Examined(path=source.path, format="notebook" if source.cells else "python", by=("code",))
        for place, why in source.missed:
            yield Unexamined(path=f"{source.path}, {place}", why=why)
        for rule, check in rules():
            yield from findings(rule, check(module), module, subject_name)


def findings(rule: Rule, matches: Iterator[Match], module: Module, subject_name: str) -> Iterator[Finding]:
    """Turn what a rule says about a module into findings, one a line."""
    lines: dict[int, Match] = {}
    for match in matches:
        lines.setdefault(match.line, match)
    places = sorted(lines.items())
    for line, match in places[:MOST_PLACES]:
        yield _finding(rule, match, module.source.path, module.source.address(line), subject_name)
    if len(places) > MOST_PLACES:
        line, match = places[MOST_PLACES]
        more = f" (and {len(places) - MOST_PLACES - 1} more places)"
        yield _finding(rule, match, module.source.path, module.source.address(line), subject_name, more)


def _finding(rule: Rule, match: Match, path: str, address: str, subject_name: str, more: str = "") -> Finding:
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=subject_name,
        title=f"{path}: {match.says}{more}",
        severity=rule.severity,
        confidence=match.confidence,
        detail=rule.title,
        locations=(Location(uri=path, address=address),),
        remedies=(rule.remedy,),
        references=rule.references,
    )

"""General security rules for Python, from ruff where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import Skipped
from redan.core.finding import Finding, Location, Severity
from redan.core.probe import Spec
from redan.core.report import Examined, Unexamined
from redan.threats.supply_chain.probes.code import is_code

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.code.ruff import Remark

TOGETHER = 200
"""Files that are given to one process."""
MOST_LOCATIONS = 20
"""Places of one rule in one file that a finding lists."""


@probe(
    Spec(
        id="RDN-SUP-079",
        name="general-python",
        threat="supply_chain",
        title="General security rules for Python, as ruff has them",
        source="Rules S (flake8-bandit) of ruff, run as a program",
        needs=("bytes",),
        cost="seconds",
        references=("cwe:710",),
    )
)
class GeneralPython:
    """Runs the security rules of ruff over Python files and notebooks, if ruff is installed.

    What it measures:
        Which general security rules of flake8-bandit speak about which lines.

    Why it matters:
        Weak ciphers, old protocols, queries put together from texts and the like are no less dangerous beside a model.

    How:
        ``ruff check --isolated --ignore-noqa --select S`` reads the files; settings and comments of the scanned folder
        do not count. What the rules of the probe ``code`` judge more closely is left out, and so are rules that speak
        about nearly every project (asserts, imports of subprocess, random numbers).

    Shapes:
        Input: a file or folder. Output: one finding a rule and file, with its lines; ``code`` names the rule.

    Units:
        None: a rule speaks or not.

    Error of the estimate:
        Confidence is ``possible``: these rules look at one line at a time.

    Cost:
        Hundreds of thousands of lines a CPU second.

    Sources:
        Documentation of ruff, rules flake8-bandit (S); Bandit, documentation of its plugins.

    Limits:
        Not run, and said so, where ruff is not installed (``pip install redan[code]``). The rules are those of the
        installed version.
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
        """Read the files in groups, in sorted order.

        Raises:
            Skipped: there is Python code and ruff is not installed.
        """
        files = [(file, shown) for file, shown in subject.files() if is_code(shown) and file.is_file()]
        observe.started("general-python", len(files))
        for start in range(0, len(files), TOGETHER):
            if budget.stop():
                break
            from redan.kernels.code import ruff

            program = ruff.program()
            if program is None:
                raise Skipped("ruff is not installed", hint="pip install redan[code]")
            group = files[start : start + TOGETHER]
            remarks = ruff.remarks(program, [file for file, _ in group])
            for file, shown in group:
                if file not in remarks:
                    yield Unexamined(
                        path=f"{shown}, by general rules", why="no Python 3 that ruff parses, or above 2 MiB"
                    )
                    continue
                kind = "notebook" if shown.endswith(".ipynb") else "python"
                yield Examined(path=shown, format=kind, by=("general-python",))
                yield from findings(remarks[file], shown, subject.root.name)
            observe.advanced("general-python", start + len(group), len(files), group[-1][0].name)
        observe.finished("general-python", f"{len(files)} files")


def findings(remarks: list[Remark], shown: str, subject_name: str) -> Iterator[Finding]:
    """Turn what ruff says about a file into one finding a rule."""
    by_code: dict[str, list[Remark]] = {}
    for remark in remarks:
        by_code.setdefault(remark.code, []).append(remark)
    for code, found in sorted(by_code.items()):
        places = tuple(dict.fromkeys(Location(uri=shown, address=each.address) for each in found))
        more = f" ({len(places)} places)" if len(places) > 1 else ""
        yield Finding(
            rule="RDN-SUP-079",
            threat="supply_chain",
            subject=subject_name,
            title=f"{shown}: {code} {found[0].says}{more}",
            severity=Severity.LOW,
            confidence="possible",
            detail=f"A general security rule of ruff. {found[0].url}".strip(),
            params={"code": code},
            locations=places[:MOST_LOCATIONS],
            remedies=("Read the rule's page and change the line, or ignore it with a reason.",),
            references=("cwe:710",),
        )

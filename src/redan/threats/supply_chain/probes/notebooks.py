"""What notebooks would do when they are run or opened, and what they tell about their machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from redan.core import params as core_params
from redan.core.catalogue import probe
from redan.core.errors import Unreadable
from redan.core.finding import Finding, Location
from redan.core.probe import Spec
from redan.core.report import Examined, Unexamined

if TYPE_CHECKING:
    from redan.core.budget import Budget
    from redan.core.inputs import Inputs
    from redan.core.progress import Observer
    from redan.core.subject import Files
    from redan.kernels.notebooks.conduct import Conduct

MOST_LOCATIONS = 20
"""Places that a finding lists."""


@probe(
    Spec(
        id="RDN-SUP-015",
        name="notebooks",
        threat="supply_chain",
        title="Magics, shell lines, active outputs and traces of machines in notebooks",
        source="nbformat 3 and 4 (file format); IPython reference (magics and shell lines)",
        needs=("bytes",),
        cost="seconds",
        references=("cwe:494", "cwe:79", "cwe:200"),
    )
)
class Notebooks:
    """Reads notebooks for what they would do when they are run or opened.

    What it measures:
        Commands that fetch and run, install from addresses, open shells or delete; outputs that run or fetch when they
        are shown; home folders, kernels and run order.

    Why it matters:
        Notebooks are run without being read, and opened with the reader's rights.

    How:
        Shell lines, magics and outputs are compared with lists of forms; nothing is run.

    Shapes:
        Input: a file or folder. Output: one finding a kind and notebook, with its cells.

    Units:
        None.

    Error of the estimate:
        None for what the forms describe; commands that are put together at run time are not followed.

    Cost:
        Tens of megabytes of notebooks a CPU second.

    Sources:
        nbformat documentation, versions 3 and 4; IPython documentation of magics and system shell access.

    Limits:
        Python code in cells is judged by the code rules, secrets and personal data by their own probes.
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
        """Read each notebook once, in sorted order."""
        files = [pair for pair in subject.files() if pair[0].suffix.lower() == ".ipynb"]
        observe.started("notebooks", len(files))
        for done, (file, shown) in enumerate(files, 1):
            if budget.stop():
                break
            yield from look(file, shown, subject.root.name)
            observe.advanced("notebooks", done, len(files), file.name)
        observe.finished("notebooks", f"{len(files)} notebooks")


def look(file: Path, shown: str, subject_name: str) -> Iterator[Finding | Examined | Unexamined]:
    """Read one notebook."""
    from redan.kernels.notebooks import read_notebook
    from redan.kernels.notebooks.conduct import conduct

    try:
        notebook = read_notebook(file)
    except Unreadable as err:
        yield Unexamined(path=shown, why=err.message)
        return
    yield Examined(path=shown, format="notebook", by=("notebooks",))
    kinds: dict[str, list[Conduct]] = {}
    for each in conduct(notebook):
        kinds.setdefault(each.what, []).append(each)
    for found in kinds.values():
        yield _finding(found, shown, subject_name)


def _finding(found: list[Conduct], shown: str, subject_name: str) -> Finding:
    from redan.threats.supply_chain.rules import notebook_active_output, notebook_runs_code, notebook_tells

    rules = {"runs": notebook_runs_code, "active": notebook_active_output, "tells": notebook_tells}
    first, rule = found[0], rules[found[0].kind].RULE
    addresses = list(dict.fromkeys(each.address for each in found))
    return Finding(
        rule=rule.id,
        threat=rule.threat,
        subject=subject_name,
        title=f"{shown}: {addresses[0]} {first.message}" if first.what != "order" else f"{shown}: {first.message}",
        severity=rule.severity,
        confidence="likely",
        detail=rule.title,
        params={"kind": first.what},
        locations=tuple(Location(uri=shown, address=address) for address in addresses[:MOST_LOCATIONS]),
        remedies=(rule.remedy,),
        references=rule.references,
    )

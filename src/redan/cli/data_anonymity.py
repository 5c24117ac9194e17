"""`redan data anonymity` and `minimise`: do rows stand alone, and what does a model not need?"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from redan.cli.data_personal import GATE, judged
from redan.cli.output import format_options

PATH = click.Path(path_type=Path)


@click.command("anonymity")
@click.argument("data", type=PATH)
@click.option("--quasi", required=True, metavar="A,B", help="Columns that others may know of a person.")
@click.option("--sensitive", default="", metavar="A,B", help="Columns that they are not to learn.")
@click.option("--label", default="", metavar="COLUMN", help="Column that a model predicts: prices what is lost.")
@click.option("--k", type=click.IntRange(2), default=5, show_default=True, help="Rows that look alike at least.")
@click.option("--left-out", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of rows to lose.")
@click.option("--write", type=PATH, help="Write the rows with k reached to this file, in the same format.")
@GATE
@format_options
def anonymity(
    data: Path,
    quasi: str,
    sensitive: str,
    label: str,
    k: int,
    left_out: float,
    write: Path | None,
    gate: str,
    form: str | None,
    output: Path | None,
    quiet: bool,
) -> int:  # click passes flags by name
    """Measure k-anonymity, l-diversity and t-closeness of DATA, and how to reach k with what loss.

    \b
    redan data anonymity people.csv --quasi age,sex,postcode --sensitive disease --k 5 --write less.csv
    """
    if write is not None:
        _write(data, [each.strip() for each in quasi.split(",") if each.strip()], k, left_out, write)
    params = {
        "quasi": quasi,
        "sensitive": sensitive,
        "label": label,
        "k": k,
        "most_left_out": left_out,
    }
    words = ["anonymity", str(data), "--quasi", quasi, "--k", str(k), "--left-out", str(left_out)]
    words += [
        part for flag, value in (("--sensitive", sensitive), ("--label", label)) if value for part in (flag, value)
    ]
    return judged(data, "anonymity", params, gate, words, form, output)


def _write(data: Path, quasi: list[str], k: int, left_out: float, write: Path) -> None:
    from redan.cli.output import emit
    from redan.evidence.datasets.rows import read_rows, written
    from redan.runner.personal_changes import k_anonymous

    rows = read_rows(data)
    changed = k_anonymous(rows, quasi, k, most_left_out=left_out)
    emit(written(changed), write)
    sys.stderr.write(f"{len(changed):,} of {len(rows):,} rows kept, at least {k} alike in {', '.join(quasi)}\n")


@click.command("minimise")
@click.argument("model")
@click.argument("data", type=PATH)
@click.option("--label", metavar="COLUMN", help="Name of the label column.")
@click.option("--tolerance", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Accuracy it may cost.")
@click.option("--trust", is_flag=True, default=None, help="Load a file that is not judged safe, in a sandbox.")
@GATE
@format_options
def minimise(
    model: str,
    data: Path,
    label: str | None,
    tolerance: float,
    trust: bool | None,
    gate: str,
    form: str | None,
    output: Path | None,
    quiet: bool,
) -> int:  # click passes flags by name
    """Measure which columns of DATA the MODEL does not need, and which may be ranges, with accuracy before and after.

    \b
    redan data minimise model.py:net test.csv --label income
    """
    import shlex

    from redan.cli.measuring import measured
    from redan.cli.output import emit, form_of, render
    from redan.cli.settings import configure
    from redan.runner.attack import attack

    flags = {"data": str(data), "label": label, "probes": ("data-minimisation",), "trust": trust, "gate": gate}
    settings = configure({"target": model, **flags, "params": (f"tolerance={tolerance}",)}, file=None, need_file=False)
    words = shlex.join(["redan", *sys.argv[1:]])
    report, _ = measured(settings, words, lambda session: attack(settings, session), quick=False, quiet=quiet)
    emit(render(report, form_of(form, output)), output)
    return report.gate.exit_code

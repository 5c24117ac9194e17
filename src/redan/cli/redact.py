"""`redan redact`: a clean copy of a notebook."""

from __future__ import annotations

from pathlib import Path

import click

from redan.cli.output import emit


@click.command("redact")
@click.argument("notebook", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the copy to a file; stdout when left out.")
@click.option(
    "--outputs",
    type=click.Choice(["redact", "drop"]),
    default="redact",
    show_default=True,
    help="Replace what is found in outputs, or leave such outputs out.",
)
def command(notebook: Path, output: Path | None, outputs: str) -> int:
    """Write a copy of NOTEBOOK without secrets, and without personal data in its outputs. NOTEBOOK is not changed.

    \b
    redan redact train.ipynb -o clean.ipynb
    redan redact train.ipynb --outputs drop > clean.ipynb
    """
    import sys

    from redan.core.errors import Unreadable, UsageError
    from redan.kernels.notebooks.redaction import redacted
    from redan.kernels.text import read_text

    if output is not None and output.exists() and notebook.exists() and output.samefile(notebook):
        raise UsageError("the copy would replace the notebook", hint="give -o another name")
    found = read_text(notebook)
    if found is None:
        raise Unreadable(f"{str(notebook)!r} is no text, so no notebook")
    clean = redacted(found.text, drop_outputs=outputs == "drop")
    emit(clean.text.encode("utf-8", "surrogatepass"), output)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(clean.replaced.items())) or "nothing"
    also = f"; outputs left out: {clean.dropped}" if clean.dropped else ""
    sys.stderr.write(f"replaced: {told}{also}\n")
    return 0

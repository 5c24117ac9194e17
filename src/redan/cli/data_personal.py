"""`redan data personal`, `anonymise`, `pseudonymise` and `reveal`: what a table tells of people, and telling less."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from redan.cli.output import format_options, publish
from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.runner.personal_changes import Way

PATH = click.Path(path_type=Path)
OUTPUT = click.option("-o", "--output", type=PATH, required=True, help="Write to this file, in the same format.")
GATE = click.option(
    "--gate",
    type=click.Choice(["info", "low", "medium", "high", "critical"]),
    default="high",
    show_default=True,
    help="Severity that fails.",
)
KEY = click.option(
    "--key", "source", required=True, metavar="SOURCE", help="file:PATH, env:NAME, keyring:SERVICE/NAME …"
)
WAYS = click.option(
    "--column",
    "-c",
    "columns",
    multiple=True,
    required=True,
    metavar="NAME[=WAY]",
    help="Column and way: token (if not said), one-way, digits, lower, upper, alphanumeric; repeat.",
)
AS = click.option(
    "--as", "joined", multiple=True, metavar="NAME=KEY", help="Give a column the key of that name; repeat."
)


def judged(
    path: Path, probe: str, params: dict[str, Any], gate: str, words: list[str], form: str | None, output: Path | None
) -> int:
    """Run one probe over a file or folder, and publish its report."""
    from dataclasses import replace
    from datetime import UTC, datetime

    from redan.core.finding import Severity
    from redan.core.policy import Policy
    from redan.runner.plan import Choice
    from redan.runner.scan import scan

    policy = Policy(gate=Severity.of(gate), today=datetime.now(UTC).date())
    report = scan(path, choice=Choice(threats=("privacy",), probes=(probe,), params=params), policy=policy)
    command = shlex.join(["redan", "data", *words, "--gate", gate])
    return publish(replace(report, run=replace(report.run, command=command)), form, output)


@click.command("personal")
@click.argument("path", type=PATH)
@click.option(
    "--names", default="", metavar="PIPELINE", help="spaCy pipeline that is installed, to look for names too."
)
@click.option("--kinds", default="", metavar="A,B", help="Kinds to look for.  [default: all that tell of persons]")
@click.option("--least", type=click.Choice(["weak", "likely", "sure"]), default="likely", show_default=True)
@GATE
@format_options
def personal(
    path: Path, names: str, kinds: str, least: str, gate: str, form: str | None, output: Path | None, quiet: bool
) -> int:  # click passes flags by name
    """Look for personal data in PATH: tables by column and content, texts, metadata of pictures. Values are masked.

    Each kind and column is one finding with how many values and in what share of the rows.
    """
    params = {"pipeline": names, "kinds": kinds, "least": least}
    words = ["personal", str(path), "--least", least]
    words += ["--names", names] if names else []
    words += ["--kinds", kinds] if kinds else []
    return judged(path, "personal-training-data", params, gate, words, form, output)


@click.command("anonymise")
@click.argument("data", type=PATH)
@click.option("--drop", multiple=True, metavar="COLUMN", help="Leave out; repeat.")
@click.option("--mask", multiple=True, metavar="COLUMN", help="Keep the first sign and the length; repeat.")
@click.option(
    "--generalise", multiple=True, metavar="COLUMN", help="Ranges, months or years, frequent categories; repeat."
)
@click.option("--scrub", multiple=True, metavar="COLUMN", help="Free text: put kinds for identifiers; repeat.")
@click.option("--bins", type=click.IntRange(1, 1000), default=8, show_default=True, help="Ranges of a number.")
@click.option("--share", type=click.FloatRange(0, 1), default=0.02, show_default=True, help="Least of a category.")
@OUTPUT
def anonymise(data: Path, output: Path, **asked: Any) -> int:
    """Write DATA with columns left out, masked, generalised or scrubbed.

    \b
    redan data anonymise people.csv --drop name --generalise age --scrub notes -o less.csv
    """
    from redan.cli.output import emit
    from redan.evidence.datasets.rows import read_rows, written
    from redan.runner.personal_changes import Steps, anonymised

    rows = anonymised(read_rows(data), Steps(**asked))
    emit(written(rows), output)
    sys.stderr.write(f"{len(rows):,} rows, {len(rows.columns)} columns\n")
    return 0


@click.command("pseudonymise")
@click.argument("data", type=PATH)
@WAYS
@KEY
@AS
@OUTPUT
def pseudonymise(data: Path, columns: tuple[str, ...], source: str, joined: tuple[str, ...], output: Path) -> int:
    """Write DATA with columns replaced under a key: equal values have equal pseudonyms, and `reveal` turns them back.

    \b
    redan data pseudonymise people.csv -c name -c ssn=digits --key file:people.key -o safe.csv
    """
    return _keyed(data, columns, source, joined, output, back=False)


@click.command("reveal")
@click.argument("data", type=PATH)
@WAYS
@KEY
@AS
@OUTPUT
def reveal(data: Path, columns: tuple[str, ...], source: str, joined: tuple[str, ...], output: Path) -> int:
    """Write DATA as it was before `pseudonymise` with the same columns and key.

    \b
    redan data reveal safe.csv -c name -c ssn=digits --key file:people.key -o people.csv
    """
    return _keyed(data, columns, source, joined, output, back=True)


def _keyed(
    data: Path, columns: tuple[str, ...], source: str, joined: tuple[str, ...], output: Path, *, back: bool
) -> int:
    from redan.cli.output import emit
    from redan.evidence.datasets.rows import read_rows, written
    from redan.evidence.encryption.sources import make_key
    from redan.runner.personal_changes import pseudonymised, revealed, secret_of

    ways, keys = _ways(columns), dict(_pair(each) for each in joined)
    rows = read_rows(data)
    if not back and make_key(source, root=Path()):
        sys.stderr.write(f"made a new key: {source}; whoever has it can reveal, and without it nobody can\n")
    secret = secret_of(source, Path())
    changed = (revealed if back else pseudonymised)(rows, ways, secret, joined=keys)
    emit(written(changed), output)
    sys.stderr.write(f"{len(changed):,} rows, {len(ways)} columns {'revealed' if back else 'replaced'}\n")
    return 0


def _ways(columns: tuple[str, ...]) -> dict[str, Way]:
    from redan.core.errors import UnknownName
    from redan.runner.personal_changes import WAYS as KNOWN

    found: dict[str, Way] = {}
    for each in columns:
        name, sign, word = each.rpartition("=")
        way = next((known for known in KNOWN if known == (word if sign else "token")), None)
        if way is None:
            raise UnknownName.among("way", word, [*KNOWN])
        found[name if sign else word] = way
    return found


def _pair(text: str) -> tuple[str, str]:
    name, sign, key = text.partition("=")
    if not sign or not name or not key:
        raise UsageError(f"--as {text!r} is no NAME=KEY", hint="--as customer=person --as patient=person")
    return name, key

"""`redan data`: what a data set holds, whether it is still the same, whether rows fit it, whether it drifts."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redan.cli import data_anonymity, data_ask, data_fairness, data_personal
from redan.cli.data_synthetic import command as synthetic
from redan.cli.output import format_options, publish
from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.core.report import Report
    from redan.evidence.datasets.manifest import Card, Read
    from redan.evidence.datasets.verification import Change

Function = TypeVar("Function", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
FORM = click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
OUTPUT = click.option("-o", "--output", type=PATH, help="Write to a file.")


@click.group("data")
def command() -> None:
    """Data sets: signed manifests, Croissant, schemas, drift.

    \b
    redan data manifest train/ -o train.manifest.json --key signing.key
    redan data verify train.manifest.json --key signing.key.pub
    redan data schema train.csv -o schema.json
    redan data check new.csv --schema schema.json
    redan data drift train.csv new.csv
    redan data ask people.csv --count --epsilon 0.5 --ledger privacy.ledger
    redan data synthetic people.csv synthetic.csv --control kept-out.csv
    """


command.add_command(synthetic)


_CARD = (
    click.option("--name", default="", help="Name of the data set.  [default: that of the folder or file]"),
    click.option("--description", default="", help="What it holds."),
    click.option("--licence", "--license", default="", help="SPDX identifier or URL, such as CC-BY-4.0."),
    click.option("--card", "readme", type=PATH, help="README whose front matter names the licence."),
    click.option("--source", default="", help="URL it came from."),
    click.option("--creator", default="", help="Who made it."),
    click.option("--cite", default="", help="How to cite it."),
    click.option("--data-version", "version", default="", help="Version of the data, such as 1.0.0."),
    click.option("--published", default="", metavar="DATE", help="When it was published, such as 2026-05-01."),
    click.option("--rai", multiple=True, metavar="KEY=TEXT", help="Croissant RAI property, such as dataBiases=…"),
)


def _card_options(function: Function) -> Function:
    for option in reversed(_CARD):
        function = option(function)
    return function


@command.command("manifest")
@click.argument("data", type=PATH)
@OUTPUT
@click.option("--key", "-k", type=PATH, help="Private key to sign with; redan key new makes one.")
@click.option("--password-env", metavar="VAR", help="Environment variable with the key's password.")
@click.option("--digests-only", is_flag=True, help="Do not read tables for columns and ranges.")
@_card_options
def manifest(
    data: Path, output: Path | None, key: Path | None, password_env: str | None, digests_only: bool, **said: Any
) -> int:
    """Write every file of DATA with its digest, and what its tables hold, as a statement; signed with --key.

    The same data and words give the same manifest.
    """
    from redan.cli.key import password_from
    from redan.cli.output import emit
    from redan.evidence.datasets.manifest import measure, to_json
    from redan.evidence.keys import load_signer

    if key is not None and data.is_dir() and key.resolve().is_relative_to(data.resolve()):
        raise UsageError(f"the private key {str(key)!r} lies inside the data", hint="move it out of that folder")
    signer = None if key is None else load_signer(key, password=password_from(password_env))
    found = measure(data, card=_card(said), own=output, tables=not digests_only)
    emit(to_json(found, signer), output)
    n_bytes = sum(f.size_bytes for f in found.files)
    signed = f", signed by key {signer.key_id}" if signer else ", not signed"
    sys.stderr.write(f"{len(found.files):,} files with {n_bytes:,} bytes{signed}\n")
    return 0


def _card(said: dict[str, Any]) -> Card:
    from redan.evidence.datasets.manifest import Card

    pairs = [text.partition("=") for text in said.pop("rai")]
    if wrong := next((key for key, sign, _ in pairs if not sign or not key.isalnum()), None):
        raise UsageError(f"--rai {wrong!r} is no KEY=TEXT", hint="--rai dataBiases='mostly daylight'")
    readme = said.pop("readme")
    if readme is not None:
        said["licence"] = said["licence"] or _licence(readme)
    return Card(**said, responsible={key: text for key, _, text in pairs})


def _licence(readme: Path) -> str:
    from redan.core.errors import Unreadable
    from redan.kernels.cards.documents import LARGEST_BYTES, read_card

    try:
        with readme.open("rb") as file:
            text = file.read(LARGEST_BYTES).decode(errors="replace")
    except OSError as err:
        raise Unreadable(f"cannot read the card {str(readme)!r}: {err.strerror}") from err
    licence = read_card(text).licence
    if not licence:
        raise Unreadable(f"the front matter of {str(readme)!r} names no licence", hint="state it: --licence CC-BY-4.0")
    return licence


@command.command("verify")
@click.argument("manifest", type=PATH)
@click.argument("data", type=PATH, required=False)
@click.option("--key", "-k", "keys", type=PATH, multiple=True, help="Public key that counts; may be repeated.")
@FORM
@OUTPUT
def verify(manifest: Path, data: Path | None, keys: tuple[Path, ...], form: str, output: Path | None) -> int:
    """Compare DATA (by default what lies beside MANIFEST) with its manifest, and check the signature.

    Exit code 0 when nothing differs, 1 when a file was changed, added, removed or renamed or the signature is refused,
    3 when the manifest is signed and no key was given to check it with.
    """
    from redan.cli.output import emit
    from redan.evidence.datasets.manifest import read
    from redan.evidence.datasets.verification import differences, place_of

    found = read(manifest)
    signer, decided = _signature(found, keys)
    root = data or place_of(found.manifest, manifest)
    changes = differences(found.manifest, root)
    emit(_told(found, changes, signer, form), output)
    if changes:
        return 1
    return 0 if decided else 3


def _signature(found: Read, keys: tuple[Path, ...]) -> tuple[str, bool]:
    from redan.evidence.keys import load_verifier

    if keys:
        return f"signed by key {found.signed_by([load_verifier(k) for k in keys]).key_id}", True
    if found.envelope is None:
        return "not signed: whoever changes the data can change the manifest too", True
    return "signed, and nobody checked by whom: give --key", False


def _told(found: Read, changes: tuple[Change, ...], signer: str, form: str) -> bytes:
    if form == "json":
        document = {
            "schema": "redan/data-verification/1",
            "digest": found.manifest.digest,
            "signature": signer,
            "changes": [{"kind": c.kind, "path": c.path, "sentence": c.sentence} for c in changes],
        }
        return json.dumps(document, indent=1).encode() + b"\n"
    from redan.reports.visible import visible

    n_files = len(found.manifest.files)
    verdict = f"{len(changes)} differences" if changes else f"{n_files:,} files as the manifest says"
    if len(changes) == 1:
        verdict = "1 difference"
    lines = [f"{visible(found.manifest.root)}: {verdict}", signer, *(f"  {visible(c.sentence)}" for c in changes)]
    return ("\n".join(lines) + "\n").encode(errors="backslashreplace")


@command.command("schema")
@click.argument("data", type=PATH)
@OUTPUT
@click.option(
    "--margin",
    "margin_percent",
    type=click.FloatRange(min=0),
    default=10,
    show_default=True,
    metavar="PERCENT",
    help="How much wider than what was seen ranges are, as a share of their width.",
)
@click.option("--label", default="", metavar="COLUMN", help="Column with the classes: a model's inputs have none.")
@click.option("--words", multiple=True, metavar="COLUMN", help="Column of a text table that holds text; repeat.")
def schema(data: Path, output: Path | None, margin_percent: float, label: str, words: tuple[str, ...]) -> int:
    """Infer from DATA what rows must look like: kinds, ranges, categories, missing cells, one-hot groups, arrays."""
    from redan.cli.output import emit
    from redan.evidence.datasets import schema as schemas
    from redan.evidence.datasets.reading import read_table

    table = read_table(data, words=frozenset(words))
    named = [*words, label] if label else words
    if unknown := next((name for name in named if table.column(name) is None), None):
        from redan.core.errors import UnknownName

        raise UnknownName.among(f"column in {data.name}", unknown, [c.name for c in table.columns])
    inputs = tuple(column for column in table.columns if column.name != label)
    arrays = tuple(array for array in table.arrays if array.name != label)
    found = schemas.infer(replace(table, columns=inputs, arrays=arrays), margin_fraction=margin_percent / 100)
    emit(schemas.to_json(found), output)
    sys.stderr.write(f"{len(found.rules)} columns from {found.rows:,} rows, ranges {margin_percent:g} % wider\n")
    return 0


GATE = click.option(
    "--gate",
    type=click.Choice(["info", "low", "medium", "high", "critical"]),
    default="high",
    show_default=True,
    help="Severity that fails.",
)


@command.command("check")
@click.argument("data", type=PATH)
@click.option("--schema", "schema_file", type=PATH, required=True, help="What redan data schema wrote.")
@GATE
@format_options
def check(data: Path, schema_file: Path, gate: str, form: str | None, output: Path | None, quiet: bool) -> int:
    """Check every row of DATA against a schema; each reason with its rows, their count and share.

    Exit code 1 when a row does not fit.
    """
    command = ["data", "check", str(data), "--schema", str(schema_file)]
    return publish(_report(data, "data-schema", {"schema": str(schema_file)}, gate, command), form, output)


@command.command("drift")
@click.argument("reference", type=PATH)
@click.argument("current", type=PATH)
@click.option("--label", default="", metavar="COLUMN", help="Column with the classes, whose shares are compared.")
@click.option("--words", multiple=True, metavar="COLUMN", help="Column of a text table that holds text; repeat.")
@GATE
@format_options
def drift(
    reference: Path,
    current: Path,
    label: str,
    words: tuple[str, ...],
    gate: str,
    form: str | None,
    output: Path | None,
    quiet: bool,
) -> int:  # click passes flags by name
    """Measure how far CURRENT lies from REFERENCE: each column's effect, and a classifier over all of them.

    Large drift is of high severity, medium of medium, small of low; what may be chance is none.
    """
    command = ["data", "drift", str(reference), str(current), *(["--label", label] if label else [])]
    params = {"reference": str(reference), "label": label, "words": ",".join(words)}
    return publish(_report(current, "drift", params, gate, [*command, *_repeated("--words", words)]), form, output)


def _repeated(flag: str, words: tuple[str, ...]) -> list[str]:
    return [part for word in words for part in (flag, word)]


def _report(data: Path, probe: str, params: dict[str, str], gate: str, command: list[str]) -> Report:
    from dataclasses import replace
    from datetime import UTC, datetime

    from redan.core.finding import Severity
    from redan.core.policy import Policy
    from redan.runner.plan import SCANNING, Choice
    from redan.runner.scan import scan

    policy = Policy(gate=Severity.of(gate), today=datetime.now(UTC).date())
    choice = Choice(threats=(SCANNING,), probes=(probe,), params=params)
    report = scan(data, choice=choice, digest_all=True, policy=policy)
    return replace(report, run=replace(report.run, command=shlex.join(["redan", *command])))


@command.command("croissant")
@click.argument("manifest", type=PATH)
@click.option("--url", default="", help="Where the data can be downloaded; its files lie below.")
@OUTPUT
def croissant(manifest: Path, url: str, output: Path | None) -> int:
    """Write the data set of MANIFEST as Croissant 1.1, the JSON-LD that data portals and loaders read.

    Exit code 3 when something that Croissant asks for is missing; stderr says what.
    """
    from redan.cli.output import emit
    from redan.evidence.datasets import croissant as exporting
    from redan.evidence.datasets.manifest import read

    found = read(manifest).manifest
    emit(exporting.to_json(found, url=url), output)
    lacking = exporting.lacking(found, url=url)
    for each in lacking:
        sys.stderr.write(f"Croissant asks for {each}\n")
    return 3 if lacking else 0


command.add_command(data_fairness.command)
command.add_command(data_ask.allow)
command.add_command(data_ask.ask)
command.add_command(data_personal.personal)
command.add_command(data_personal.anonymise)
command.add_command(data_personal.pseudonymise)
command.add_command(data_personal.reveal)
command.add_command(data_anonymity.anonymity)
command.add_command(data_anonymity.minimise)

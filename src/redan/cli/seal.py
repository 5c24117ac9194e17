"""`redan seal`: signed statements about a model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.evidence.log.writing import Log

PATH = click.Path(path_type=Path)


@click.command("seal")
@click.argument("reports", nargs=-1, metavar="[RUN|REPORT]...")
@click.option("--model", "-m", type=PATH, required=True, help="File or folder that the reports are about.")
@click.option("--key", "-k", type=PATH, required=True, help="Private key in PEM; redan key new makes one.")
@click.option("--password-env", metavar="VAR", help="Environment variable with the key's password.")
@click.option("--bom", type=PATH, help="Bill of materials, CycloneDX in JSON.")
@click.option("--approve", default="", metavar="'WHO: WHY'", help="Say who approves the model, and why.")
@click.option("--revoke", default="", metavar="WHY", help="Take the model back; this is final.")
@click.option("--log", type=PATH, help="Transparency log that records each statement first.")
@click.option("--log-key", type=PATH, help="Private key of that log.")
@click.option("-o", "--output", type=PATH, help="Bundle to add to.  [default: MODEL.intoto.jsonl]")
def command(
    reports: tuple[str, ...],
    model: Path,
    key: Path,
    password_env: str | None,
    bom: Path | None,
    approve: str,
    revoke: str,
    log: Path | None,
    log_key: Path | None,
    output: Path | None,
) -> int:  # click passes flags by name
    """Sign what reports say about a model, one statement a threat, for `redan verify` and the gateway.

    A RUN is a run's folder or `latest`. Nothing is sealed if a report is about other bytes than MODEL has.

    \b
    redan scan net.pt --format json -o scan.json
    redan seal scan.json --model net.pt --key signing.key
    redan seal --model net.pt --key lead.key --approve "Ada: read the report"
    """
    from redan.cli.key import password_from
    from redan.cli.runs import find_run
    from redan.evidence.keys import load_signer
    from redan.reports.visible import visible
    from redan.runner.seal import seal

    signer = load_signer(key, password=password_from(password_env))
    with _opened(log, log_key) as recording:
        done = seal(
            model,
            *(find_run(each) for each in reports),
            key=signer,
            bom=bom,
            approve=approve,
            revoke=revoke,
            output=output,
            log=recording,
        )
    algorithm, digest = next(iter(done.model.digest.items()))
    sys.stdout.write(f"{visible(done.model.name)}  {algorithm} {digest}\n")
    for sentence in done.sentences:
        sys.stdout.write(f"  sealed  {visible(sentence)}\n")
    for sentence in done.left_out:
        sys.stderr.write(f"left out: {visible(sentence)}\n")
    sys.stderr.write(f"key {done.key_id}\nwrote {done.path}\n")
    if not revoke:
        sys.stderr.write(f"next: redan verify {model}, or redan serve --check\n")
    if done.indices:
        sys.stderr.write(f"recorded as {', '.join(map(str, done.indices))} in {log}\n")
    return 0


@contextmanager
def _opened(folder: Path | None, key: Path | None) -> Iterator[Log | None]:
    """Open a log for the time of sealing.

    Raises:
        UsageError: a log without its key, or a key without a log.
    """
    if folder is None and key is None:
        yield None
        return
    if folder is None or key is None:
        raise UsageError("--log and --log-key belong together", hint="redan log init FOLDER --origin NAME -k KEY")
    from redan.evidence.keys import load_signer
    from redan.evidence.log import open_log

    with open_log(folder, load_signer(key)) as log:
        yield log

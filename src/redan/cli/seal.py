"""`redan seal`: signed statements about a model."""

from __future__ import annotations

import sys
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command("seal")
@click.argument("reports", nargs=-1, metavar="[RUN|REPORT]...")
@click.option("--model", "-m", type=PATH, required=True, help="File or folder that the reports are about.")
@click.option("--key", "-k", type=PATH, required=True, help="Private key in PEM; redan key new makes one.")
@click.option("--password-env", metavar="VAR", help="Environment variable with the key's password.")
@click.option("--bom", type=PATH, help="Bill of materials, CycloneDX in JSON.")
@click.option("--approve", default="", metavar="'WHO: WHY'", help="Say who approves the model, and why.")
@click.option("--revoke", default="", metavar="WHY", help="Take the model back; this is final.")
@click.option("-o", "--output", type=PATH, help="Bundle to add to.  [default: MODEL.intoto.jsonl]")
def command(
    reports: tuple[str, ...],
    model: Path,
    key: Path,
    password_env: str | None,
    bom: Path | None,
    approve: str,
    revoke: str,
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
    done = seal(
        model,
        *(find_run(each) for each in reports),
        key=signer,
        bom=bom,
        approve=approve,
        revoke=revoke,
        output=output,
    )
    algorithm, digest = next(iter(done.model.digest.items()))
    sys.stdout.write(f"{visible(done.model.name)}  {algorithm} {digest}\n")
    for sentence in done.sentences:
        sys.stdout.write(f"  sealed  {visible(sentence)}\n")
    for sentence in done.left_out:
        sys.stderr.write(f"left out: {visible(sentence)}\n")
    sys.stderr.write(f"key {done.key_id}\nwrote {done.path}\n")
    return 0

"""`redan verify`: whether a model may be used, by its statements, its signature and a policy."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.evidence.statements.decision import Decision, Failure

PATH = click.Path(path_type=Path)


@click.command("verify")
@click.argument("model", type=PATH)
@click.option("--statements", "-s", type=PATH, multiple=True, help="Bundle; repeat.  [default: MODEL.intoto.jsonl]")
@click.option("--key", "-k", "keys", type=PATH, multiple=True, help="Public key that counts; may be repeated.")
@click.option("--authority", "authorities", type=PATH, multiple=True, help="Certificate to trust; may be repeated.")
@click.option("--identity", default="", help="Name that the signer's certificate must carry.")
@click.option("--signature", type=PATH, help="The model's own signature.  [default: as redan sign names it]")
@click.option("--cache", type=PATH, help="Folder with digests of earlier calls: unchanged files are not read again.")
@click.option("--policy", type=PATH, help="The redan.toml whose [admission] decides.  [default: the nearest]")
@click.option("--at", metavar="TIME", help="Judge as of this time, UTC, such as 2026-05-01.  [default: now]")
@click.option("-f", "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("-o", "--output", type=PATH, help="Write to a file.")
def command(
    model: Path,
    statements: tuple[Path, ...],
    keys: tuple[Path, ...],
    authorities: tuple[Path, ...],
    identity: str,
    signature: Path | None,
    cache: Path | None,
    policy: Path | None,
    at: str | None,
    form: str,
    output: Path | None,
) -> int:  # click passes flags by name
    """Decide whether MODEL may be used: who signed it, what they state about it, and whether that is enough.

    Exit code 0 when it is admitted (or, without a policy, when known keys made statements and none speaks against
    it), 1 when it is refused, 3 when nothing could be decided.

    \b
    redan verify net.pt --key signing.key.pub
    redan verify net.pt --policy redan.toml --format json
    """
    from redan.cli.output import emit, width
    from redan.runner.verify import verify

    found = verify(
        model,
        statements=statements,
        keys=keys,
        authorities=authorities,
        identity=identity,
        signature=signature,
        cache=cache,
        policy=policy,
        at=None if at is None else _moment(at),
    )
    emit(found.to_json() if form == "json" else text(found, width=width()).encode(errors="backslashreplace"), output)
    return found.exit_code


def _moment(words: str) -> datetime:
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise UsageError(f"{words!r} is no time", hint="write 2026-05-01 or 2026-05-01T12:00:00+02:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_MEANINGS = {
    "admitted": "all that the policy asks for is there",
    "verified": "known keys state nothing against it; no policy says what is required",
    "refused": "it must not be used",
    "undecided": "no policy, and nothing to judge by",
}


def text(decision: Decision, *, width: int) -> str:
    """Lay a decision out for a terminal of a width in columns."""
    from redan.reports.visible import visible

    algorithm, digest = next(iter(decision.model.digest.items()))
    lines = [
        f"{decision.verdict.upper()}  {visible(decision.model.name)}: {_MEANINGS[decision.verdict]}",
        f"  {algorithm} {digest}",
    ]
    for failure in decision.failures:
        lines += ["", *_failure(failure, width)]
    if decision.met:
        lines += ["", *(_wrapped("met", sentence, width) for sentence in decision.met)]
    if decision.notes:
        lines += ["", *(_wrapped("note", sentence, width) for sentence in decision.notes)]
    return "\n".join(lines) + "\n"


def _failure(failure: Failure, width: int) -> Iterator[str]:
    yield _wrapped("not met", failure.requirement, width)
    for word in ("expected", "found", "fix"):
        yield _wrapped(word, getattr(failure, word), width)


def _wrapped(word: str, sentence: str, width: int) -> str:
    from redan.reports.visible import visible

    lines = [part for line in sentence.split("\n") for part in textwrap.wrap(visible(line), width - 12) or [""]]
    return f"  {word:<8}  " + ("\n" + " " * 12).join(lines)

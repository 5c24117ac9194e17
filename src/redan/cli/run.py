"""`redan run`: a training or conversion command in the sandbox, with a statement of what went in and came out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.runner.execute import Executed

PATH = click.Path(path_type=Path)
_SHOWN = 12


@click.command("run", context_settings={"ignore_unknown_options": True})
@click.option("--write", type=PATH, multiple=True, help="Output folder; made when missing.")
@click.option("--read", type=PATH, multiple=True, help="Input file or folder; it is digested.")
@click.option("--data", type=PATH, multiple=True, help="Manifest of the data; read, and named in the statement.")
@click.option("--code", type=PATH, help="Folder of the code in git; read, and known by commit and changes.")
@click.option("--exec", "execute", type=PATH, multiple=True, help="Program that the command may start.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="For the statement and the command.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="For the statement and the command.")
@click.option("--env", "environment", multiple=True, metavar="NAME", help="Variable to hand over.")
@click.option("--gpu", is_flag=True, help="Allow the devices of accelerators.")
@click.option("--workers", is_flag=True, help="Allow worker processes shared memory and Unix sockets.")
@click.option("--network", type=click.Choice(("none", "loopback")), default="none", help="loopback: one of its own.")
@click.option("--memory-bytes", type=click.IntRange(min=1), help="Most memory of a process.  [default: 64 GiB]")
@click.option("--cpu-s", type=click.IntRange(min=1), help="Most CPU seconds of a process.  [default: a day]")
@click.option("--key", "-k", type=PATH, help="Private key that signs the statement.")
@click.option("--password-env", metavar="VAR", help="Environment variable with the key's password.")
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
def command(
    write: tuple[Path, ...],
    read: tuple[Path, ...],
    data: tuple[Path, ...],
    code: Path | None,
    execute: tuple[Path, ...],
    params: tuple[str, ...],
    seed: int | None,
    environment: tuple[str, ...],
    gpu: bool,
    workers: bool,
    network: str,
    memory_bytes: int | None,
    cpu_s: int | None,
    key: Path | None,
    password_env: str | None,
    words: tuple[str, ...],
) -> int:  # click passes flags by name
    """Run COMMAND without network; it reads what is declared and writes below --write only.

    What it asked for and had not declared is listed. What it wrote gets a provenance statement, signed with --key. Ends
    as COMMAND does.

    \b
    redan run --write out --read data.csv -- python train.py
    redan run --write out --code . --seed 7 --key signing.key -- python train.py
    """
    from redan.runner.enclosing import Allowed
    from redan.runner.execute import Wanted
    from redan.runner.execute import execute as execute_command
    from redan.subjects.sandbox.command import Limits

    usual = Limits()
    wanted = Wanted(
        argv=words,
        allowed=Allowed(
            read=read, write=write, execute=execute, gpu=gpu, workers=workers, loopback=network == "loopback"
        ),
        data=data,
        code=code,
        parameters=_pairs(params),
        seed=seed,
        environment=environment,
        limits=Limits(memory_bytes=memory_bytes or usual.memory_bytes, cpu_s=cpu_s or usual.cpu_s),
    )
    signer = None
    if key is not None:
        from redan.cli.key import password_from
        from redan.evidence.keys import load_signer

        signer = load_signer(key, password=password_from(password_env))
    sys.stdout.flush()
    done = execute_command(wanted, key=signer)
    _tell(done)
    return done.code


def _pairs(params: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in params:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--param {text!r} is no NAME=VALUE", hint="--param epochs=3")
        found[name] = value
    return found


def _tell(done: Executed) -> None:
    """Words about the run; stdout belongs to the command."""
    from redan.reports.visible import visible

    lines = [f"{f.severity.word}: {f.title}" for f in done.findings[:_SHOWN]]
    if len(done.findings) > _SHOWN:
        lines.append(f"and {len(done.findings) - _SHOWN} more that were not declared")
    lines += [f"output {name}  sha256 {digest}" for name, digest in list(done.outputs.items())[:_SHOWN]]
    lines += [f"note: {note}" for note in done.notes]
    lines += [f"wrote {path}" for path in done.statements]
    sys.stderr.write("".join(f"{visible(line)}\n" for line in lines))

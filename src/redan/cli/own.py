"""`redan own`: whose model, or whose text, is it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redan.cli.output import format_options, publish
from redan.cli.settings import configure, measure_options

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.core.report import Report
    from redan.runner.run import Session

Function = TypeVar("Function", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
KEY = click.option("--key", "-k", required=True, metavar="FILE|env:NAME", help="The owner's secret.")
_STRANGERS = (
    click.option("--independent", type=click.IntRange(min=0), default=20, show_default=True, help="Models to train."),
    click.option(
        "--independent-model",
        "files",
        multiple=True,
        metavar="FILE",
        help="A model trained independently, or weights for TARGET's factory; may be repeated.",
    ),
)
_ASKED = ("threats", "probes", "norm", "eps", "canary", "reference", "sensitive", "aside", "baseline")
"""Flags of measuring that say nothing here."""


def _strangers(function: Function) -> Function:
    for option in reversed(_STRANGERS):
        function = option(function)
    return function


@click.group("own")
def command() -> None:
    """Prove whose model it is: marks, fingerprints, claims; and marks in generated text.

    \b
    redan own key owner.key
    redan own mark model.py:net --key owner.key --train train.npz --data test.npz --save marked.pt
    redan own claim marked.pt.own.json suspect.py:net --key owner.key
    """


@command.command("key")
@click.argument("file", type=PATH)
def key_command(file: Path) -> int:
    """Write a new secret of 32 random bytes to FILE, which only you may read.

    \b
    redan own key owner.key
    """
    from redan.evidence.ownership import make_key

    make_key(file)
    sys.stderr.write(f"wrote {file}: keep it secret, and keep a copy; without it nothing can be claimed\n")
    return 0


@command.command("mark")
@click.argument("target")
@KEY
@click.option(
    "--method",
    type=click.Choice(["weights", "triggers", "both"]),
    default="both",
    show_default=True,
    help="What to put in.",
)
@click.option("--save", type=PATH, required=True, help="Write the marked weights: .safetensors or .pt.")
@_strangers
@measure_options
@format_options
def mark(
    target: str,
    key: str,
    method: Any,
    save: Path,
    independent: int,
    files: tuple[str, ...],
    **flags: Any,
) -> int:
    """Fine-tune TARGET until it carries your secret, and write SAVE and SAVE.own.json.

    Accuracy, latency and training time stand in the report, before and after. Independent models are trained beside
    it, since a p-value rests on at least 20 of them.

    \b
    redan own mark model.py:net --key owner.key --train train.npz --data test.npz --save marked.pt
    """
    return _own(target, key, method, save.with_name(f"{save.name}.own.json"), save, (independent, files), flags)


@command.command("fingerprint")
@click.argument("target")
@KEY
@click.option("--save", "place", type=PATH, required=True, help="Ownership file to write; its points go beside it.")
@_strangers
@measure_options
@format_options
def fingerprint(target: str, key: str, place: Path, independent: int, files: tuple[str, ...], **flags: Any) -> int:
    """Read a fingerprint from TARGET, which stays as it is: inputs on which it gives secret answers.

    \b
    redan own fingerprint model.py:net --key owner.key --train train.npz --data test.npz --save net.own.json
    """
    return _own(target, key, "fingerprint", place, None, (independent, files), flags)


@command.command("claim")
@click.argument("ownership", type=PATH)
@click.argument("suspect")
@KEY
@measure_options
@format_options
def claim(ownership: Path, suspect: str, key: str, **flags: Any) -> int:
    """Say whether SUSPECT was made from the model of OWNERSHIP. Exit code 1 below p = 1e-6, 3 below 1e-3, else 0.

    \b
    redan own claim marked.pt.own.json suspect.py:net --key owner.key
    redan own claim net.own.json https://other.example/predict --key owner.key
    """
    from redan.runner.own_claim import claim as claimed

    settings, shown = _settings(suspect, flags)
    return _publish(settings, lambda session: claimed(settings, session, place=ownership, key=key), shown)


@command.command("text")
@click.argument("file", type=PATH)
@KEY
@click.option("--tokenizer", type=PATH, required=True, help="Folder of the generating model's tokenizer.")
@click.option("--share", type=float, default=0.25, show_default=True, help="Share of green tokens, as at generation.")
@click.option("--context", type=click.IntRange(min=1), default=1, show_default=True, help="Tokens of context.")
@format_options
def text(
    file: Path,
    key: str,
    tokenizer: Path,
    share: float,
    context: int,
    form: str | None,
    output: Path | None,
    quiet: bool,  # click passes flags by name
) -> int:
    """Say whether the text in FILE was generated with your mark. Exit code 1 below p = 1e-6, 3 below 1e-3, else 0.

    \b
    redan own text answer.txt --key owner.key --tokenizer model/
    """
    from redan.runner.check import session_of
    from redan.runner.own_text import text as read

    settings = configure({}, file=None, need_file=False)
    session = session_of(settings, command=_typed())
    report = read(file, session, key=key, tokenizer=tokenizer, share=share, context=context)
    return publish(report, form, output)


def _own(
    target: str,
    key: str,
    method: Any,
    place: Path,
    save: Path | None,
    strangers: tuple[int, tuple[str, ...]],
    flags: dict[str, Any],
) -> int:
    settings, shown = _settings(target, flags)
    from redan.runner.own import Order, own
    from redan.runner.own_independent import Strangers

    train, files = strangers
    # files are relative to where the user is
    wanted = Strangers(train=train, files=tuple(str(Path(f).resolve()) if Path(f).exists() else f for f in files))
    order = Order(method=method, key=key, place=place, save=save, strangers=wanted)
    told: list[str] = []

    def work(session: Session) -> Report:
        report, advice = own(settings, order, session, target=target)
        told.append(advice)
        return report

    code = _publish(settings, work, shown)
    for path in filter(None, (save, place)):
        sys.stderr.write(f"wrote {path}\n")
    sys.stderr.write(f"next: redan log append LOG {place} --key LOG.key, then redan own claim {place} SUSPECT\n")
    if told[0]:
        sys.stderr.write(f"to use it: {told[0]}\n")
    return code


def _settings(target: str, flags: dict[str, Any]) -> tuple[Config, dict[str, Any]]:
    """Split what says how to show from what says what to measure."""
    shown = {name: flags.pop(name) for name in ("form", "output", "quiet")}
    file = flags.pop("config")
    return configure({"target": target, **flags}, file=file, need_file=False), shown


def _publish(settings: Config, work: Callable[[Session], Report], shown: dict[str, Any]) -> int:
    from redan.cli.measuring import measured

    report, written = measured(settings, _typed(), work, quick=False, quiet=shown["quiet"])
    code = publish(report, shown["form"], shown["output"])
    for path in written:
        sys.stderr.write(f"wrote {path}\n")
    return code


def _typed() -> str:
    return shlex.join(["redan", *sys.argv[1:]])


for _each in (mark, fingerprint, claim):
    _each.params = [each for each in _each.params if each.name not in _ASKED]

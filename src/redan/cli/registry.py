"""`redan registry`: models between being made and being served, each step signed."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from contextlib import closing
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redan.cli.columns import print_columns
from redan.core import config as configuration
from redan.core.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.service.registry.history import History
    from redan.service.registry.opening import Registry
    from redan.service.registry.pushing import Person
    from redan.service.registry.update import Agreement

Function = TypeVar("Function", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
WHY = click.option("--why", default="", help="Reason, for the record.")
REFERENCE = click.argument("reference", metavar="NAME[@VERSION]")


@click.group("registry")
def command() -> None:
    """Keep versions of models with their statements, encrypted, and sign every step of their lives.

    Where it lies, and which keys encrypt and sign, is said by `[registry]` in redan.toml.

    \b
    redan key new registry.key
    redan registry init
    redan registry push model.onnx fraud@3
    redan registry promote fraud@3 --why "better recall"
    redan registry rollback fraud --why "false alarms"
    """


def _configured(function: Function) -> Function:
    """Add ``--config``, and give the settings in force instead of it."""

    def wrapped(*, config: Path | None, **rest: Any) -> int:
        found = config or configuration.find(Path.cwd())
        read = configuration.load(file=found, root=Path.cwd(), environ=os.environ)
        code: int = function(config=read, **rest)
        return code

    made: Callable[..., int] = update_wrapper(wrapped, function)
    return click.option("--config", type=PATH, help="A redan.toml other than the nearest.")(made)  # type: ignore[return-value]  # click calls it by its flags


def _opened(config: Config) -> closing[Registry]:
    from redan.service.registry.opening import open_registry

    return closing(open_registry(config.settings.registry, config.root, record=_recorder(config)))


def _recorder(config: Config) -> Callable[[Any], None]:
    from functools import partial

    from redan.service.audit.recorder import record_once

    return partial(record_once, config.settings, config.root)


def _person(why: str) -> Person:
    from redan.service.registry.pushing import Person

    return Person(who=f"user:{getpass.getuser()}", why=why)


def _said(found: History) -> int:
    last = found.transitions[-1]
    transition = last.transition
    sys.stderr.write(f"{transition.act}: {transition.name}@{transition.version}, transition {last.sha256[:16]}…\n")
    sys.stdout.write(f"{transition.name}@{transition.version}\n")
    return 0


@command.command("init")
@_configured
def init(config: Config) -> int:
    """Make an empty registry; keys of encryption that are not there are made."""
    from redan.service.registry.opening import create_registry

    given = config.settings.registry
    with closing(create_registry(given, config.root, record=_recorder(config))) as registry:
        encrypted = registry.store.encrypted
    words = "encrypted" if encrypted else 'NOT encrypted: write keys = ["file:registry.kek"] under [registry] first'
    sys.stderr.write(f"made a registry in {given.store}, {words}\n")
    return 0


@command.command("push")
@click.argument("model", type=PATH)
@click.argument("reference", metavar="NAME@VERSION")
@click.option("--statements", type=PATH, help="Bundle of statements; the one beside the model else.")
@click.option("--data", type=PATH, help="Manifest of the training data (redan data manifest).")
@click.option("--with-config", is_flag=True, help="Keep the redan.toml in force with it.")
@WHY
@_configured
def push(
    config: Config,
    model: Path,
    reference: str,
    statements: Path | None,
    data: Path | None,
    with_config: bool,
    why: str,
) -> int:
    """Keep MODEL, with what was stated about it, as a new version; nothing is served by that."""
    from redan.service.registry.pulling import split
    from redan.service.registry.pushing import push as keep

    if "@" not in reference:
        raise UsageError(f"{reference!r} names no version", hint=f"write {reference}@1")
    name, version = split(reference)
    with _opened(config) as registry:
        found = keep(
            registry,
            model,
            name=name,
            version=version,
            by=_person(why),
            statements=statements,
            data=data,
            config=config.file if with_config else None,
        )
    return _said(found)


@command.command("pull")
@REFERENCE
@click.argument("folder", type=PATH)
@_configured
def pull(config: Config, reference: str, folder: Path) -> int:
    """Write a version into the new FOLDER: the live one, latest, or the one that is named."""
    from redan.service.registry.pulling import pull as take
    from redan.service.registry.pulling import split

    with _opened(config) as registry:
        model = take(registry, *split(reference), folder)
    sys.stdout.write(f"{model}\n")
    return 0


@command.command("list")
@click.argument("name", required=False)
@click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_configured
def listing(config: Config, name: str | None, form: str) -> int:
    """List models and versions; with NAME every transition of one, verified."""
    from redan.core.codec import encode
    from redan.service.registry.listing import transitions, versions

    with _opened(config) as registry:
        histories = registry.histories()
    if name is not None and name not in histories:
        raise UnknownName.among("model in the registry", name, list(histories))
    rows = transitions(histories[name]) if name is not None else versions(histories)
    print_columns([encode(row) for row in rows], form, nothing="the registry holds no models")
    return 0


def _moving(name: str, words: str) -> None:
    @command.command(name, help=words)
    @REFERENCE
    @WHY
    @_configured
    def moved(config: Config, reference: str, why: str) -> int:
        from redan.evidence.statements.policy import policy_of
        from redan.service.registry.moving import move
        from redan.service.registry.pulling import split

        chosen, version = split(reference if "@" in reference else f"{reference}@latest")
        policy = policy_of(config.settings.admission, config.root) if config.settings.admission.require else None
        act: Any = name
        with _opened(config) as registry:
            return _said(move(registry, chosen, version, act, by=_person(why), policy=policy))


_moving("canary", "Let a version answer a share of clients, if its statements meet [admission].")
_moving("promote", "Make a version live, if its statements meet [admission]; the one before stands by.")


@command.command("rollback")
@click.argument("name")
@WHY
@_configured
def rollback(config: Config, name: str, why: str) -> int:
    """Make the version live again that was live before."""
    from redan.service.registry.moving import roll_back

    with _opened(config) as registry:
        return _said(roll_back(registry, name, by=_person(why)))


@command.command("verify")
@_configured
def verify(config: Config) -> int:
    """Check every chain of transitions, every signature and every byte, and that nothing is missing.

    Missing is what an audit log on this machine names and the registry lacks: rows were deleted, or an older backup was
    restored.
    """
    from redan.evidence.store.verifying import Tally, damages
    from redan.service.audit.places import log_folders
    from redan.service.registry.logged import missing

    tally = Tally()
    logs = log_folders(config.settings, config.root)
    with _opened(config) as registry:
        histories = registry.histories()
        found = list(damages(registry.store, tally))
        gone = missing(registry, logs)
    n = sum(len(each.transitions) for each in histories.values())
    sys.stderr.write(f"{len(histories)} models, {n} transitions: every signature and link holds\n")
    sys.stderr.write(f"{tally.n_opened} of {tally.n_blobs} objects read to their end\n")
    sys.stderr.write(f"held against {len(logs)} audit logs\n")
    for line in [*(f"{damage.what}: {damage.why}" for damage in found), *gone]:
        sys.stdout.write(f"{line}\n")
    return 1 if found or gone else 0


@command.command("prune")
@WHY
@_configured
def prune(config: Config, why: str) -> int:
    """Retire versions beyond [registry] keep_versions and remove their bytes; the signed record of them stays."""
    from redan.service.registry.retention import prune as remove

    with _opened(config) as registry:
        gone = remove(registry, config.settings.registry.keep_versions, by=_person(why or "retention"))
    sys.stderr.write(f"{len(gone.versions)} versions retired, {gone.n_blobs} objects removed\n")
    sys.stdout.write("".join(f"{name}\n" for name in gone.versions))
    return 0


@command.command("backup")
@click.argument("file", type=PATH)
@_configured
def backup(config: Config, file: Path) -> int:
    """Write the whole registry to FILE, encrypted as it is, and print its SHA-256: keep that elsewhere."""
    import time

    from redan.evidence.backup import backup as write
    from redan.service.audit.act import Act

    with _opened(config) as registry, registry.exclusive():
        made = write(registry.store, file)
        act = "registry.backup"
        registry.record(Act(t_us=time.time_ns() // 1000, who=_person("").who, act=act, x=made.sha256))
    sys.stderr.write(f"{len(made.manifest.members)} members, {made.size_bytes} bytes\n")
    sys.stdout.write(f"{made.sha256}\n")
    return 0


@command.command("restore")
@click.argument("file", type=PATH)
@click.option("--sha256", "digest", help="What `redan registry backup` printed; anything else is refused.")
@WHY
@_configured
def restore(config: Config, file: Path, digest: str | None, why: str) -> int:
    """Make the registry of a backup again, where there is none, and verify every chain in it.

    What was done after the backup was written is not in it: `redan registry verify` names it.
    """
    from redan.service.audit.places import log_folders
    from redan.service.registry.logged import missing
    from redan.service.registry.restoring import restore as read

    histories = read(config.settings.registry, config.root, file, digest, by=_person(why), record=_recorder(config))
    sys.stderr.write(f"restored {len(histories)} models; every signature and link holds\n")
    with _opened(config) as registry:
        gone = missing(registry, log_folders(config.settings, config.root))
    if gone:
        sys.stderr.write(f"known to the audit log and not in it: {len(gone)}; redan registry verify names them\n")
    for name, found in sorted(histories.items()):
        live = found.live
        sys.stdout.write(f"{name}@{live.name if live else '-'}\n")
    return 0


@command.command("attach")
@click.argument("bundle", type=PATH)
@WHY
@_configured
def attach(config: Config, bundle: Path, why: str) -> int:
    """Keep statements made later about versions that are here: an approval, a revocation, a newer measurement.

    \b
    redan seal --approve "Ada: reviewed" --model model.onnx --key ada.key -o later.jsonl
    redan registry attach later.jsonl
    """
    from redan.core.errors import Unreadable
    from redan.evidence.statements import read
    from redan.service.registry.stated import attach as keep

    found = read(bundle)
    if not found.envelopes:
        raise Unreadable(f"{bundle.name!r} holds no statements", hint="name the bundle that redan seal wrote")
    with _opened(config) as registry:
        n = keep(registry, found, by=_person(why))
    sys.stderr.write(f"{n} of {len(found.envelopes)} statements are new\n")
    return 0


@command.command("update")
@click.option("--due", is_flag=True, help="Do nothing unless the schedule, or --drift, asks for it; for cron.")
@click.option("--drift", type=PATH, metavar="REPORT", help="With --due: also after this report of redan watch failed.")
@click.option("--wait", is_flag=True, help="Wait until the canary's time is over.")
@click.option("--abandon", is_flag=True, help="Give up an update that has not ended, and start anew.")
@WHY
@_configured
def update(config: Config, due: bool, drift: Path | None, wait: bool, abandon: bool, why: str) -> int:
    """Retrain, check, seal, push, canary, promote, as [registry.update] declares; or go on where the last one stopped.

    \b
    redan registry update --why "new labels"
    redan registry update --due --drift watch.json
    """
    import time
    from datetime import UTC, datetime

    from redan.service.registry.update import Pipeline
    from redan.service.registry.update import due as asked
    from redan.service.registry.update import update as go

    if due:
        why = asked(config, now=datetime.now(UTC), drift=drift) or ""
        if not why:
            sys.stderr.write("nothing is due\n")
            return 0
    with _opened(config) as registry:
        pipeline = Pipeline(
            config=config, registry=registry, by=_person(why or "by hand"), agreement=_agreement(config, registry)
        )
        progress = go(pipeline, abandon=abandon)
        while wait and not progress.ended:
            time.sleep(1)
            progress = go(pipeline)
    for done in progress.steps:
        sys.stderr.write(f"{done.step}: {done.note}\n")
    sys.stdout.write(f"{progress.ended or 'the canary answers; call again when its time is over'}\n")
    return 0


def _agreement(config: Config, registry: Registry) -> Agreement | None:
    if not config.settings.registry.update.agreement:
        return None
    from functools import partial

    from redan.service.registry.measured import agreement

    return partial(agreement, config.settings.registry.update, registry)

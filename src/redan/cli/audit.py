"""`redan audit`: what the gateway decided, searched, proved, exported, kept and let go."""

from __future__ import annotations

import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redan.cli.output import emit
from redan.core import config as configuration
from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.evidence.log import NoteKey
    from redan.evidence.store.database import Database
    from redan.service.audit.act import Act
    from redan.service.audit.query import Query
    from redan.service.audit.redaction import Redaction

Function = TypeVar("Function", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
FORM = click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
LIMIT = click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
REPLICA = click.option("--replica", help="Whose log.  [default: this machine's only one]")
SINCE = click.option("--since", metavar="TIME", help="From: 12h ago, 7d ago, or a date such as 2026-11-21.")
UNTIL = click.option("--until", metavar="TIME", help="Up to, in the same forms.")


@click.group("audit")
def command() -> None:
    """Search and prove what the gateway decided; keep and let go of it.

    Every decision and every administrative act is a record in a transparency log, one log for each replica; `redan log`
    works on their folders too. Where they lie is said by `[audit]` in redan.toml.

    \b
    redan audit query --verdict denied --since 24h
    redan audit show 17
    redan audit verify
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


@command.command("query")
@click.option("--client", default="", help="Who: a name, client:NAME or user:NAME.")
@click.option("--model", default="", help="NAME, or NAME@VERSION.")
@SINCE
@UNTIL
@click.option("--verdict", type=click.Choice(["allowed", "denied"]))
@click.option("--why", default="", help="Reason of a denial, such as rate or forbidden.")
@click.option("--act", default="", help="Action, such as predict or models.promote.")
@click.option("--address", default="", help="Network address.")
@click.option("--text", default="", help="Anything that stands in a record.")
@click.option("--replica", default="", help="Whose log; every one unless said.")
@LIMIT
@FORM
@_configured
def query(
    *, config: Config, since: str | None, until: str | None, verdict: str | None, limit: int, form: str, **texts: Any
) -> int:
    """Search the records, newest first.

    \b
    redan audit query --client alice --since 7d
    redan audit query --verdict denied --why rate --format csv
    """
    from redan.cli.audit_rows import time_us
    from redan.service.audit.query import Query

    ok = None if verdict is None else verdict == "allowed"
    wanted = Query(since_us=time_us(since), until_us=time_us(until), ok=ok, limit=limit, **texts)
    return _print_found(config, wanted, form)


@command.command("history")
@click.argument("client")
@SINCE
@LIMIT
@FORM
@_configured
def history(*, config: Config, client: str, since: str | None, limit: int, form: str) -> int:
    """Show what CLIENT asked and was answered, newest first.

    \b
    redan audit history alice --since 7d
    """
    from redan.cli.audit_rows import time_us
    from redan.service.audit.query import Query

    return _print_found(config, Query(client=client, since_us=time_us(since), limit=limit), form)


@command.command("show")
@click.argument("index", type=click.IntRange(min=0))
@REPLICA
@click.option("--kept", type=click.Choice(["input", "answer"]), help="Write the body that was kept instead.")
@click.option("--who", help="With --kept: whose it was, where records hold pseudonyms.")
@_configured
def show(*, config: Config, index: int, replica: str | None, kept: str | None, who: str | None) -> int:
    """Show record INDEX as JSON, with the proof that it stands in the log.

    \b
    redan audit show 17
    redan audit show 17 --kept input
    """
    from redan.evidence.log import LogReader
    from redan.evidence.log.proving import inclusion_file

    reader = LogReader(_log(config, replica))
    entry = reader.entry(index)
    if kept is not None:
        return _show_kept(config, entry, kept, who)
    text = entry.decode("utf-8", "replace")
    record = {"replica": reader.folder.name, "index": index, "entry": text, "proof": inclusion_file(reader, index)}
    sys.stdout.write(json.dumps(record, indent=1) + "\n")
    return 0


def _show_kept(config: Config, entry: bytes, kept: Any, who: str | None) -> int:
    from redan.service.audit import places
    from redan.service.audit.index import act_of
    from redan.service.audit.keeping import Kept

    act = act_of(entry)
    secret = places.secret(config.settings, config.root, make=False)
    found = Kept(places.kept_folder(config.settings, config.root), secret)
    emit(found.get(who or act.who, kept, act.x if kept == "input" else act.y), None)
    return 0


@command.command("verify")
@click.argument("export", type=PATH, required=False)
@click.option("--key", "-k", metavar="VKEY", help="The log's public key, as you got it elsewhere.")
@_configured
def verify(*, config: Config, export: Path | None, key: str | None) -> int:
    """Compute every log again and compare the index with it, or check an EXPORT; exit code 1 when anything differs.

    \b
    redan audit verify
    redan audit verify records.jsonl --key redan/gateway-1+1a2b3c4d+AT…
    """
    if export is not None:
        return _verify_export(export, key)
    from redan.evidence.log.reading import own_key
    from redan.evidence.log.verifying import verify as verify_log
    from redan.service.audit.index import disagreements
    from redan.service.audit.places import log_folders

    folders = log_folders(config.settings, config.root)
    if not folders:
        raise UsageError("there is no audit log yet", hint="redan serve makes it, or give --config")
    said: list[str] = []
    for folder in folders:
        trusted = _vkey(key) if key else own_key(folder)
        found = verify_log(folder, trusted)
        said += [f"{folder.name}: {problem.message}" for problem in found.problems]
        pruned = f", the first {found.pruned} of them as hashes only" if found.pruned else ""
        sys.stdout.write(f"{folder.name}: {found.checkpoint.size} signed records{pruned}, {found.unsigned} unsigned\n")
    with _database(config) as database:
        said += disagreements(database, folders)
    sys.stdout.writelines(f"{line}\n" for line in said)
    if not key:
        sys.stderr.write("no --key: verified with the keys in the logs' own folders, which proves little\n")
    sys.stdout.write(f"{len(said)} problem(s)\n" if said else "logs and index are as they were signed\n")
    return int(bool(said))


def _verify_export(export: Path, key: str | None) -> int:
    from redan.service.audit.export import MOST_LINE_BYTES, check

    if key is None:
        raise UsageError("an export needs --key", hint="get the log's public key from its operator")
    try:
        with export.open("rb") as file:
            count = check(iter(lambda: file.readline(MOST_LINE_BYTES), b""), _vkey(key))
    except OSError as err:
        raise UsageError(f"cannot read {str(export)!r}: {err.strerror}") from err
    sys.stdout.write(f"{count} records are as they were signed\n")
    return 0


@command.command("index")
@click.option("--rebuild", is_flag=True, help="Forget the index and make it from the logs again.")
@_configured
def index(*, config: Config, rebuild: bool) -> int:
    """Bring the searchable index up to what the logs of this machine have signed.

    \b
    redan audit index --rebuild
    """
    from redan.service.audit.index import Indexer
    from redan.service.audit.places import log_folders

    with _database(config) as database:
        for folder in log_folders(config.settings, config.root):
            following = Indexer(database, folder)
            count = following.rebuild() if rebuild else following.catch_up()
            sys.stdout.write(f"{folder.name}: {count} records indexed\n")
    return 0


@command.command("export")
@REPLICA
@click.option("--from", "start", type=click.IntRange(min=0), default=0, help="First record.")
@click.option("--to", "stop", type=click.IntRange(min=0), help="Where to stop.  [default: all that is signed]")
@click.option("-o", "--output", type=PATH, help="Write to a file.")
@_configured
def export(*, config: Config, replica: str | None, start: int, stop: int | None, output: Path | None) -> int:
    """Write records with proofs and a signed checkpoint as JSON lines, which verify without us and offline.

    \b
    redan audit export --from 0 --to 100 -o records.jsonl
    """
    from redan.evidence.log import LogReader
    from redan.service.audit.export import lines

    folder = _log(config, replica)
    start = max(start, LogReader(folder).pruned)
    data = b"".join(lines(folder, start, stop))
    _record(config, "audit.export", rows=data.count(b"\n") - 1, more={"replica": folder.name, "start": start})
    emit(data.rstrip(b"\n") + b"\n", output)
    return 0


@command.command("prune")
@click.option("--older-than", metavar="AGE", help="Such as 26w.  [default: [audit] retention]")
@REPLICA
@_configured
def prune(*, config: Config, older_than: str | None, replica: str | None) -> int:
    """Let go of the text of old records; their hashes and proofs stay, and the log still verifies.

    A running server does so by itself each hour.

    \b
    redan audit prune --older-than 26w
    """
    from redan.core.settings import age_s
    from redan.evidence.keys import load_signer
    from redan.evidence.log import open_log
    from redan.service.audit import places, retention
    from redan.service.audit.keeping import Kept

    age = age_s(older_than or config.settings.audit.retention)
    if age is None:
        raise UsageError("how old?", hint="give --older-than 26w, or set [audit] retention")
    folder = _log(config, replica)
    act = _act("audit.prune")
    with open_log(folder, load_signer(config.root / config.settings.audit.key)) as log:
        before, after = retention.prune(log, older_than_s=age, act=act)
    kept = Kept(places.kept_folder(config.settings, config.root), places.secret(config.settings, config.root))
    files = kept.forget(older_than_s=age)
    sys.stdout.write(f"{folder.name}: {after - before} records pruned, {after} in all; {files} kept bodies removed\n")
    return 0


@command.command("erase")
@click.argument("client")
@_configured
def erase(*, config: Config, client: str) -> int:
    """Destroy the key and the files of what was kept of CLIENT's inputs and answers (GDPR art. 17).

    Records stay, as digests, so that the log still verifies; with `redact = ["client"]` they hold a pseudonym.

    \b
    redan audit erase client:alice
    """
    from redan.service.audit import places
    from redan.service.audit.keeping import Kept

    if not client.startswith(("client:", "user:")):
        raise UsageError(f"{client!r} is no full name", hint=f"client:{client} or user:{client}")
    # recorded first: when it cannot be, nothing is erased
    _record(config, "audit.erase", more={"client": _hidden(config, client)})
    kept = Kept(places.kept_folder(config.settings, config.root), places.secret(config.settings, config.root))
    sys.stdout.write(f"{kept.erase(client)} kept bodies of {client} erased, and their key\n")
    return 0


def _hidden(config: Config, client: str) -> str:
    redaction = _redaction(config)
    return redaction.pseudonym("client", client) if redaction and "client" in config.settings.audit.redact else client


def _act(name: str, **more: Any) -> Act:
    from redan.service.audit.act import Act

    return Act(t_us=time.time_ns() // 1000, who=f"user:{getpass.getuser()}", act=name, cred="cli", **more)


def _record(config: Config, name: str, **more: Any) -> None:
    from redan.service.audit.recorder import record_once

    record_once(config.settings, config.root, _act(name, **more))


def _print_found(config: Config, wanted: Query, form: str) -> int:
    from redan.cli.audit_rows import print_records
    from redan.service.audit.index import Indexer
    from redan.service.audit.places import log_folders
    from redan.service.audit.query import search

    with _database(config) as database:
        for folder in log_folders(config.settings, config.root):
            Indexer(database, folder).catch_up()
        found = search(database, wanted, _redaction(config)).records
    print_records(found, form)
    if len(found) == wanted.limit:
        sys.stderr.write(f"only the newest {wanted.limit}; see --limit and --until\n")
    return 0


def _redaction(config: Config) -> Redaction | None:
    """Return what finds pseudonyms; None where no secret was ever made."""
    from redan.core.errors import Unreadable
    from redan.service.audit import places
    from redan.service.audit.redaction import Redaction

    try:
        secret = places.secret(config.settings, config.root, make=False)
    except Unreadable:
        if config.settings.audit.redact:
            raise
        return None
    return Redaction(config.settings.audit, secret.secret)


@contextmanager
def _database(config: Config) -> Iterator[Database]:
    from redan.service.database import open_database

    url = config.settings.serve.database
    if "://" not in url:
        (config.root / url).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = open_database(url, root=config.root)
    try:
        yield database
    finally:
        database.close()


def _log(config: Config, replica: str | None) -> Path:
    """Return the log of a replica, else this machine's own or only one.

    Raises:
        UsageError: there is none, or it is not said which of several.
    """
    from redan.service.audit.places import log_folder, log_folders, replica_name

    folders = log_folders(config.settings, config.root)
    wanted = log_folder(config.settings, config.root, replica or replica_name(config.settings))
    if wanted in folders:
        return wanted
    if replica is None and len(folders) == 1:
        return folders[0]
    known = ", ".join(folder.name for folder in folders) or "none"
    raise UsageError(f"which log? this machine has: {known}", hint="give --replica, or --config")


def _vkey(text: str) -> NoteKey:
    from redan.evidence.log import notes

    path = Path(text)
    return notes.parse_key(path.read_text(encoding="utf-8") if path.is_file() else text)

"""`redan store`: runs, findings, statements and evidence in one place, encrypted, searched, backed up."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from redan.cli.output import emit, form_of, format_options, render
from redan.cli.stored import KINDS, fitting, print_rows
from redan.core import config as configuration
from redan.core.errors import MissingDependency, UnknownName, UsageError
from redan.core.finding import Severity

if TYPE_CHECKING:
    from redan.core.config import Config
    from redan.evidence.store.opening import Store

Function = TypeVar("Function", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)
MOST_ROWS = 100_000


@click.group("store")
def command() -> None:
    """Keep runs, findings, statements and evidence in a database with blobs beside it.

    Where they lie, and which key encrypts them, is said by `[store]` in redan.toml or by flags.

    \b
    redan store init --key file:store.key
    redan store add latest
    redan store list findings --severity high
    """


def _places(function: Function) -> Function:
    """Add the flags that say where the store is, and give the settings in force instead of them."""

    def wrapped(*, config: Path | None, url: str | None, blobs: str | None, keys: tuple[str, ...], **rest: Any) -> int:
        flags = {"store.url": url, "store.blobs": blobs, "store.keys": list(keys) or None}
        found = config or configuration.find(Path.cwd())
        read = configuration.load(file=found, root=Path.cwd(), environ=os.environ, flags=flags)
        _require_libraries()
        code: int = function(config=read, **rest)
        return code

    made: Callable[..., int] = update_wrapper(wrapped, function)
    for option in (
        click.option("--key", "keys", multiple=True, metavar="SOURCE", help="Where a key is; [store] keys else."),
        click.option("--blobs", metavar="URL", help="Folder or URL of the blobs; [store] blobs else."),
        click.option("--url", help="SQLite file or postgresql:// URL; [store] url else."),
        click.option("--config", type=PATH, help="A redan.toml other than the nearest."),
    ):
        made = option(made)
    return made  # type: ignore[return-value]  # click calls it by its flags


def _require_libraries() -> None:
    from importlib.util import find_spec

    for name in ("sqlalchemy", "alembic"):
        if find_spec(name) is None:
            raise MissingDependency.of(name, "store", "the store")


def _opened(config: Config) -> closing[Store]:
    from redan.evidence.store.opening import open_store

    given = config.settings.store
    return closing(open_store(url=given.url, blobs=given.blobs, keys=given.keys, root=config.root))


@command.command("init")
@_places
def init(config: Config) -> int:
    """Make an empty store; the first key encrypts it.

    A key file or keyring entry that is not there is made.

    \b
    redan store init --key file:store.key
    redan store init --url postgresql://redan@db/redan --key vault-transit:transit/redan
    """
    from redan.evidence.encryption.sources import make_key
    from redan.evidence.store.opening import create_store

    given = config.settings.store
    _leave_out_of_git(config)
    for source in given.keys:
        if make_key(source, root=config.root):
            sys.stderr.write(
                f"made a new key at {source}; without it the store cannot be read: keep a copy elsewhere\n"
            )
    with closing(create_store(url=given.url, blobs=given.blobs, keys=given.keys, root=config.root)) as store:
        key_id = store.key_id()
        shown = store.database.shown
    words = f"encrypted under key {key_id}" if key_id else "NOT encrypted: give --key file:PATH to encrypt"
    sys.stderr.write(f"made a store in {shown}, {words}\n")
    if config.origins.get("store.keys") == "flag":
        sys.stderr.write(f"write into redan.toml:\n[store]\nkeys = {json.dumps(list(given.keys))}\n")
    sys.stdout.write(f"{store.id}\n")
    return 0


def _leave_out_of_git(config: Config) -> None:
    """Mark the folder of runs and evidence as `redan check` does, when the store lies in it."""
    folder = config.path(config.settings.run.folder)
    ignore = folder / ".gitignore"
    if config.path(config.settings.store.url).is_relative_to(folder) and not ignore.exists():
        folder.mkdir(parents=True, exist_ok=True)
        ignore.write_text("*\n", encoding="utf-8")


@command.command("add")
@click.argument("documents", nargs=-1, required=True, metavar="RUN…")
@_places
def add(config: Config, documents: tuple[str, ...]) -> int:
    """Keep runs and statements in the store.

    A run is its folder, a JSON report or `latest`, and is kept with its evidence. Statements come in files of signed
    envelopes (.intoto.jsonl, .dsse). What is there already stays as it is.

    \b
    redan store add latest
    redan store add net.pt.intoto.jsonl
    """
    with _opened(config) as store:
        for words in documents:
            for line in _add_one(store, words):
                sys.stdout.write(line + "\n")
    return 0


def _add_one(store: Store, words: str) -> Iterable[str]:
    from redan.cli.runs import find_run
    from redan.evidence.blobs import FolderBlobs
    from redan.evidence.statements.bundle import SUFFIX
    from redan.evidence.statements.bundle import read as read_bundle
    from redan.evidence.store import runs, statements

    path = find_run(words)
    if path.name.endswith((SUFFIX, ".dsse", ".dsse.json")):
        bundle = read_bundle(path)
        for sentence in bundle.ignored:
            sys.stderr.write(f"{path.name}: {sentence}\n")
        if not bundle.envelopes:
            raise UsageError(f"{str(path)!r} holds no signed envelope", hint="redan seal")
        for envelope in bundle.envelopes:
            kept = statements.add(store, envelope.to_json())
            yield f"statement {kept.id}  {'new' if kept.new else 'there already'}"
        return
    file = path / "report.json" if path.is_dir() else path
    folder = file.parent / "evidence"
    added = runs.add(store, _read(file), evidence=FolderBlobs(folder) if folder.is_dir() else None)
    missing = f", {added.n_missing} without their bytes" if added.n_missing else ""
    yield f"run {added.id}  {'new' if added.new else 'there already'}  evidence: {added.n_blobs}{missing}"


def _read(file: Path) -> bytes:
    from redan.core.errors import Unreadable

    try:
        return file.read_bytes()
    except OSError as err:
        raise Unreadable(f"cannot read the report {str(file)!r}: {err.strerror}") from err


@command.command("list")
@click.argument("kind", type=click.Choice(KINDS), default="runs")
@click.option("--subject", help="Name of what was measured (runs, findings).")
@click.option("--digest", help="SHA-256 of what was measured or stated about (runs, statements).")
@click.option("--run", help="Id of a run (findings).")
@click.option("--rule", help="Identifier of a rule (findings).")
@click.option("--severity", type=click.Choice([s.word for s in Severity]), help="At least this severe (findings).")
@click.option("--fingerprint", help="One finding in all runs (findings).")
@click.option("--type", "predicate_type", help="Predicate type (statements).")
@click.option("--key-id", help="Key that the envelope names (statements).")
@click.option("--since", metavar="TIME", help="Not before this time, UTC, such as 2026-05-01.")
@click.option("--limit", type=click.IntRange(1, MOST_ROWS), default=100, show_default=True, help="Most rows.")
@click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_places
def list_(config: Config, kind: str, since: str | None, limit: int, form: str, **wanted: str | None) -> int:
    """List runs, findings or statements.

    The newest come first. No key is needed: what is searched lies in the database in clear.

    \b
    redan store list findings --rule RDN-SUP-001 --since 2026-01-01
    redan store list statements --digest SHA256
    """
    from redan.evidence.store import findings, runs, statements
    from redan.evidence.store.clear import read_us

    words = {**fitting(kind, wanted), "limit": limit, "since_us": read_us(since, "--since") if since else None}
    searches: dict[str, Callable[..., list[Any]]] = {
        "runs": runs.listed,
        "findings": findings.search,
        "statements": statements.search,
    }
    with _opened(config) as store:
        found = searches[kind](store, **words)
    print_rows(found, kind, form)
    return 0


@command.command("show")
@click.argument("document", default="latest", metavar="ID")
@format_options
@_places
def show(config: Config, document: str, form: str | None, output: Path | None, quiet: bool) -> int:
    """Show a run in any format, or the envelope of a statement.

    ID is that of a run or statement, the beginning of a run's id, or `latest`.

    \b
    redan store show latest --format html -o report.html
    """
    from redan.evidence.store import runs, statements

    with _opened(config) as store:
        try:
            run = runs.found(store, document)
        except UnknownName:
            emit(statements.envelope(store, document).to_json(), output)
            return 0
        emit(render(runs.report(store, run), form_of(form, output)), output)
    return 0


@command.command("migrate")
@_places
def migrate(config: Config) -> int:
    """Bring the tables of an older store to this release's version."""
    from redan.core.errors import EvidenceError
    from redan.evidence.store import migrating
    from redan.evidence.store.database import connect

    with closing(connect(config.settings.store.url, root=config.root)) as database:
        if migrating.version(database) is None:
            raise EvidenceError(f"there is no store in {database.shown}", hint="redan store init")
        before, after = migrating.migrate(database)
    sys.stderr.write(f"{database.shown} is up to date\n" if before == after else f"migrated {database.shown}\n")
    sys.stdout.write(f"{before} {after}\n")
    return 0


@command.command("rotate")
@click.option(
    "--to", "source", required=True, metavar="SOURCE", help="Where the new key is; a file is made if missing."
)
@_places
def rotate(config: Config, source: str) -> int:
    """Turn an encrypted store to a new key.

    Every data key is encrypted again under the new key; blobs stay as they are. A rotation that was broken off is
    finished by the same command, as long as both keys are named.

    \b
    redan store rotate --to file:new.key
    """
    from redan.evidence.encryption.sources import key_from, make_key
    from redan.evidence.store.rotation import rotate as turn

    with _opened(config) as store:
        if not store.encrypted:
            raise UsageError(
                "the store is not encrypted, so it has no key to turn from", hint="redan store init --key …"
            )
        if make_key(source, root=config.root):
            sys.stderr.write(f"made a new key at {source}\n")
        done = turn(store, key_from(source, root=config.root))
    sys.stderr.write(
        f"nothing is left under another key; write into redan.toml:\n[store]\nkeys = {json.dumps([source])}\n"
    )
    sys.stdout.write(f"{done.key_id} {done.n_wrapped}\n")
    return 0


@command.command("backup")
@click.argument("file", type=PATH)
@_places
def backup(config: Config, file: Path) -> int:
    """Write the whole store to one file.

    It is the store of one moment, while others may go on writing; what is encrypted stays encrypted. Prints the
    SHA-256 of FILE: kept elsewhere, it proves later that the backup is this one.
    """
    from redan.evidence.backup import backup as write

    with _opened(config) as store:
        made = write(store, file)
    rows = ", ".join(
        f"{count} {name}" for name, count in made.manifest.rows.items() if count and name in (*KINDS, "blobs")
    )
    sys.stderr.write(f"wrote {file}: {made.size_bytes} bytes, {rows}\n")
    if made.manifest.key_id:
        sys.stderr.write(f"it can be read only with key {made.manifest.key_id}: keep a copy of it elsewhere\n")
    sys.stdout.write(f"{made.sha256}\n")
    return 0


@command.command("restore")
@click.argument("file", type=PATH)
@click.option("--sha256", "digest", help="What `redan store backup` printed; anything else is refused.")
@_places
def restore(config: Config, file: Path, digest: str | None) -> int:
    """Make the store of a backup again, where there is none.

    The database need not be of the kind it was. A backup that is not exactly what was made is refused.
    """
    from redan.evidence.backup import require_digest
    from redan.evidence.backup import restore as read
    from redan.evidence.places import place_of
    from redan.evidence.store.database import connect

    given = config.settings.store
    if digest is not None:
        require_digest(file, digest)
    with closing(connect(given.url, root=config.root, create=True)) as database:
        manifest = read(file, database, place_of(given.blobs, root=config.root))
    sys.stderr.write(f"restored the store of {manifest.created} into {database.shown}\n")
    sys.stdout.write(f"{manifest.store}\n")
    return 0


@command.command("verify")
@click.argument("file", type=PATH, required=False, metavar="[BACKUP]")
@_places
def verify(config: Config, file: Path | None) -> int:
    """Check every blob and row, or every byte of a backup.

    Exit code 0 when all is as it was put, 1 when something is not, 3 when the key is missing that opens the blobs.
    """
    from redan.evidence.backup import inspected
    from redan.evidence.store.verifying import Tally, damages

    if file is not None:
        manifest = inspected(file)
        sys.stderr.write(f"{file} is whole: {len(manifest.members)} members, made {manifest.created}\n")
        return 0
    tally, count = Tally(), 0
    with _opened(config) as store:
        for damage in damages(store, tally):
            count += 1
            sys.stdout.write(f"{damage.what}: {damage.why}\n")
        locked = store.encrypted and store.names_key is None
    sys.stderr.write(f"{tally.n_blobs} blobs, {tally.n_runs} runs, {tally.n_statements} statements; damaged: {count}\n")
    if tally.n_orphans:
        sys.stderr.write(f"{tally.n_orphans} objects that no row names, left by a writer that was broken off\n")
    if count:
        return 1
    if locked:
        sys.stderr.write("contents were not checked, since no key at hand opens them: name it in [store] keys\n")
        return 3
    return 0

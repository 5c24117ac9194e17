"""`redan log`: a transparency log of what was said and done, which nobody can change unseen."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from redan.cli.key import password_from
from redan.cli.output import emit
from redan.core.errors import UsageError

if TYPE_CHECKING:
    from redan.evidence.keys import Signer
    from redan.evidence.log import NoteKey
    from redan.evidence.log.verifying import Verified

PATH = click.Path(path_type=Path)
KEY = click.option("--key", "-k", type=PATH, required=True, help="Private Ed25519 key in PEM.")
PASSWORD = click.option("--password-env", metavar="VAR", help="Environment variable with the key's password.")
OUTPUT = click.option("-o", "--output", type=PATH, help="Write to a file.")
PUBLIC = click.option(
    "--key", "-k", "key", metavar="PUB|VKEY", help="The log's public key: a .pub file, or NAME+HASH+BASE64 or its file."
)


@click.group("log")
def command() -> None:
    """Keep an append-only, signed log; prove what is in it; find whatever was changed.

    The folder follows C2SP tlog-tiles, so that other tools can read it.
    """


@command.command("init")
@click.argument("folder", type=PATH)
@click.option("--origin", required=True, help="The log's name, such as example.com/models; it can never change.")
@KEY
@PASSWORD
def init(folder: Path, origin: str, key: Path, password_env: str | None) -> int:
    """Make an empty log in FOLDER and print its public key.

    \b
    redan key new log.key --kind ed25519
    redan log init audit --origin example.com/audit --key log.key
    """
    from redan.evidence.log import create_log, notes

    signer = _signer(key, password_env)
    create_log(folder, signer, origin)
    sys.stderr.write(f"made the log {folder}; give this key to everybody who shall verify it\n")
    sys.stdout.write(notes.key_of(origin, signer.verifier).text() + "\n")
    return 0


@command.command("append")
@click.argument("folder", type=PATH)
@click.argument("files", type=PATH, nargs=-1)
@click.option("--lines", is_flag=True, help="Each line of standard input is an entry.")
@KEY
@PASSWORD
def append(folder: Path, files: tuple[Path, ...], lines: bool, key: Path, password_env: str | None) -> int:
    """Record FILES, one entry each, and print their indexes once they are durable.

    \b
    redan log append audit report.json --key log.key
    tail -f events | redan log append audit --lines --key log.key
    """
    from redan.evidence.log import open_log

    if lines == bool(files):
        raise UsageError("nothing to record" if not lines else "files and --lines together", hint="give one of them")
    with open_log(folder, _signer(key, password_env)) as log:
        for entry in _lines() if lines else map(_entry, files):
            sys.stdout.write(f"{log.append(entry)}\n")
            sys.stdout.flush()
    return 0


@command.command("show")
@click.argument("folder", type=PATH)
@click.argument("index", type=click.IntRange(min=0), required=False)
@click.option("--from", "start", type=click.IntRange(min=0), help="First entry to list, as JSON lines.")
@click.option("--to", "stop", type=click.IntRange(min=0), help="Where to stop.")
def show(folder: Path, index: int | None, start: int | None, stop: int | None) -> int:
    """Show a log's checkpoint, the bytes of entry INDEX, or a range of entries. Nothing is verified.

    \b
    redan log show audit
    redan log show audit 17
    redan log show audit --from 0 --to 100
    """
    from redan.evidence.log import LogReader

    reader = LogReader(folder)
    if index is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(reader.entry(index))  # any bytes, so that no line end is added
        sys.stdout.buffer.flush()
    elif start is None and stop is None:
        emit(reader.checkpoint.text().encode(), None)
    else:
        for i, entry in enumerate(reader.entries(start or 0, stop), start or 0):
            sys.stdout.write(_row(i, entry))
    return 0


@command.command("checkpoint")
@click.argument("folder", type=PATH)
@KEY
@PASSWORD
@OUTPUT
def checkpoint(folder: Path, key: Path, password_env: str | None, output: Path | None) -> int:
    """Put right what a crash left, sign everything, and print the checkpoint: keep it somewhere else.

    \b
    redan log checkpoint audit --key log.key -o elsewhere/checkpoint
    """
    from redan.evidence.log import open_log

    with open_log(folder, _signer(key, password_env)) as log:
        emit(log.checkpoint().text().encode(), output)
    return 0


@command.command("prove")
@click.argument("folder", type=PATH)
@click.option("--entry", type=click.IntRange(min=0), metavar="INDEX", help="Prove that this entry is in the log.")
@click.option("--since", type=PATH, metavar="CHECKPOINT", help="Prove that the log only added to this one.")
@click.option("--checkpoint", "head", type=PATH, help="Prove for this one, such as one that a witness signed.")
@OUTPUT
def prove(folder: Path, entry: int | None, since: Path | None, head: Path | None, output: Path | None) -> int:
    """Write a proof that verifies without the log.

    \b
    redan log prove audit --entry 17 -o entry17.tlog-proof
    redan log verify entry17.tlog-proof --entry report.json --key log.key.pub
    """
    from redan.evidence.log import LogReader
    from redan.evidence.log.proving import consistency_file, inclusion_file
    from redan.evidence.log.reading import read_checkpoint

    if (entry is None) == (since is None):
        raise UsageError("what shall be proved?", hint="give one of --entry and --since")
    reader = LogReader(folder, read_checkpoint(head) if head else None)
    if entry is not None:
        text = inclusion_file(reader, entry)
    else:
        assert since is not None
        text = consistency_file(reader, read_checkpoint(since).size)
    emit(text.encode(), output)
    return 0


@command.command("verify")
@click.argument("path", type=PATH)
@PUBLIC
@click.option("--against", type=PATH, multiple=True, help="A checkpoint kept elsewhere; may be repeated.")
@click.option("--entry", type=PATH, help="The entry that a proof of inclusion is about.")
@click.option("-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def verify(path: Path, key: str | None, against: tuple[Path, ...], entry: Path | None, form: str) -> int:
    """Compute a whole log again, or check a proof; exit code 1 when anything is not as it was signed.

    Only a checkpoint that was kept elsewhere, or signed by a witness, shows that the log was rolled back or rewritten
    by somebody who has its key.

    \b
    redan log verify audit --key log.key.pub --against elsewhere/checkpoint
    redan log verify entry17.tlog-proof --entry report.json --key log.key.pub
    """
    if not path.is_dir():
        return _verify_proof(path, key, against, entry)
    if entry is not None:
        raise UsageError("--entry belongs to a proof, and this is a log", hint="redan log prove LOG --entry INDEX")
    from redan.evidence.log.reading import CHECKPOINT, own_key, read_checkpoint
    from redan.evidence.log.verifying import verify as verify_log

    if key is None:
        sys.stderr.write("no --key: verified with the key that lies in the folder itself, which proves little\n")
        trusted = own_key(path)
    else:
        trusted = _public(key, read_checkpoint(path / CHECKPOINT).origin)
    found = verify_log(path, trusted, against=[read_checkpoint(p) for p in against])
    if form == "json":
        sys.stdout.write(json.dumps(_document(found), indent=1) + "\n")
    else:
        _table(found, len(against))
    return int(bool(found.problems))


@command.command("witness")
@click.argument("folder", type=PATH)
@click.option("--to", "place", required=True, metavar="FOLDER|URL", help="Where the witness keeps its record.")
@click.option("--name", help="The witness's name, when its record is a folder.")
@click.option("--key", "-k", type=PATH, help="The witness's private key, when its record is a folder; not the log's.")
@PASSWORD
@click.option("--log-key", metavar="VKEY", help="The log's public key.  [default: the one in its folder]")
@click.option("--witness-key", metavar="VKEY", help="The witness's public key, when it is at a URL.")
@OUTPUT
def witness(
    folder: Path,
    place: str,
    name: str | None,
    key: Path | None,
    password_env: str | None,
    log_key: str | None,
    witness_key: str | None,
    output: Path | None,
) -> int:
    """Have somebody else sign the checkpoint, if it continues what they signed before; print it with their signature.

    \b
    redan log witness audit --to /mnt/elsewhere --name witness.example --key witness.key
    redan log witness audit --to https://witness.example --witness-key witness.example+1a2b3c4d+BA…
    """
    from redan.evidence.log import LogReader
    from redan.evidence.log.reading import own_key
    from redan.evidence.log.witness import Witness, cosigned, over_http

    reader = LogReader(folder)
    if "://" in place:
        if witness_key is None:
            raise UsageError("a witness at a URL needs --witness-key", hint="ask its operator for it")
        found = cosigned(reader, over_http(place), _public(witness_key, None))
    else:
        if key is None or name is None:
            raise UsageError("a witness in a folder needs --name and --key", hint="redan key new … --kind ed25519")
        log = own_key(folder) if log_key is None else _public(log_key, reader.checkpoint.origin)
        ours = Witness(name=name, signer=_signer(key, password_env), folder=Path(place), logs={log.name: log})
        if ours.signer.key_id == log.verifier.key_id:
            raise UsageError("this is the log's own key; a witness must be somebody else", hint="give another key")
        found = cosigned(reader, ours.add, ours.key)
    emit(found.text().encode(), output)
    return 0


@command.command("witness-server")
@click.argument("record", type=PATH)
@click.option("--name", required=True, help="The witness's name.")
@click.option("--log", "logs", multiple=True, required=True, metavar="VKEY", help="Key of a log; may be repeated.")
@click.option("--listen", default="127.0.0.1:8321", show_default=True, metavar="HOST:PORT")
@KEY
@PASSWORD
def witness_server(
    record: Path, name: str, logs: tuple[str, ...], listen: str, key: Path, password_env: str | None
) -> int:
    """Answer add-checkpoint of C2SP tlog-witness over HTTP and keep what was signed in the folder RECORD.

    \b
    redan log witness-server seen --name witness.example --key witness.key --log "$(cat audit/log.vkey)"
    """
    from redan.evidence.log.witness import Witness
    from redan.evidence.log.witness_server import WitnessServer

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(f"{listen!r} is no address to listen on", hint="HOST:PORT, such as 127.0.0.1:8321")
    keys = {k.name: k for k in (_public(text, None) for text in logs)}
    ours = Witness(name=name, signer=_signer(key, password_env), folder=record, logs=keys)
    sys.stdout.write(ours.key.text() + "\n")
    sys.stdout.flush()
    try:
        server = WitnessServer(ours, host, int(port))
    except OSError as err:
        raise UsageError(f"cannot listen on {listen}: {err.strerror}") from err
    with server:
        sys.stderr.write(f"listening on {host}:{server.server_address[1]}\n")
        server.serve_forever()
    return 0


def _signer(key: Path, password_env: str | None) -> Signer:
    from redan.evidence.keys import load_signer

    return load_signer(key, password=password_from(password_env))


def _public(text: str, name: str | None) -> NoteKey:
    """Read a public key from its text, its file, or a PEM file, which says nothing of its name."""
    from redan.evidence.keys import load_verifier
    from redan.evidence.log import notes
    from redan.evidence.log.reading import read_bounded

    path = Path(text)
    if not path.is_file():
        return notes.parse_key(text)
    data = read_bounded(path, notes.LARGEST_NOTE_BYTES)
    if not data.lstrip().startswith(b"-----BEGIN"):
        return notes.parse_key(data.decode(errors="replace"))
    if name is None:
        raise UsageError(f"{text!r} has no name", hint="give the key as NAME+HASH+BASE64")
    return notes.key_of(name, load_verifier(path))


def _verify_proof(path: Path, key: str | None, against: tuple[Path, ...], entry: Path | None) -> int:
    from redan.evidence.log import proving
    from redan.evidence.log.reading import read_bounded, read_checkpoint

    proof = proving.parse(read_bounded(path, proving.LARGEST_PROOF_BYTES))
    if key is None:
        raise UsageError("a proof needs --key", hint="get the log's public key from its operator")
    head = proof.checkpoint
    trusted = _public(key, head.origin)
    if proof.kind == "index":
        if entry is None:
            raise UsageError("a proof of inclusion needs --entry FILE", hint="the bytes that were recorded")
        proving.check_inclusion(proof, _entry(entry), trusted)
        sys.stdout.write(
            f"{entry} is entry {proof.number} of {head.origin}, under a checkpoint of {head.size} entries\n"
        )
        return 0
    if not against:
        raise UsageError("a proof of consistency needs --against CHECKPOINT", hint="the older checkpoint")
    for older in against:
        proving.check_consistency(proof, read_checkpoint(older), trusted)
    sys.stdout.write(f"{head.origin}: {head.size} entries begin with the {proof.number} that were signed before\n")
    return 0


def _lines() -> Iterator[bytes]:
    for line in sys.stdin.buffer:
        yield line.removesuffix(b"\n")


def _entry(path: Path) -> bytes:
    from redan.evidence.log.reading import read_bounded
    from redan.kernels.merkle.tiles import LARGEST_ENTRY_BYTES

    return read_bounded(path, LARGEST_ENTRY_BYTES)


def _row(index: int, entry: bytes) -> str:
    try:
        shown = {"index": index, "text": entry.decode()}
    except UnicodeDecodeError:
        shown = {"index": index, "base64": b64encode(entry).decode()}
    return json.dumps(shown) + "\n"


def _document(found: Verified) -> dict[str, object]:
    return {
        "origin": found.checkpoint.origin,
        "size": found.checkpoint.size,
        "root": b64encode(found.checkpoint.root).decode(),
        "pruned": found.pruned,
        "unsigned": found.unsigned,
        "problems": [{"kind": p.kind, "index": p.index, "message": p.message} for p in found.problems],
    }


def _table(found: Verified, compared: int) -> None:
    for problem in found.problems:
        sys.stdout.write(f"{problem.kind:<10} {problem.message}\n")
    head = found.checkpoint
    if found.problems:
        sys.stdout.write(f"{head.origin}: {len(found.problems)} problem(s)\n")
    else:
        outside = f", as {compared} checkpoint(s) kept elsewhere say" if compared else ""
        sys.stdout.write(f"{head.origin}: {head.size} entries are as they were signed{outside}\n")
    if found.pruned:
        sys.stdout.write(f"the first {found.pruned} entries were pruned: their hashes are kept, their text is not\n")
    if found.unsigned:
        sys.stdout.write(f"{found.unsigned} later entries are durable and not signed yet\n")
    if not compared:
        sys.stderr.write("nothing was compared with a checkpoint kept elsewhere: give --against\n")

"""Inputs and answers that the policy keeps, encrypted beside the log under a key of each client.

The log holds their digests only. Erasing a client destroys its key and its files: what copies and backups still hold of
them cannot be read any more, while every record and proof in the log stays as it was.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import threading
import time
from base64 import b64decode
from collections import deque
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from redan.core.errors import EvidenceError, SignatureRefused, Unreadable
from redan.evidence.encryption.stream import new_key
from redan.evidence.log.disk import Disk
from redan.evidence.log.reading import read_bounded
from redan.kernels.pseudonyms import column_key, one_way

if TYPE_CHECKING:
    from redan.evidence.encryption.wrapping import LocalKey
    from redan.service.audit.act import Act

Kind = Literal["input", "answer"]
MOST_WAITING_BYTES = 64 << 20
MOST_BYTES = 64 << 20
_KEYS = "keys"
_NONCE_BYTES = 12


class Kept:
    """The folder of what is kept.

    Args:
        folder: of all clients.
        secret: names clients' files and wraps their keys.
    """

    def __init__(self, folder: Path, secret: LocalKey) -> None:
        self._folder, self._secret = folder, secret
        self._naming = column_key(secret.secret, "client", "kept")

    def put(self, who: str, kind: Kind, digest: str, body: bytes) -> None:
        """Keep a body under its digest; one that is there already is not written again.

        Raises:
            EvidenceError: it cannot be written.
        """
        name = self._name(who)
        path = self._path(name, kind, digest)
        if path.exists():
            return
        try:
            key = self._key(name, make=True)
            nonce = secrets.token_bytes(_NONCE_BYTES)
            Disk().publish({path: nonce + AESGCM(key).encrypt(nonce, body, f"{kind}:{digest}".encode())})
        except OSError as err:
            raise EvidenceError(f"cannot keep an {kind}: {err.strerror}", hint="make room") from err

    def get(self, who: str, kind: Kind, digest: str) -> bytes:
        """Return a body that was kept.

        Raises:
            Unreadable: it is not here, or its client was erased.
            SignatureRefused: it was changed.
        """
        name = self._name(who)
        data = read_bounded(self._path(name, kind, digest), MOST_BYTES + 64)
        try:
            body = AESGCM(self._key(name, make=False)).decrypt(
                data[:_NONCE_BYTES], data[_NONCE_BYTES:], f"{kind}:{digest}".encode()
            )
        except (InvalidTag, ValueError) as err:
            raise SignatureRefused(f"the {kind} {digest} was changed, or its client was erased since") from err
        if sha256(body).hexdigest() != digest:
            raise SignatureRefused(f"the {kind} {digest} has another digest than the log says")
        return body

    def erase(self, who: str) -> int:
        """Destroy a client's key, then its files, and return how many files that were.

        Raises:
            EvidenceError: something cannot be removed.
        """
        name, count = self._name(who), 0
        key, folder = self._folder / _KEYS / name, self._folder / name
        try:
            if key.exists():
                with key.open("r+b") as file:
                    file.write(secrets.token_bytes(max(1, key.stat().st_size)))
                    file.flush()
                    os.fsync(file.fileno())
                key.unlink()
                Disk().sync_folder(key.parent)
            for path in folder.iterdir() if folder.is_dir() else ():
                path.unlink()
                count += 1
            if folder.is_dir():
                folder.rmdir()
        except OSError as err:
            raise EvidenceError(f"cannot erase what is kept of a client: {err.strerror}", hint="erase again") from err
        return count

    def forget(self, *, older_than_s: float) -> int:
        """Remove what is older than records are kept and return how many files that were."""
        before_s, count = time.time() - older_than_s, 0
        for path in self._folder.glob("*/*-*"):
            if path.parent.name != _KEYS and path.stat().st_mtime < before_s:
                path.unlink(missing_ok=True)
                count += 1
        return count

    def _name(self, who: str) -> str:
        return one_way(self._naming, who)

    def _path(self, name: str, kind: Kind, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise Unreadable(f"{digest[:80]!r} is no SHA-256 digest")
        return self._folder / name / f"{kind}-{digest}"

    def _key(self, name: str, *, make: bool) -> bytes:
        path = self._folder / _KEYS / name
        if make and not path.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            Disk().publish({path: self._secret.wrap(new_key(), name).encode()})
        return self._secret.unwrap(read_bounded(path, 1024).decode("ascii", "replace"), name)


class Keeper:
    """Writes what is kept in a thread of its own; too much is dropped and counted, since the log has the digest.

    Args:
        kept: where it goes.
        most_bytes: what may wait.
    """

    def __init__(self, kept: Kept, *, most_bytes: int = MOST_WAITING_BYTES) -> None:
        self._kept, self._most = kept, most_bytes
        self._waiting: deque[tuple[str, Kind, str, str]] = deque()
        self._n_bytes = 0
        self._state = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def put_aside(self, act: Act) -> Act:
        """Return an act without the bodies that its facts hold in base64; they are handed in, without waiting."""
        more = act.more
        if not more or not ("input" in more or "answer" in more):
            return act
        left = dict(more)
        bodies = (("input", act.x, left.pop("input", None)), ("answer", act.y, left.pop("answer", None)))
        for kind, digest, text in bodies:
            if isinstance(text, str):
                self.keep(act.who, cast("Kind", kind), digest, text)
        return msgspec.structs.replace(act, more=left or None)

    def keep(self, who: str, kind: Kind, digest: str, text: str) -> None:
        """Hand in a body in base64; never waits."""
        with self._state:
            if self._n_bytes + len(text) > self._most or self._stopped:
                self.dropped += 1
                return
            self._n_bytes += len(text)
            self._waiting.append((who, kind, digest, text))
            self._state.notify()

    async def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._write, name="redan-audit-kept", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Write what waits, then end."""
        with self._state:
            self._stopped = True
            self._state.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _write(self) -> None:
        while (one := self._next()) is not None:
            try:
                who, kind, digest, text = one
                self._kept.put(who, kind, digest, b64decode(text))
            except (EvidenceError, Unreadable, SignatureRefused) as err:
                if self.dropped == 0:
                    sys.stderr.write(f"audit: {err.diagnostics()}\n")
                self.dropped += 1

    def _next(self) -> tuple[str, Kind, str, str] | None:
        with self._state:
            self._state.wait_for(lambda: self._waiting or self._stopped)
            if not self._waiting:
                return None
            one = self._waiting.popleft()
            self._n_bytes -= len(one[3])
            return one

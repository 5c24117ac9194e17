"""Digests of files read earlier, kept in a file that only whoever holds its secret can write.

A digest is used again only while device, inode, size, modification and change time of its file are as they were when
it was read. The change time is set by the kernel and cannot be chosen; a file that changed less than two seconds
before it was read is not remembered, since a later change might leave the same time (racy entries, as in git's index).
Whoever can write the disk past the file system, set the clock back, or run the file server can still deceive it:
that is why nothing uses it unless asked.
"""

from __future__ import annotations

import hmac
import json
import os
import stat
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from redan.core.errors import SignatureRefused, Unreadable, UsageError
from redan.kernels.digests.listing import Entry, Facts
from redan.kernels.digests.writing import replace_whole

FORMAT = "redan-digests/1"
RACY_NS = 2_000_000_000
LARGEST_CACHE_BYTES = 256 << 20
_SECRET_BYTES = 32
_MAC_LENGTH = 64
_HINT = "name a folder that only you can read: export XDG_STATE_HOME=…"


class DigestCache:
    """The digests of one folder under one algorithm; a ``Memory`` for ``tree``.

    Args:
        folder: where the cache lies; made when it is missing.
        root: the folder or file whose digests these are.
        algorithm: of the digests.
        shard_bytes: length of the ranges that files are cut into; None for whole files.
        secret: the file with the secret that the cache is sealed with; made when it is missing.

    Raises:
        SignatureRefused: the cache was not written by the holder of the secret, or others can read the secret.
        Unreadable, UsageError: the cache or the secret cannot be read or made.
    """

    def __init__(
        self,
        folder: Path,
        root: Path,
        *,
        algorithm: str = "sha256",
        shard_bytes: int | None = None,
        secret: Path | None = None,
    ) -> None:
        about = [FORMAT, str(root.resolve()), algorithm, shard_bytes]
        self._about = about
        self._path = folder / f"{sha256(json.dumps(about).encode()).hexdigest()[:32]}.json"
        self._secret = _secret(secret or default_secret())
        self._known = self._load()
        self._next: dict[str, tuple[Facts, tuple[str, ...]]] = {}

    @property
    def path(self) -> Path:
        """The file that the cache lies in."""
        return self._path

    def recall(self, entry: Entry) -> tuple[str, ...] | None:
        """Return the digests of a file's ranges when its facts are those it was read under, else None."""
        known = self._known.get(entry.name)
        if known is None or known[0] != entry.facts:
            return None
        self._next[entry.name] = known
        return known[1]

    def learn(self, entry: Entry, digests: tuple[str, ...], read_at_ns: int) -> None:
        """Take the digests of a file, unless it changed so shortly before that it might change again unseen."""
        if read_at_ns - max(entry.facts.mtime_ns, entry.facts.ctime_ns) >= RACY_NS:
            self._next[entry.name] = (entry.facts, digests)

    def save(self) -> None:
        """Write what was recalled and learned in place of what was there; files no longer met are forgotten.

        Raises:
            UsageError: the cache cannot be written.
        """
        if self._next == self._known:
            return
        entries = {name: [*facts, *digests] for name, (facts, digests) in self._next.items()}
        body = json.dumps({"about": self._about, "entries": entries}, separators=(",", ":")).encode()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            replace_whole(self._path, self._mac(body) + b"\n" + body, mode=0o600)
        except OSError as err:
            raise UsageError(f"cannot write the digest cache {str(self._path)!r}: {err.strerror}") from err

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._secret, body, sha256).hexdigest().encode()

    def _load(self) -> dict[str, tuple[Facts, tuple[str, ...]]]:
        try:
            with self._path.open("rb") as file:
                data = file.read(LARGEST_CACHE_BYTES + 1)
        except FileNotFoundError:
            return {}
        except OSError as err:
            raise Unreadable(f"cannot read the digest cache {str(self._path)!r}: {err.strerror}") from err
        mac, body = data[:_MAC_LENGTH], data[_MAC_LENGTH + 1 :]
        document: Any = None
        if len(data) <= LARGEST_CACHE_BYTES and hmac.compare_digest(mac, self._mac(body)):
            document = json.loads(body)
        # a cache of another folder carries a right seal too
        if document is None or document["about"] != self._about:
            raise SignatureRefused(
                f"the digest cache {str(self._path)!r} was changed, or written by somebody else",
                hint=f"find out by whom, then delete it: rm {self._path}",
            )
        return {name: (Facts(*row[:5]), tuple(row[5:])) for name, row in document["entries"].items()}


def default_secret() -> Path:
    """Return where this user's secret lies: among the state of programs, never beside the cache.

    Raises:
        UsageError: the user has no home.
    """
    state = os.environ.get("XDG_STATE_HOME")
    try:
        folder = Path(state) if state else Path.home() / ".local" / "state"
    except RuntimeError as err:
        raise UsageError("this user has no home to keep the secret of the digest cache in", hint=_HINT) from err
    return folder / "redan" / "digests.secret"


def _secret(path: Path) -> bytes:
    try:
        if not path.exists():
            _make_secret(path)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - of a handle, so that what is checked is what is read
            found = os.fstat(handle)
            data = file.read(_SECRET_BYTES + 1)
    except OSError as err:
        raise UsageError(f"cannot read or make the secret of the digest cache {str(path)!r}: {err.strerror}") from err
    private = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
    if not private or len(data) != _SECRET_BYTES:
        raise SignatureRefused(
            f"the secret of the digest cache {str(path)!r} is not {_SECRET_BYTES} bytes that you alone can read",
            hint=f"delete it; a new one is made: rm {path}",
        )
    return data


def _make_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        file.write(os.urandom(_SECRET_BYTES))
    # a link fails where a rename would replace the secret that another process has just made
    with suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()

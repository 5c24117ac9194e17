"""What differs between a manifest and the data that lies there now, each in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from redan.core.errors import Unreadable
from redan.evidence.datasets.manifest import Manifest, listed

ChangeKind = Literal["changed", "added", "missing", "renamed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference.

    Attributes:
        kind: what happened to the file.
        path: the file; for a renamed one its new path.
        sentence: the same in words.
    """

    kind: ChangeKind
    path: str
    sentence: str


def place_of(manifest: Manifest, where: Path) -> Path:
    """Return where the data of a manifest lies when nobody says otherwise: around it, or beside it.

    Raises:
        Unreadable: the manifest lies under another name than it was made for, or names no neighbour of its own.
    """
    parent = where.resolve().parent
    if manifest.inside:
        if where.name != manifest.own_name:
            raise Unreadable(
                f"the manifest was made as {manifest.own_name!r} and is now {where.name!r}", hint="name it as before"
            )
        return parent
    if manifest.root in ("", ".", "..") or "/" in manifest.root or "\0" in manifest.root:
        raise Unreadable(f"the manifest names {manifest.root!r} as its data, which is no name of a file or folder")
    return parent / manifest.root


def differences(manifest: Manifest, root: Path) -> tuple[Change, ...]:
    """Digest the data again and compare it.

    A missing file whose content lies under a new name is renamed.

    Raises:
        Unreadable: there is no data, or it cannot be read.
    """
    now = {name: (size, digest) for name, size, digest in listed(root.resolve(), manifest.own_name)}
    then = {f.path: (f.size_bytes, f.sha256) for f in manifest.files}
    if root.is_file() and len(then) == 1 == len(now):
        # a single file may be compared under any name
        now = dict(zip(then, now.values(), strict=True))
    gone = sorted(then.keys() - now.keys())
    new = sorted(now.keys() - then.keys())
    found = [_changed(p, then[p], now[p]) for p in sorted(then.keys() & now.keys()) if then[p] != now[p]]
    by_digest: dict[str, list[str]] = {}
    for path in reversed(new):
        by_digest.setdefault(now[path][1], []).append(path)
    for path in gone:
        candidates = by_digest.get(then[path][1])
        if candidates:
            target = candidates.pop()
            new.remove(target)
            sentence = f"{path!r} is now {target!r}, with the same content"
            found.append(Change(kind="renamed", path=target, sentence=sentence))
        else:
            sentence = f"{path!r} ({then[path][0]:,} bytes) is missing"
            found.append(Change(kind="missing", path=path, sentence=sentence))
    for path in new:
        sentence = f"{path!r} ({now[path][0]:,} bytes) was added; the manifest does not know it"
        found.append(Change(kind="added", path=path, sentence=sentence))
    return tuple(found)


def _changed(path: str, then: tuple[int, str], now: tuple[int, str]) -> Change:
    if then[0] != now[0]:
        detail = f"{then[0]:,} bytes when the manifest was made, {now[0]:,} now"
    else:
        detail = f"as long as before, with other content (SHA-256 {then[1][:12]}…, now {now[1][:12]}…)"
    return Change(kind="changed", path=path, sentence=f"{path!r} was changed: {detail}")

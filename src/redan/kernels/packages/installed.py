"""What an environment has: the metadata that installers leave, read as files.

Source: the PyPA specifications "Recording installed projects" and "Core metadata".
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from binascii import Error
from hashlib import sha256
from typing import TYPE_CHECKING

from redan.kernels.packages.collecting import Collected
from redan.kernels.packages.model import Package, Source
from redan.kernels.packages.names import normalised, without_credentials
from redan.kernels.packages.toml import UnreadableError, table, word

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redan.kernels.packages.model import Manifest

LARGEST_METADATA_BYTES = 4 << 20
"""Bytes of one METADATA file that are read; the headers stand first."""
MOST_DISTRIBUTIONS = 10_000
"""Distributions of one environment."""

RECORD = "record-sha256"
"""Algorithm of the digest of an installed distribution: SHA-256 over the sorted rows ``path,digest`` of RECORD."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_LICENCES = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
}
"""Trove classifiers that stand for exactly one licence; "BSD License" does not."""


def read_environment(prefix: Path, shown: str) -> Manifest:
    """Read every distribution below an environment's site-packages folders.

    Args:
        prefix: the environment, or a site-packages folder itself.
        shown: what reports call it.

    Raises:
        UnreadableError: there are no distributions.
    """
    found = Collected(shown, "environment")
    folders = sorted({*prefix.glob("*.dist-info"), *prefix.glob("lib/python*/site-packages/*.dist-info")})
    folders += sorted(prefix.glob("Lib/site-packages/*.dist-info")) if not folders else []
    if not folders:
        raise UnreadableError("no installed distributions (*.dist-info) there")
    for folder in folders[:MOST_DISTRIBUTIONS]:
        if not folder.is_symlink():
            _distribution(found, folder)
    found.complete = len(folders) <= MOST_DISTRIBUTIONS
    return found.manifest()


def _distribution(found: Collected, folder: Path) -> None:
    headers = list(_headers(_text(folder / "METADATA")))
    one = dict(reversed(headers))
    if "name" not in one or "version" not in one:
        found.problem(0, f"{folder.name} has no readable METADATA")
        return
    needs = {
        normalised(match[0])
        for name, value in headers
        if name == "requires-dist" and "extra ==" not in value and (match := _NAME.match(value))
    }
    found.add(
        Package(
            name=normalised(one["name"]),
            role="installed",
            path=f"{found.path}/{folder.name}",
            version=one["version"],
            specifier=f"=={one['version']}",
            licence=_licence(headers, one),
            hashes=_record_digest(folder),
            requires=tuple(sorted(needs - {normalised(one["name"])})),
            source=_direct(folder),
        )
    )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(LARGEST_METADATA_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _headers(text: str) -> Iterator[tuple[str, str]]:
    """Yield the headers of a METADATA file up to its description."""
    for line in text.splitlines():
        if not line:
            return
        name, colon, value = line.partition(":")
        if colon and not line[0].isspace():
            yield name.strip().lower(), value.strip()


def _licence(headers: list[tuple[str, str]], one: dict[str, str]) -> str:
    """Return the expression, else the one licence that the classifiers name, else the package's own words."""
    if expression := one.get("license-expression"):
        return expression
    named = [v.rpartition(" :: ")[2] for k, v in headers if k == "classifier" and v.startswith("License ::")]
    named = [name for name in named if name != "OSI Approved"]
    if len(named) == 1 and named[0] in _LICENCES:
        return _LICENCES[named[0]]
    field = one.get("license", "")
    short = field if 0 < len(field) <= 60 and field.upper() != "UNKNOWN" else ""
    # the first line of a whole licence text names it less well than the classifier does
    is_text = field.lower().startswith("copyright")
    return short if short and not is_text else ", ".join(named) or short


def _record_digest(folder: Path) -> tuple[str, ...]:
    """Return one digest over the digests that the installer recorded, so that it changes when a file changes.

    The wheel's own digest is not kept by installers. RECORD's rows are sorted, without those that installers add.
    """
    rows = []
    for line in _text(folder / "RECORD").splitlines():
        path, _, rest = line.rpartition(",")[0].rpartition(",")
        algorithm, equals, value = rest.partition("=")
        added = path.endswith((".pyc", "/INSTALLER", "/REQUESTED", "/direct_url.json")) or path.startswith("..")
        if equals and not added and algorithm == "sha256" and _is_digest(value):
            rows.append(f"{path},{value}")
    whole = "\n".join(sorted(rows))
    return (f"{RECORD}:{sha256(whole.encode()).hexdigest()}",) if rows else ()


def _is_digest(value: str) -> bool:
    try:
        return len(urlsafe_b64decode(value + "=" * (-len(value) % 4))) == 32
    except (Error, ValueError):
        return False


def _direct(folder: Path) -> Source:
    """Read where it was installed from when that was no index. Source: PyPA specification of direct_url.json."""
    from redan.kernels.packages.locks import json_object

    text = _text(folder / "direct_url.json")
    if not text:
        return Source()
    try:
        document = json_object(text)
    except UnreadableError:
        return Source()
    url = without_credentials(word(document.get("url")))[0]
    vcs = table(document, "vcs_info")
    if vcs:
        return Source(kind="vcs", url=url, revision=word(vcs.get("commit_id")))
    if "dir_info" in document:
        return Source(kind="editable" if table(document, "dir_info").get("editable") is True else "path", url=url)
    return Source(kind="url", url=url)

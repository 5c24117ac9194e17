"""What lock files chose: Poetry, PDM, uv, Pipenv, PEP 751 and npm.

Sources: the PyPA specification of pylock.toml (PEP 751); the lock files that Poetry 2, PDM 2, uv and Pipenv write;
npm's documentation of package-lock.json.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from redan.kernels.packages.collecting import Collected
from redan.kernels.packages.model import Package, Source
from redan.kernels.packages.names import LONGEST_NAME, normalised, without_credentials
from redan.kernels.packages.projects import table_source
from redan.kernels.packages.toml import Lines, UnreadableError, parse, rows, strings, table, word

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redan.kernels.packages.model import Manifest

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_INTEGRITY = re.compile(r"(sha1|sha256|sha384|sha512)-([A-Za-z0-9+/=]+)")


def read_poetry_lock(text: str, path: str) -> Manifest:
    """Read a poetry.lock.

    Raises:
        UnreadableError: no TOML.
    """
    document, lines, found = parse(text), Lines(text), Collected(path, "poetry-lock")
    older = table(document, "metadata", "files")
    for row in rows(document.get("package")):
        source, name = table(row, "source"), word(row.get("name"))
        address, _ = without_credentials(word(source.get("url")))
        kinds = {"git": "vcs", "url": "url", "file": "path", "directory": "path"}
        groups = strings(row.get("groups")) or [word(row.get("category")) or "main"]
        found.add(
            _locked(
                found,
                lines,
                name=name,
                version=word(row.get("version")),
                group="" if "main" in groups else f"group:{groups[0]}",
                marker=word(row.get("markers")),
                hashes=_hashes(row.get("files") or older.get(name)),
                requires=table(row, "dependencies"),
                source=Source(
                    kind=kinds.get(word(source.get("type")), "index"),  # type: ignore[arg-type]  # one of the words above
                    url=address,
                    revision=word(source.get("resolved_reference")),
                ),
            )
        )
    return found.manifest()


def read_pdm_lock(text: str, path: str) -> Manifest:
    """Read a pdm.lock.

    Raises:
        UnreadableError: no TOML.
    """
    document, lines, found = parse(text), Lines(text), Collected(path, "pdm-lock")
    for row in rows(document.get("package")):
        groups = strings(row.get("groups"))
        found.add(
            _locked(
                found,
                lines,
                name=word(row.get("name")),
                version=word(row.get("version")),
                group="" if not groups or "default" in groups else f"group:{groups[0]}",
                marker=word(row.get("marker")),
                hashes=_hashes(row.get("files")),
                requires=strings(row.get("dependencies")),
                source=table_source(row),
            )
        )
    return found.manifest()


def read_uv_lock(text: str, path: str) -> Manifest:
    """Read a uv.lock; the project itself, which it lists too, is the manifest's project.

    Raises:
        UnreadableError: no TOML.
    """
    document, lines, found = parse(text), Lines(text), Collected(path, "uv-lock")
    project = version = ""
    for row in rows(document.get("package")):
        source = table(row, "source")
        if {"virtual", "editable"} & source.keys() and (source.get("virtual") or source.get("editable")) == ".":
            project, version = normalised(word(row.get("name"))), word(row.get("version"))
            continue
        files = [*rows(row.get("wheels")), table(row, "sdist")]
        found.add(
            _locked(
                found,
                lines,
                name=word(row.get("name")),
                version=word(row.get("version")),
                hashes=_hashes(files),
                requires=[word(need.get("name")) for need in rows(row.get("dependencies"))],
                source=_uv_source(source),
            )
        )
    return found.manifest(project=project, version=version)


def _uv_source(source: dict[str, Any]) -> Source:
    git = without_credentials(word(source.get("git")))[0]
    if git:
        address, _, revision = git.partition("#")
        return Source(kind="vcs", url=address.partition("?")[0], revision=revision)
    for key, kind in (("url", "url"), ("path", "path"), ("directory", "path"), ("editable", "editable")):
        if place := word(source.get(key)):
            return Source(kind=kind, url=without_credentials(place)[0])  # type: ignore[arg-type]  # one of the words above
    index = without_credentials(word(source.get("registry")))[0]
    return Source(url="" if index.rstrip("/") == "https://pypi.org/simple" else index)


def read_pylock(text: str, path: str) -> Manifest:
    """Read a pylock.toml.

    Raises:
        UnreadableError: no TOML.
    """
    document, lines, found = parse(text), Lines(text), Collected(path, "pylock")
    for row in rows(document.get("packages")):
        vcs, archive, folder = table(row, "vcs"), table(row, "archive"), table(row, "directory")
        files = [*rows(row.get("wheels")), table(row, "sdist"), archive]
        source = Source(url=without_credentials(word(row.get("index")))[0].removeprefix("https://pypi.org/simple"))
        if vcs:
            address = without_credentials(word(vcs.get("url")) or word(vcs.get("path")))[0]
            source = Source(kind="vcs", url=address, revision=word(vcs.get("commit-id")))
        elif archive:
            source = Source(kind="url", url=without_credentials(word(archive.get("url")))[0])
        elif folder:
            kind = "editable" if folder.get("editable") is True else "path"
            source = Source(kind=kind, url=word(folder.get("path")))  # type: ignore[arg-type]  # one of two words
        found.add(
            _locked(
                found,
                lines,
                name=word(row.get("name")),
                version=word(row.get("version")),
                marker=word(row.get("marker")),
                hashes=_hashes(files),
                requires=[word(need.get("name")) for need in rows(row.get("dependencies"))],
                source=source,
            )
        )
    return found.manifest()


def read_pipfile_lock(text: str, path: str) -> Manifest:
    """Read a Pipfile.lock.

    Raises:
        UnreadableError: no JSON object.
    """
    document, lines, found = json_object(text), Lines(text), Collected(path, "pipfile-lock")
    for number, source in enumerate(rows(table(document, "_meta").get("sources"))):
        found.option("extra-index-url" if number else "index-url", word(source.get("url")))
        if source.get("verify_ssl") is False:
            found.option("trusted-host", word(source.get("url")))
    for section, group in (("default", ""), ("develop", "group:dev")):
        for name, value in table(document, section).items():
            row = table(value)
            found.add(
                _locked(
                    found,
                    lines,
                    name=name,
                    version=word(row.get("version")).removeprefix("=="),
                    group=group,
                    marker=word(row.get("markers")),
                    hashes=tuple(sorted(set(strings(row.get("hashes"))))),
                    source=table_source(row),
                )
            )
    return found.manifest()


def read_package_lock(text: str, path: str) -> Manifest:
    """Read the packages of a package-lock.json of version 2 or 3.

    Raises:
        UnreadableError: no JSON object, or a version without the table of packages.
    """
    document, lines, found = json_object(text), Lines(text), Collected(path, "package-lock")
    if not isinstance(document.get("packages"), dict):
        raise UnreadableError("lock file of a version before 2")
    for place, value in table(document, "packages").items():
        row = table(value)
        if not place or row.get("link") is True:
            continue
        name = (word(row.get("name")) or place.rpartition("node_modules/")[2])[:LONGEST_NAME]
        found.add(
            Package(
                name=name,
                ecosystem="npm",
                role="locked",
                path=path,
                line=lines.of(f'"{place}"'),
                version=word(row.get("version")),
                group="group:dev" if row.get("dev") is True else "",
                licence=word(row.get("license")),
                hashes=_integrity(word(row.get("integrity"))),
                requires=tuple(sorted(table(row, "dependencies"))),
            )
        )
    return found.manifest(project=word(document.get("name")), version=word(document.get("version")))


def json_object(text: str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        UnreadableError: it is none, or nested too deep.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"no JSON: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise UnreadableError("no JSON object")
    return document


def _locked(
    found: Collected,
    lines: Lines,
    *,
    name: str,
    version: str,
    hashes: tuple[str, ...],
    requires: Iterable[str] = (),
    group: str = "",
    marker: str = "",
    source: Source,
) -> Package:
    needs = {normalised(match[0]) for text in requires if (match := _NAME.match(text))}
    return Package(
        name=normalised(name),
        role="locked",
        path=found.path,
        line=lines.of(f'"{name}"'),
        version=version,
        specifier=f"=={version}" if version else "",
        group=group,
        marker=marker,
        hashes=hashes,
        requires=tuple(sorted(needs - {normalised(name), "python"})),
        source=source,
    )


def _hashes(files: Any) -> tuple[str, ...]:
    """Return the digests of a table of files, whichever of the two spellings it uses."""
    found = set()
    for row in rows(files):
        if digest := word(row.get("hash")):
            found.add(digest)
        found.update(f"{algorithm}:{word(digest)}" for algorithm, digest in table(row, "hashes").items())
    return tuple(sorted(found))


def _integrity(text: str) -> tuple[str, ...]:
    """Return the digests of a subresource integrity string in hexadecimal."""
    from base64 import b64decode
    from binascii import Error

    found = set()
    for match in _INTEGRITY.finditer(text):
        try:
            found.add(f"{match[1]}:{b64decode(match[2], validate=True).hex()}")
        except (Error, ValueError):
            continue
    return tuple(sorted(found))

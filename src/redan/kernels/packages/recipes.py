"""Packages named in recipes: conda environments, Dockerfiles and notebooks.

Sources: conda documentation, "Managing environments"; Dockerfile reference; IPython's magic commands.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

from redan.kernels.packages import yaml
from redan.kernels.packages.collecting import Collected
from redan.kernels.packages.limits import LONGEST_LINE
from redan.kernels.packages.locks import json_object
from redan.kernels.packages.model import Include, Package, Source
from redan.kernels.packages.requirements_txt import editable, logical_lines, read_line
from redan.kernels.packages.toml import Lines, UnreadableError, rows, strings, word

if TYPE_CHECKING:
    from redan.kernels.packages.model import Manifest

_CONDA = re.compile(r"(?:([\w./:-]+)::)?([A-Za-z0-9_][\w.-]*)\s*(.*)")
_CONDA_EXACT = re.compile(r"={1,2}\s*(\d[\w.!+]*)(?:=\S+)?")
_FROM = re.compile(r"FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?\s*$", re.IGNORECASE)
_IMAGE = re.compile(r"(.+?)(?::([\w][\w.-]*))?(?:@(sha256:[0-9a-f]{64}))?")
_INSTALL = re.compile(r"(?:^|[\s;&|!%/])(?:pip3?(?:\.\d+)?|uv\s+pip)\s+install\s+([^;&|\n]+)")
_MAGIC = re.compile(
    r"^\s*[%!]{1,2}\s*(?:\{?sys\.executable\}?\s+-m\s+|python3?\s+-m\s+)?(?:uv\s+)?pip3?\s+install\s+(.+)$"
)
_VALUED = frozenset(
    {
        "-i", "--index-url", "--extra-index-url", "--trusted-host", "-f", "--find-links", "-r", "--requirement", "-c",
        "--constraint", "-e", "--editable", "-t", "--target", "--prefix", "--root", "--platform", "--python-version",
        "--cache-dir", "--timeout", "--retries", "--proxy", "--cert", "--only-binary", "--no-binary", "--progress-bar",
        "--python",
    }
)  # fmt: skip
_LONG = {"-i": "index-url", "-f": "find-links", "-r": "requirement", "-c": "constraint", "-e": "editable"}


def read_conda(text: str, path: str) -> Manifest:
    """Read a conda environment file with its pip section.

    Raises:
        UnreadableError: no YAML, or YAML beyond mappings, lists and scalars.
    """
    try:
        document = yaml.parse(text)
    except yaml.UnreadableYamlError as error:
        raise UnreadableError(f"no YAML that is read: {error}") from error
    if not isinstance(document, dict):
        raise UnreadableError("no environment: a mapping was expected")
    lines, found = Lines(text), Collected(path, "conda")
    for entry in document.get("dependencies") or ():
        if isinstance(entry, str):
            _conda_package(found, entry, lines.of(entry))
        elif isinstance(entry, dict):
            for line in strings(entry.get("pip")):
                read_line(found, line, lines.of(line))
    return found.manifest()


def _conda_package(found: Collected, text: str, line: int) -> None:
    match = _CONDA.fullmatch(text.strip())
    if match is None:
        found.problem(line, "no conda package")
        return
    channel, name, specifier = match[1] or "", match[2].lower(), match[3].strip()
    exact = _CONDA_EXACT.fullmatch(specifier)
    found.add(
        Package(
            name=name,
            ecosystem="conda",
            role="declared",
            path=found.path,
            line=line,
            version=exact[1] if exact else "",
            specifier=specifier,
            source=Source(url=channel),
        )
    )


def read_dockerfile(text: str, path: str) -> Manifest:
    """Read base images and ``pip install`` lines of a Dockerfile."""
    lines, found = list(logical_lines(text)), Collected(path, "dockerfile")
    stages: set[str] = set()
    for number, logical in lines:
        if len(logical) > LONGEST_LINE:
            found.problem(number, "the line is too long")
            found.complete = False
            continue
        match = _FROM.match(logical)
        if match is not None:
            _image(found, match[1], number, stages)
            stages.add((match[2] or "").lower())
        elif logical[:4].upper() == "RUN ":
            for install in _INSTALL.finditer(logical):
                read_install(found, install[1], number)
    return found.manifest()


def _image(found: Collected, reference: str, line: int, stages: set[str]) -> None:
    if reference.lower() in stages or reference == "scratch":
        return
    match = _IMAGE.fullmatch(reference)
    if match is None or "$" in reference:
        found.problem(line, "the base image is computed when the image is built")
        return
    name, tag, digest = match[1].lower(), match[2] or "", match[3] or ""
    found.add(
        Package(
            name=name,
            ecosystem="docker",
            role="declared",
            path=found.path,
            line=line,
            version=tag,
            specifier=tag,
            hashes=(digest,) if digest else (),
        )
    )


def read_notebook(text: str, path: str) -> Manifest:
    """Read the ``%pip install`` and ``!pip install`` lines of a notebook's code cells; the line is the cell's number.

    Raises:
        UnreadableError: no notebook.
    """
    if "install" not in text:
        return Collected(path, "notebook").manifest()
    document, found = json_object(text), Collected(path, "notebook")
    for number, cell in enumerate(rows(document.get("cells")), 1):
        if cell.get("cell_type") != "code":
            continue
        source: Any = cell.get("source")
        for line in ("".join(strings(source)) or word(source)).splitlines():
            match = _MAGIC.match(line) if len(line) <= LONGEST_LINE else None
            if match is not None:
                read_install(found, match[1], number)
    return found.manifest()


def read_install(found: Collected, words: str, line: int) -> None:
    """Read the arguments of one ``pip install``."""
    try:
        parts = shlex.split(words, comments=True)
    except ValueError:
        found.problem(line, "the arguments of pip install end within quotes")
        return
    wanted = iter(parts)
    for part in wanted:
        name, equals, value = part.partition("=")
        if part.startswith("-"):
            value = value if equals else next(wanted, "") if part in _VALUED else ""
            _install_option(found, _LONG.get(name, name.removeprefix("--")), value, line)
        elif "$" not in part and "{" not in part:
            found.requirement(part, line=line)
        else:
            found.problem(line, "what pip installs is computed")


def _install_option(found: Collected, name: str, value: str, line: int) -> None:
    if name == "editable":
        editable(found, value, line)
    elif name in ("requirement", "constraint"):
        found.includes.append(Include(path=value, line=line, constraints=name == "constraint"))
    else:
        found.option(name, value, line)

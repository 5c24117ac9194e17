"""What a project asks for: pyproject.toml, setup.cfg, setup.py and Pipfile.

Sources: the PyPA specifications of pyproject.toml and of dependency groups; the documentation of Poetry, setuptools
and Pipenv.
"""

from __future__ import annotations

import ast
import configparser
from typing import TYPE_CHECKING, Any

from redan.kernels.packages.collecting import Collected
from redan.kernels.packages.limits import LARGEST_CODE_BYTES
from redan.kernels.packages.model import Package, Source
from redan.kernels.packages.names import normalised, without_credentials
from redan.kernels.packages.requirement import pinned
from redan.kernels.packages.toml import Lines, UnreadableError, parse, rows, strings, table, word

if TYPE_CHECKING:
    from redan.kernels.packages.model import Manifest, Role


def read_pyproject(text: str, path: str) -> Manifest:
    """Read the dependencies that a pyproject.toml declares, in the standard's tables and in Poetry's.

    Raises:
        UnreadableError: no TOML.
    """
    document, lines, found = parse(text), Lines(text), Collected(path, "pyproject")
    project, poetry = table(document, "project"), table(document, "tool", "poetry")
    _listed(found, lines, project.get("dependencies"))
    for extra, listed in table(project, "optional-dependencies").items():
        _listed(found, lines, listed, group=f"extra:{extra}")
    for group, listed in table(document, "dependency-groups").items():
        _listed(found, lines, listed, group=f"group:{group}")
    _listed(found, lines, table(document, "build-system").get("requires"), role="build")
    _poetry(found, lines, table(poetry, "dependencies"))
    _poetry(found, lines, table(poetry, "dev-dependencies"), group="group:dev")
    for group, inside in table(poetry, "group").items():
        _poetry(found, lines, table(inside, "dependencies"), group=f"group:{group}")
    _indexes(found, lines, document)
    licence = project.get("license", poetry.get("license"))
    return found.manifest(
        project=normalised(word(project.get("name")) or word(poetry.get("name"))),
        version=word(project.get("version")) or word(poetry.get("version")),
        licence=word(licence) or word(table(licence).get("text")),
    )


def _listed(found: Collected, lines: Lines, listed: Any, *, group: str = "", role: Role = "declared") -> None:
    for text in strings(listed):
        found.requirement(text, role=role, group=group, line=lines.of(text.split('"')[0]))


def _indexes(found: Collected, lines: Lines, document: dict[str, Any]) -> None:
    """Keep the package indexes that Poetry, PDM and uv are told to ask."""
    tool = table(document, "tool")
    for source in rows(table(tool, "poetry").get("source")):
        # a source of no other priority replaces the public index; a supplemental or explicit one cannot shadow it
        name = {"secondary": "extra-index-url", "supplemental": "index", "explicit": "index"}
        _index(found, lines, name.get(word(source.get("priority")), "index-url"), source)
    for source in rows(table(tool, "pdm").get("source")):
        _index(found, lines, "index-url" if source.get("name") == "pypi" else "extra-index-url", source)
    # uv takes a package from the first index that has it, unless it is told to compare them all
    compares = word(table(tool, "uv").get("index-strategy")).startswith("unsafe")
    for source in rows(table(tool, "uv").get("index")):
        shadows = compares and not source.get("explicit") and not source.get("default")
        _index(found, lines, "extra-index-url" if shadows else "index", source)
    for url in strings(table(tool, "uv").get("extra-index-url")):
        found.option("extra-index-url" if compares else "index", url, lines.of(url))


def _index(found: Collected, lines: Lines, name: str, source: dict[str, Any]) -> None:
    url = word(source.get("url"))
    found.option(name, url, lines.of(url))
    if source.get("verify_ssl") is False:
        found.option("trusted-host", url, lines.of(url))


def _poetry(found: Collected, lines: Lines, wanted: dict[str, Any], *, group: str = "") -> None:
    for name, value in wanted.items():
        if name != "python":
            for entry in value if isinstance(value, list) else [value]:
                found.add(_tabled(found.path, name, entry, group=group, line=lines.of(name)))


def _tabled(path: str, name: str, value: Any, *, group: str, line: int) -> Package:
    """Read a dependency written as a table or as a version."""
    entry = table(value)
    version = word(entry.get("version")) if entry else word(value)
    version = "" if version == "*" else version
    return Package(
        name=normalised(name),
        role="declared",
        path=path,
        line=line,
        group=group,
        specifier=f"=={version}" if version[:1].isdigit() and not version.endswith("*") else version,
        version=version if version[:1].isdigit() and not version.endswith("*") else pinned(version),
        extras=tuple(sorted(strings(entry.get("extras")))),
        marker=word(entry.get("markers")),
        source=table_source(entry),
    )


def table_source(entry: dict[str, Any]) -> Source:
    """Return where a table says that a package comes from."""
    for key, kind in (("git", "vcs"), ("hg", "vcs"), ("url", "url"), ("file", "path"), ("path", "path")):
        if address := word(entry.get(key)):
            clean = without_credentials(address)[0]
            revision = next((word(entry.get(k)) for k in ("rev", "ref", "tag", "branch") if entry.get(k)), "")
            in_place = kind == "path" and (entry.get("develop") or entry.get("editable"))
            return Source(kind="editable" if in_place else kind, url=clean, revision=revision)  # type: ignore[arg-type]  # one of the words above
    return Source()


def read_pipfile(text: str, path: str) -> Manifest:
    """Read a Pipfile.

    Raises:
        UnreadableError: no TOML.
    """
    document, lines, found = parse(text), Lines(text), Collected(path, "pipfile")
    for number, source in enumerate(rows(document.get("source"))):
        _index(found, lines, "extra-index-url" if number else "index-url", source)
    for section, group in (("packages", ""), ("dev-packages", "group:dev")):
        for name, value in table(document, section).items():
            found.add(_tabled(path, name, value, group=group, line=lines.of(name)))
    return found.manifest()


def read_setup_cfg(text: str, path: str) -> Manifest:
    """Read the dependencies in a setup.cfg.

    Raises:
        UnreadableError: no settings file.
    """
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise UnreadableError(f"no settings: {str(error).splitlines()[0]}") from error
    lines, found = Lines(text), Collected(path, "setup-cfg")
    wanted = [("options", "install_requires", "", "declared"), ("options", "setup_requires", "", "build")]
    if parser.has_section("options.extras_require"):
        wanted += [("options.extras_require", k, f"extra:{k}", "declared") for k in parser["options.extras_require"]]
    for section, key, group, role in wanted:
        for text_line in parser.get(section, key, fallback="").splitlines():
            if plain := text_line.partition(" #")[0].strip():
                found.requirement(plain, role=role, group=group, line=lines.of(plain))  # type: ignore[arg-type]  # one of the two words above
    meta = {key: parser.get("metadata", key, fallback="") for key in ("name", "version", "license")}
    computed = meta["version"].startswith(("attr:", "file:"))
    return found.manifest(
        project=normalised(meta["name"]), version="" if computed else meta["version"], licence=meta["license"]
    )


def read_setup_py(text: str, path: str) -> Manifest:
    """Read the literal arguments of ``setup()`` from the syntax tree; nothing is executed.

    Raises:
        UnreadableError: no Python, or more than is read.
    """
    if len(text) > LARGEST_CODE_BYTES:
        raise UnreadableError(f"more than {LARGEST_CODE_BYTES} characters of code")
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableError(f"no Python that can be read: {type(error).__name__}") from error
    found = Collected(path, "setup-py")
    named = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    facts: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) == "setup":
            for argument in node.keywords:
                _argument(found, argument, named, facts)
    return found.manifest(
        project=normalised(facts.get("name", "")), version=facts.get("version", ""), licence=facts.get("license", "")
    )


def _called(node: ast.Call) -> str:
    function = node.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def _argument(found: Collected, argument: ast.keyword, named: dict[str, ast.expr], facts: dict[str, str]) -> None:
    value = argument.value
    if isinstance(value, ast.Name):
        value = named.get(value.id, value)
    if argument.arg in ("name", "version", "license") and isinstance(value, ast.Constant):
        facts[argument.arg] = str(value.value)
    elif argument.arg in ("install_requires", "setup_requires", "tests_require"):
        role: Role = "declared" if argument.arg == "install_requires" else "build"
        _elements(found, value, "", role)
    elif argument.arg == "extras_require":
        if not isinstance(value, ast.Dict):
            found.problem(argument.value.lineno, "extras_require is computed, not written out")
            return
        for key, listed in zip(value.keys, value.values, strict=True):
            extra = str(key.value) if isinstance(key, ast.Constant) else "?"
            _elements(found, listed, "extra:" + extra, "declared")


def _elements(found: Collected, value: ast.expr, group: str, role: Role) -> None:
    if not isinstance(value, ast.List | ast.Tuple | ast.Set):
        found.problem(value.lineno, "the requirements are computed, not written out")
        return
    for element in value.elts:
        if isinstance(element, ast.Constant) and isinstance(element.value, str):
            found.requirement(element.value, role=role, group=group, line=element.lineno)
        else:
            found.problem(element.lineno, "a requirement is computed, not written out")

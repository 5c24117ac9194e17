"""The frozen lists of names that saved models need, one JSON file for each top-level package, read when needed.

`scripts/freeze_allowlist.py` writes them by introspection of the frameworks; each file says of which versions. Nothing
that is installed on this machine changes what they say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redan.kernels.artifacts.machine.values import Grade

_FOLDER = Path(__file__).with_name("lists")

_GRADES: dict[str, Grade] = {"c": "class", "k": "constructor", "f": "function", "v": "value", "s": "special"}

PACKAGES = frozenset(path.stem for path in _FOLDER.glob("*.json"))
"""Top-level packages with a frozen list."""

_ALIASES = {"__builtin__": "builtins", "copy_reg": "copyreg", "exceptions": "builtins", "_operator": "operator"}


class _Package:
    """The frozen list of one package."""

    __slots__ = ("attributes", "modules", "names")

    def __init__(self, name: str) -> None:
        document = json.loads((_FOLDER / f"{name}.json").read_bytes())
        self.names: dict[str, str] = document["names"]
        self.modules = frozenset(document.get("modules", ()))
        self.attributes: dict[str, list[str]] = document.get("attributes", {})


_loaded: dict[str, _Package] = {}


def _package(name: str) -> _Package | None:
    if name not in PACKAGES:
        return None
    package = _loaded.get(name)
    if package is None:
        package = _loaded[name] = _Package(name)
    return package


def canonical(module: str) -> str:
    """The Python 3 name of a module."""
    return _ALIASES.get(module, module)


def grade(module: str, name: str) -> Grade | None:
    """What the lists allow `module.name` to be used for, or None where they do not know it.

    Args:
        module: A canonical module name.
        name: An attribute path within it.
    """
    root = module.partition(".")[0]
    package = _package(root) if root in PACKAGES else _package("stdlib")
    if package is None:
        return None
    letters = package.names.get(module)
    if letters is None:
        return None
    return _GRADES.get(_letter(letters, name))


def _letter(listing: str, name: str) -> str:
    """The letter before `name` in a listing such as ` c:Pipeline f:make_pipeline `."""
    if " " in name or ":" in name:
        return ""
    at = listing.find(f":{name} ")
    return listing[at - 1] if at > 0 else ""


def attribute_is_listed(module: str, owner: str, name: str) -> bool:
    """Whether `getattr(module.owner, name)` is a pair that saved models use."""
    root = module.partition(".")[0]
    package = _package(root) if root in PACKAGES else _package("stdlib")
    return package is not None and name in package.attributes.get(f"{module}.{owner}", ())


def is_standard_library(module: str) -> bool:
    """Whether the module's top-level name belongs to a Python standard library."""
    package = _package("stdlib")
    return package is not None and module.partition(".")[0] in package.modules


def is_known_package(module: str) -> bool:
    """Whether the package was introspected, so that a name which is not listed is no part of a saved model."""
    return module.partition(".")[0] in PACKAGES or is_standard_library(module)

"""Modules that are read together, so that names and data are followed from one file into another."""

from __future__ import annotations

from collections.abc import Iterable

from redan.core.record import dataclass
from redan.kernels.code.collecting import collect
from redan.kernels.code.flow import Flow
from redan.kernels.code.handlers import handlers
from redan.kernels.code.module import Module
from redan.kernels.code.naming import Names
from redan.kernels.code.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What was read together.

    Attributes:
        modules: in the order of their sources.
        missed: (path, why) of the sources that could not be followed.
        whole: whether all flows were followed to their ends.
    """

    modules: tuple[Module, ...]
    missed: tuple[tuple[str, str], ...] = ()
    whole: bool = True


def read_folder(sources: Iterable[Source]) -> Folder:
    """Resolve the names of modules and follow what requests, models and downloads decide.

    Args:
        sources: parsed modules; their paths tell which of them imports which.
    """
    modules, missed = [], []
    for source in sources:
        name, package = dotted(source.path)
        try:
            modules.append(Module(source, name, collect(source.tree, name, package)))
        except RecursionError:
            missed.append((source.path, "nested too deep to be followed"))
    names = Names({module.name: module.scopes[0] for module in modules})
    for module in modules:
        names.add(module.scopes)
    whole = []
    for module in modules:
        try:
            module.index(names)
        except RecursionError:
            missed.append((module.source.path, "nested too deep to be followed"))
            continue
        whole.append(module)
    home = {scope: module for module in whole for scope in module.scopes}
    for module in whole:
        for scope, how in handlers(module.scopes, module.calls, names):
            if scope in home:
                home[scope].handlers[scope] = how
    flow = Flow(whole, names)
    flow.run()
    for module in whole:
        module.flow = flow
    return Folder(modules=tuple(whole), missed=tuple(missed), whole=flow.whole)


def dotted(path: str) -> tuple[str, str]:
    """Return the dotted name of a module and of its package for a path as reports show it, with colons in front."""
    parts = [
        part.replace(".", "_")
        for part in path.replace("\\", "/").removesuffix(".py").split("/")
        if part not in ("", ".")
    ]
    package = parts[:-1]
    if parts and parts[-1] == "__init__":
        parts = package
    return ":" + ".".join(parts), ":" + ".".join(package)

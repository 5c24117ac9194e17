"""``MODULE.py:FACTORY`` from a judged folder: its code is run from the bytes that were judged, not from the files.

Modules that the code imports and that lie beside it come from the same bytes, for as long as it is being built.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from redan.core.errors import ConfigError, RedanError, SubjectFailed, UnknownName
from redan.subjects.failures import first_line

if TYPE_CHECKING:
    from types import ModuleType

_building = Lock()


class _Judged(MetaPathFinder, Loader):
    """Finds top-level modules among judged bytes, under names of this model alone."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self.made: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if path is not None or f"{fullname}.py" not in self._files:
            return None
        self.made.append(fullname)
        return spec_from_loader(fullname, self, origin=f"{fullname}.py (judged)")

    def exec_module(self, module: ModuleType) -> None:
        name = f"{module.__name__}.py"
        exec(compile(self._files[name], name, "exec"), vars(module))  # noqa: S102 - code that a known key vouched for


def made_from(files: Mapping[str, bytes], name: str, function: str) -> Any:
    """Run a factory from bytes in memory.

    Args:
        files: the judged folder: path inside it → bytes.
        name: of the module's file, at the top of the folder.
        function: called without arguments.

    Raises:
        UnknownName: there is no such file or function.
        SubjectFailed: the code raised.
    """
    if name not in files:
        raise UnknownName.among("file in the model's folder", name, [each for each in files if each.endswith(".py")])
    module_name = name.removesuffix(".py")
    try:
        with _finding(files) as finder:
            spec = spec_from_loader(module_name, finder, origin=f"{name} (judged)")
            assert spec is not None
            module = module_from_spec(spec)
            sys.modules[module_name] = module
            finder.made.append(module_name)
            finder.exec_module(module)
            factory = getattr(module, function, None)
            if not callable(factory):
                known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
                raise UnknownName.among(f"function in {name}", function, known)
            return factory()
    except RedanError:
        raise
    except Exception as err:
        raise SubjectFailed(
            f"{name}:{function}() raised {type(err).__name__}: {first_line(err)}",
            hint="the factory is called without arguments and returns the network",
        ) from err


@contextmanager
def _finding(files: Mapping[str, bytes]) -> Iterator[_Judged]:
    """Let imports find the judged modules first, and forget them afterwards: two versions may use the same names."""
    with _building:
        finder = _Judged(files)
        names = {each.removesuffix(".py") for each in files if each.endswith(".py") and "/" not in each}
        kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
        sys.meta_path.insert(0, finder)
        try:
            yield finder
        finally:
            sys.meta_path.remove(finder)
            for name in finder.made:
                sys.modules.pop(name, None)
            sys.modules.update(kept)


def folder_of(module: Path, weights: str, root: Path) -> Path:
    """Return the folder that is judged where a factory builds the network: its own, and the weights lie in it.

    Raises:
        ConfigError: the weights lie elsewhere.
    """
    folder = module.resolve().parent
    if weights and not (root / weights).resolve().is_relative_to(folder):
        raise ConfigError(
            f"the weights {weights!r} lie outside of the folder of {module.name!r}, so no statement covers both",
            hint="put code and weights into one folder of their own, and seal that folder",
        )
    if folder == root.resolve():
        raise ConfigError(
            f"{module.name!r} lies beside redan.toml, so everything there would be the model",
            hint="put code and weights into one folder of their own, and seal that folder",
        )
    return folder

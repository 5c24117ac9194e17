"""``MODULE.py:FACTORY``: the user's own code, named on the command line, that makes the object to measure."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import RedanError, SubjectFailed, UnknownName, Unreadable, UsageError
from redan.subjects.digests import uri
from redan.subjects.failures import first_line, needing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


def split_factory(text: str) -> tuple[Path, str] | None:
    """Split ``MODULE.py:FACTORY``; None when the text is something else."""
    path, colon, name = text.rpartition(":")
    if not colon or not path.endswith(".py"):
        return None
    return Path(path), name


def made_by(path: Path, name: str) -> Any:
    """Import a Python file and call one of its functions without arguments.

    The file is code that the user gave by name and therefore runs with the user's rights. Its folder is on
    ``sys.path`` while it is imported and while the factory runs, so that it finds its neighbours; no bytecode is
    written there, since the folder may be sealed and would then be another model.

    Raises:
        Unreadable: there is no such file.
        UnknownName: the file has no such function, with the nearest one.
        UsageError: the name is no identifier.
        MissingDependency: it needs a library that one of our extras brings.
        SubjectFailed: the import or the factory raised.
    """
    factory = named_in(path, name)
    try:
        with _beside(path.resolve().parent), needing(f"{path.name}:{name}()"):
            return factory()
    except RedanError:
        raise
    except Exception as err:
        raise SubjectFailed(
            f"{path.name}:{name}() raised {type(err).__name__}: {first_line(err)}",
            hint="the factory is called without arguments and returns the model",
        ) from err


def named_in(path: Path, name: str) -> Any:
    """Import a Python file, as `made_by` does, and return one of its functions.

    Raises:
        Unreadable: there is no such file.
        UnknownName: the file has no such function, with the nearest one.
        UsageError: the name is no identifier.
        MissingDependency: it needs a library that one of our extras brings.
        SubjectFailed: the import raised.
    """
    if not name.isidentifier():
        raise UsageError(f"{name!r} names no function", hint="write MODULE.py:FACTORY")
    if not path.is_file():
        raise Unreadable(f"there is no file {uri(path)!r}", hint="give the path of the .py file that has the factory")
    with _beside(path.resolve().parent):
        module = _imported(path.resolve())
        factory = getattr(module, name, None)
        if not callable(factory):
            known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
            raise UnknownName.among(f"function in {path.name}", name, known)
    return factory


def _imported(path: Path) -> ModuleType:
    unique = f"_redan_factory_{sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    spec = spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise Unreadable(f"{uri(path)!r} is no Python file")
    module = module_from_spec(spec)
    # classes of the module must be found by name later, by pickle and by copy
    sys.modules[unique] = module
    try:
        with needing(path.name):
            spec.loader.exec_module(module)
    except RedanError:
        del sys.modules[unique]
        raise
    except Exception as err:
        del sys.modules[unique]
        raise SubjectFailed(
            f"importing {path.name} raised {type(err).__name__}: {first_line(err)}",
            hint=f"run `python {path.name}` in its folder to see the whole trace",
        ) from err
    return module


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    entry, writes_none = str(folder), sys.dont_write_bytecode
    sys.path.insert(0, entry)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_none
        if entry in sys.path:
            sys.path.remove(entry)

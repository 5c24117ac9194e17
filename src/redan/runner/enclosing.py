"""From what a command is declared to need to what the sandbox grants it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redan.core.errors import Unreadable, UsageError
from redan.subjects.sandbox.command import Command
from redan.subjects.sandbox.confinement import DEVICE, EXECUTE, READ, WRITE
from redan.subjects.sandbox.entering import SYSTEM

if TYPE_CHECKING:
    from redan.runner.execute import Wanted

_LOOKED_UP = (
    "/usr/share",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/certs",
    "/etc/nsswitch.conf",
    "/etc/mime.types",
    "/etc/locale.alias",
    "/etc/os-release",
    "/proc/sys",
    "/sys/kernel/mm",
)
"""What libraries of training commands read beside `SYSTEM`, none of it secret."""
_LOADERS = ("/lib64", "/lib/ld-linux-aarch64.so.1", "/usr/lib64", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu")
"""Where the dynamic loader lies, which is executed with every program."""
_USED_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_GPU_DEVICES = ("nvidia*", "kfd", "dri", "dxg")
_HANDED_OVER = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TERM",
    "VIRTUAL_ENV",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "KERAS_BACKEND",
    "TOKENIZERS_PARALLELISM",
)
_SHARED_PREFIXES = frozenset({"/", "/usr", "/usr/local"})
"""Where an interpreter lies beside everything else that is installed."""
_LONGEST_SHEBANG = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a command may touch beside the system's libraries and its own interpreter.

    Attributes:
        read: files and folders that it may read; they are digested.
        write: folders that it may write; made when missing.
        execute: programs or folders of programs that it may execute.
        gpu: devices of accelerators.
        workers: shared memory and Unix sockets, for worker processes.
        loopback: a network in which the command is alone.
    """

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    execute: tuple[Path, ...] = ()
    gpu: bool = False
    workers: bool = False
    loopback: bool = False


def command_of(wanted: Wanted, home: Path) -> Command:
    """Return the command as the sandbox takes it.

    Args:
        wanted: what the owner declares.
        home: private folder; its home and temporary folder.

    Raises:
        UsageError: the program is not found.
        Unreadable: a declared path does not exist.
    """
    allowed = wanted.allowed
    if not wanted.argv:
        raise UsageError("there is no command", hint="redan run --write out -- python train.py")
    program = shutil.which(wanted.argv[0])
    if program is None:
        raise UsageError(f"there is no program {wanted.argv[0]!r}", hint="give its path, or install it")
    code = (wanted.code,) if wanted.code else ()
    for path in (*allowed.read, *allowed.execute, *wanted.data, *code):
        if not path.exists():
            raise Unreadable(f"{str(path)!r} was declared and does not exist", hint="check the path")
    words = files_among(wanted.argv)
    grants = [
        *((path, READ) for path in (*SYSTEM, *_LOOKED_UP, *words, *allowed.read, *wanted.data, *code)),
        *((path, EXECUTE) for path in (*_LOADERS, *_own_tree(Path(program).absolute()), *allowed.execute)),
        *((path, WRITE) for path in (*allowed.write, home, *(["/dev/shm"] if allowed.workers else []))),  # noqa: S108
        *((path, DEVICE) for path in (*_USED_DEVICES, *(_devices() if allowed.gpu else ()))),
    ]
    return Command(
        program=str(Path(program).absolute()),
        words=wanted.argv,
        environment=_environment(wanted, home),
        grants=tuple((str(Path(path).absolute()), rights) for path, rights in grants),
        limits=wanted.limits,
        workers=allowed.workers,
        loopback=allowed.loopback,
    )


def files_among(argv: Sequence[str]) -> tuple[Path, ...]:
    """Return the words of a command, its program left out, that name existing files."""
    # a word may be a whole program text; pathlib raises on one that is too long for a name
    return tuple(Path(word) for word in argv[1:] if os.path.isfile(word))  # noqa: PTH113


def granted(command: Command) -> Mapping[str, tuple[str, ...]]:
    """Return the real paths below which a command may read, write and execute."""
    kinds = {"read": READ & ~(1 << 3), "write": 1 << 1, "execute": 1 << 0}
    return {
        kind: tuple(os.path.realpath(path) for path, rights in command.grants if rights & right)
        for kind, right in kinds.items()
    }


def _own_tree(program: Path) -> Iterator[Path]:
    """The program, what its first line names, and the installation of a Python interpreter."""
    yield program
    real = program.resolve()
    yield real
    with real.open("rb") as file:
        first = file.read(_LONGEST_SHEBANG).partition(b"\n")[0]
    if first.startswith(b"#!"):
        words = os.fsdecode(first[2:]).split()
        interpreter = shutil.which(words[-1] if words and Path(words[0]).name == "env" else words[0]) if words else None
        if interpreter is not None:
            yield from (Path(word) for word in words[:1])
            if Path(interpreter) != program:
                yield from _own_tree(Path(interpreter).absolute())
    elif real.name.startswith(("python", "pypy")):
        yield from _installation(program)


def _installation(program: Path) -> Iterator[Path]:
    """The folders of an interpreter, of its virtual environment too; never what it shares with other programs."""
    prefixes = [program.resolve().parent.parent]
    if (program.parent.parent / "pyvenv.cfg").is_file():
        prefixes.append(program.parent.parent)
    for prefix in prefixes:
        if str(prefix) not in _SHARED_PREFIXES:
            yield from (prefix / name for name in ("bin", "lib", "lib64", "pyvenv.cfg"))


def _devices() -> Iterator[Path]:
    for pattern in _GPU_DEVICES:
        yield from Path("/dev").glob(pattern)


def _environment(wanted: Wanted, home: Path) -> dict[str, str]:
    names = (*_HANDED_OVER, *wanted.environment)
    given = {name: os.environ[name] for name in names if name in os.environ}
    seed = {} if wanted.seed is None else {"PYTHONHASHSEED": str(wanted.seed), "REDAN_SEED": str(wanted.seed)}
    params = {f"REDAN_PARAM_{name.upper()}": value for name, value in wanted.parameters.items()}
    private = {"HOME": str(home), "TMPDIR": str(home), "USER": "redan", "LOGNAME": "redan"}
    offline = {"HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**given, **offline, **seed, **params, **private}

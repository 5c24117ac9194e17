"""Write the frozen allow-lists of `redan.kernels.artifacts` by introspecting the frameworks installed here.

Three sources, in this order of trust:

1. dumps: objects of every kind are made, fitted and pickled here, and the abstract machine reports which names they
   need and how they call them;
2. walks: every class of a package's modules whose creation and state-setting run no code that the state chooses;
3. seeds: names written down in `allowlist_seeds.py` with a grade, among them those of older versions.

Nothing on the deny-list enters. Run it in an environment with the frameworks; the result is committed, so that a
verdict does not depend on what is installed where Redan runs.

Usage: python scripts/freeze_allowlist.py [PACKAGE ...]
"""

from __future__ import annotations

import contextlib
import enum
import functools
import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
import types
import warnings
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import allowlist_objects
import allowlist_seeds

from redan.kernels.artifacts.judgement import denylist
from redan.kernels.artifacts.judgement.judge import Judge
from redan.kernels.artifacts.judgement.special import RULES
from redan.kernels.artifacts.ledger import Ledger
from redan.kernels.artifacts.limits import Limits
from redan.kernels.artifacts.machine.calls import OPCODES
from redan.kernels.artifacts.machine.machine import Machine
from redan.kernels.artifacts.machine.values import Global, Result

FOLDER = Path(__file__).parents[1] / "src/redan/kernels/artifacts/judgement/lists"

WALKED = ("sklearn", "torch", "numpy", "scipy", "pandas", "xgboost", "lightgbm", "joblib")
DISTRIBUTIONS = {"sklearn": "scikit-learn"}

SKIPPED = re.compile(
    r"\.(tests?|testing|_testing|externals|conftest|setup|f2py|distutils|bench\w*|examples?|array_api_compat|_array_api\w*"
    r"|contrib|spark|dask|io|__main__|_dynamo|_inductor|_export|_lazy|onnx|distributed|testing|fx|jit|_functorch|masked"
    r"|_refs|_prims\w*|_decomp|_meta_registrations|_subclasses|_higher_order_ops|_library|_custom_op\w*|func|functorch"
    r"|_logging|_numpy|_strobelight|_vendor|_classes|_ops|multiprocessing|mps|xpu|mtia|profiler|monitor|futures|package"
    r"|compiler|onnx|utils\.(?!hooks|data)\w+|hub|_awaits|_lobpcg|_tensor_str|_vmap_internals|_weights_only_unpickler"
    r"|export|headeronly|csrc|lib)(\.|$)"
)

RISKY_METHODS = ("__new__", "__setstate__", "__del__", "__setattr__", "__getattr__", "__hash__", "__eq__", "__call__")
LOADING_METHODS = ("__new__", "__setstate__", "__del__", "__setattr__", "__hash__", "__eq__")
DANGER = re.compile(
    r"\b(exec|eval|compile|__import__|open|execfile)\(|import_module|subprocess|\bos\.(?!path\.join)|urlopen|requests\."
    r"|socket|rmtree|unlink|\bremove\(|ctypes|pickle\.|\bload\w*\(|process_group|spawn|Popen|memmap|fromfile|tempfile"
)
SELF_CALL = re.compile(r"\b(?:self|cls)\.(\w+)\(")


class Recorder(Judge):
    """A judge that judges nothing and writes down what a pickle imports and how it calls it."""

    def __init__(self) -> None:
        super().__init__(Ledger(Limits()), "")
        self.uses: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.pairs: set[tuple[str, str, str]] = set()

    def imported(self, module: object, name: object, offset: int) -> Global:
        """Write down an import."""
        del offset
        self.uses[str(module), str(name)].add("import")
        return Global(str(module), str(name), "value")

    def called(self, function: object, args: object, how: str, offset: int) -> object:
        """Write down a call."""
        if isinstance(function, Global):
            self.uses[function.module, function.name].add(how)
            path = repr(function)
            if path in ("builtins.getattr", "__builtin__.getattr") and isinstance(args, tuple):
                owner, name = args
                if isinstance(owner, Global):
                    self.pairs.add((owner.module, owner.name, name))
            if path.endswith(("._reconstructor", ".__newobj__")) and isinstance(args, tuple):
                self.called(args[0], (), "NEWOBJ", offset)
            if "_rebuild_from_type" in path and isinstance(args, tuple):
                self.called(args[0], args[2], "REDUCE", offset)
        return Result(function, args)

    def built(self, target: object, state: object, offset: int) -> None:
        """Keep the state, which arrays in the stream need."""
        del offset
        if isinstance(target, Result):
            target.state = state


def main(packages: list[str]) -> None:
    """Write the list of each package, or of all."""
    warnings.simplefilter("ignore")
    names: dict[str, dict[str, str]] = defaultdict(dict)
    pairs: dict[str, set[str]] = defaultdict(set)
    for package in WALKED:
        for module, name, letter in walk(package):
            names[module].setdefault(name, letter)
    names["keras"].update(keras_names())
    record_dumps(names, pairs)
    seeded: set[tuple[str, str]] = set()
    for letter, module, listed in allowlist_seeds.seeds():
        for name in listed:
            # A class that a dump calls stays callable, whatever a line for an older version says.
            names[module][name] = "k" if letter == "c" and names[module].get(name) == "k" else letter
            seeded.add((module, name))
    for module, owner, attributes in allowlist_seeds.attributes():
        pairs[f"{module}.{owner}"].update(attributes)
    names = {
        module: {n: g for n, g in listed.items() if allowed(module, n, g, (module, n) in seeded)}
        for module, listed in names.items()
    }
    write(names, pairs, packages)


def allowed(module: str, name: str, letter: str, seeded: bool) -> bool:
    """Whether a name may enter a list: the deny-list and dangerous-sounding functions stay out."""
    if letter in "fv" and not seeded and denylist.sounds_powerful(name):
        return False
    return (module, name) in allowlist_seeds.EXEMPT or denylist.denial(module, name) is None


def walk(package: str) -> Iterator[tuple[str, str, str]]:
    """Every class and plain value of a package that may appear in a saved model."""
    for module in modules(package):
        for name, value in vars(module).items():
            if isinstance(value, type):
                letter = grade(value) if belongs(value, module, package) else None
                if letter:
                    yield value.__module__, value.__qualname__, letter
            elif is_function(value) and is_value(package, module, name, value):
                yield getattr(value, "__module__", None) or module.__name__, name, "v"


def keras_names() -> dict[str, str]:
    """The public classes of Keras that a configuration may name; those that run code or read files are judged apart."""
    os.environ["KERAS_BACKEND"] = "torch"
    keras = importlib.import_module("keras")
    found: dict[str, str] = {}
    for room in allowlist_seeds.KERAS_ROOMS:
        module = functools.reduce(getattr, room.split(".")[1:], keras)
        found |= {name: "c" for name, value in vars(module).items() if isinstance(value, type)}
    found |= dict.fromkeys(allowlist_seeds.OLD_KERAS, "c")
    for part in ("core", "einops", "image", "linalg", "math", "nn", "numpy"):
        module = importlib.import_module(f"keras.src.ops.{part}")
        operations = (v for v in vars(module).values() if isinstance(v, type) and issubclass(v, keras.Operation))
        found |= {cls.__name__: "c" for cls in operations}
    return {
        name: letter
        for name, letter in found.items()
        if name not in ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer")
    }


def is_function(value: object) -> bool:
    """Whether a value is a Python or a compiled function or a ufunc."""
    kinds = types.FunctionType | types.BuiltinFunctionType
    return isinstance(value, kinds) or type(value).__name__ in ("ufunc", "_ArrayFunctionDispatcher")


def modules(package: str) -> Iterator[types.ModuleType]:
    """Import every module of a package that belongs to its models."""
    root = importlib.import_module(package)
    yield root
    for info in pkgutil.walk_packages(root.__path__, f"{package}.", onerror=lambda name: None):
        if SKIPPED.search(info.name) or denylist.denial(info.name, "") is not None:
            continue
        with contextlib.suppress(Exception, SystemExit):
            yield importlib.import_module(info.name)


def belongs(cls: type, module: types.ModuleType, package: str) -> bool:
    """Whether a class is at home in this module, so that a pickle names it so."""
    home = getattr(cls, "__module__", None)
    if not isinstance(home, str) or home.split(".")[0] != package or "<" in cls.__qualname__:
        return False
    # A compiled __cinit__ runs at __new__ and cannot be looked into; these take file names.
    return home != "pandas._libs.parsers" and not home.startswith("torch._C")


def grade(cls: type) -> str | None:
    """The letter of a class, or None where loading one could run what its state chooses."""
    if issubclass(cls, enum.Enum):
        return "k"
    if cls.__module__.startswith("scipy.stats._") and cls.__name__.endswith("_gen"):
        # Their __setstate__ executes the template in their state, which `special.check_state` compares with a true one.
        return "c"
    if issubclass(cls, BaseException):
        return None if dangerous(cls, ("__init__", *LOADING_METHODS)) else "k"
    if dangerous(cls, LOADING_METHODS) or cls.__name__.startswith("Test"):
        return None
    return "c"


def dangerous(cls: type, methods: tuple[str, ...]) -> bool:
    """Whether the methods, or what they call on themselves, contain a risky call."""
    pending = [name for name in methods if defined(cls, name)]
    seen: set[str] = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        source = source_of(cls, name)
        if DANGER.search(source):
            return True
        pending += SELF_CALL.findall(source)
    return False


def defined(cls: type, name: str) -> bool:
    """Whether a class or one of its Python bases defines a method itself."""
    return any(name in vars(base) for base in cls.__mro__ if base.__module__ != "builtins")


def source_of(cls: type, name: str) -> str:
    """The Python source of a method; empty for a compiled one."""
    try:
        return inspect.getsource(inspect.unwrap(getattr(cls, name)))
    except (TypeError, OSError, AttributeError, ValueError):
        return ""


def is_value(package: str, module: types.ModuleType, name: str, value: object) -> bool:
    """Whether a function is one that fitted objects refer to: metrics, activations, kernels, ufuncs."""
    home = getattr(value, "__module__", None) or module.__name__
    if name.startswith("__") or re.search(r"load|save|fetch|dump|open|read|write|from_file|exec|eval|compile", name):
        return False
    if package == "sklearn":
        return home.startswith(allowlist_seeds.SKLEARN_VALUES)
    if package == "torch":
        return module.__name__ in allowlist_seeds.TORCH_VALUES
    if package in ("numpy", "scipy") and type(value).__name__ == "ufunc":
        return True
    return is_pure(package, module, name, value)


def is_pure(package: str, module: types.ModuleType, name: str, value: object) -> bool:
    """Whether a function is a public one of a module that only computes."""
    if module.__name__ not in allowlist_seeds.PURE_MODULES.get(package, ()) or name.startswith("_"):
        return False
    home = getattr(value, "__module__", None) or module.__name__
    if home.split(".")[0] != package or allowlist_seeds.IMPURE_NAME.search(name):
        return False
    try:
        source = inspect.getsource(inspect.unwrap(value))  # type: ignore[arg-type] # is_function said so
    except (TypeError, OSError):
        return True
    return DANGER.search(source) is None


def record_dumps(names: dict[str, dict[str, str]], pairs: dict[str, set[str]]) -> None:
    """Add what real dumps need to the lists; a walk's refusal of a class stands."""
    for label, data in allowlist_objects.dumps():
        recorder = Recorder()
        machine = Machine(data, recorder, OPCODES)
        outcome = machine.run(0, recorder.ledger)
        if not outcome.stopped:
            print(f"{label}: {outcome.why} at {outcome.end}", file=sys.stderr)
        for (module, name), uses in recorder.uses.items():
            letter = letter_of(module, name, uses)
            if letter and (names[module].get(name) != "k"):
                names[module][name] = letter
        for module, owner, name in recorder.pairs:
            pairs[f"{module}.{owner}"].add(name)


def letter_of(module: str, name: str, uses: set[str]) -> str | None:
    """The letter that a dump's use of a name asks for."""
    if f"{module}.{name}" in RULES:
        return "s"
    try:
        value = importlib.import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError):
        return None
    if isinstance(value, type):
        if dangerous(value, LOADING_METHODS):
            print(f"not listed: {module}.{name} runs code when its state is set", file=sys.stderr)
            return None
        return "k" if "REDUCE" in uses else "c"
    return "f" if "REDUCE" in uses else "v"


def write(names: dict[str, dict[str, str]], pairs: dict[str, set[str]], packages: list[str]) -> None:
    """Write one JSON file a package."""
    by_package: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for module, listed in names.items():
        root = module.split(".")[0]
        if listed:
            is_standard = root in sys.stdlib_module_names or root in allowlist_seeds.OLD_STDLIB
            by_package["stdlib" if is_standard else root][module] = listed
    FOLDER.mkdir(exist_ok=True)
    for package, modules_ in sorted(by_package.items()):
        if packages and package not in packages:
            continue
        document: dict[str, object] = {"source": version(package)}
        if package == "stdlib":
            document["modules"] = sorted(sys.stdlib_module_names | allowlist_seeds.OLD_STDLIB)
        document["attributes"] = {
            owner: sorted(found) for owner, found in sorted(pairs.items()) if root_of(owner) == package
        }
        document["names"] = {module: listing(modules_[module]) for module in sorted(modules_)}
        text = json.dumps(document, indent=0, ensure_ascii=True)
        (FOLDER / f"{package}.json").write_text(text + "\n", encoding="utf-8")
        n = sum(map(len, modules_.values()))
        print(f"{package}: {n} names in {len(modules_)} modules, {len(text)} bytes")


def root_of(path: str) -> str:
    """The list that a dotted path belongs to."""
    root = path.split(".", maxsplit=1)[0]
    return "stdlib" if root in sys.stdlib_module_names else root


def listing(letters: dict[str, str]) -> str:
    """One module's names in the form that the reader searches."""
    return " " + " ".join(f"{letter}:{name}" for name, letter in sorted(letters.items())) + " "


def version(package: str) -> str:
    """Where a list comes from."""
    if package == "stdlib":
        return f"Python {sys.version.split()[0]} and names of older versions"
    try:
        return f"{package} {metadata.version(DISTRIBUTIONS.get(package, package))} and names of older versions"
    except metadata.PackageNotFoundError:
        return f"{package}, names written down by hand"


if __name__ == "__main__":
    main(sys.argv[1:])

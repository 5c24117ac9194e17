"""Python source code that a loader runs: judged by its syntax tree, never compiled or executed.

Two questions are asked. What does the text reach for anywhere that a model's code does not need: processes, other
interpreters, the network, native memory? And what happens as soon as the file is imported: statements of the module,
class bodies, decorators, default arguments, metaclasses, and the functions that these call?
Source: the Python language reference, "Function definitions" and "Class definitions".
"""

from __future__ import annotations

import ast
import itertools
import re
import warnings
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST_PARSED_CHARS = 256 << 10
"""A longer file is searched as text only."""

MOST_NODES = 100_000
"""Nodes of a syntax tree that are looked at."""

LONGEST_PATH = 24
"""Attributes and calls of one expression that are followed; what it begins with is an expression of its own."""

_ANYWHERE = re.compile(
    r"(?:os|posix|nt)\.(?:system|popen\w*|exec\w+|spawn\w+|posix_spawn\w*|fork\w*|startfile|kill\w*|dup2|_exit)"
    r"|(?:subprocess|_posixsubprocess|pty|commands|popen2|pexpect|runpy|code|codeop|imp|ctypes|_ctypes|marshal|cffi"
    r"|socketserver|smtplib|ftplib|telnetlib|paramiko|httpx|aiohttp|urllib3|winreg|_winapi)\..+"
    r"|socket\.(?:socket|create_\w+|fromfd|socketpair)|urllib\.request\..+|urllib2\..+|http\.(?:client|server)\..+"
    r"|requests\.(?:get|post|put|patch|delete|head|request|[sS]ession.*|api\..+)|asyncio\.(?:create_subprocess|open_conn)\w+"
    r"|(?:pickle|_pickle|cPickle|cloudpickle|dill|jsonpickle)\.(?:loads|Unpickler|decode)|shutil\.rmtree|yaml\.unsafe_load"
    r"|importlib\.(?:import_module|__import__|reload|machinery\..+|_bootstrap.*)|builtins\..+|webbrowser\.open\w*"
    r"|(?:eval|exec|compile|execfile|__import__|__builtins__|__loader__|__spec__|breakpoint)(?:\..+)?|sys\.(?:modules|settrace|setprofile"
    r"|meta_path|path_hooks|addaudithook|_getframe|_current_frames).*|gc\.get_\w+|torch\.hub\.load\w*"
    r"|(?:torch|numpy|transformers|np)\.(?:\w+\.)*(?:os|sys|subprocess|builtins|ctypes|importlib|shutil|socket|pickle)(?:\..+)?"
)
_ON_IMPORT = re.compile(
    r"open|input|io\.(?:open|FileIO)|os\.(?:remove|unlink|rename|replace|rmdir|mkdir|makedirs|chmod|chown|symlink|link"
    r"|listdir|scandir|walk|putenv|open|write|truncate|utime|chdir|environ\.(?:update|copy|items|setdefault))"
    r"|(?:shutil|tempfile|glob|multiprocessing|sqlite3|zipfile|tarfile|atexit|signal|pickle|base64|codecs|zlib|lzma|bz2"
    r"|joblib|requests|socket|concurrent)\..+|threading\.(?:Thread|Timer).*|pathlib\..+\.(?:write|unlink|read|open)\w*"
    r"|(?:torch|numpy|pandas)\.(?:load|fromfile|read_pickle|memmap)|torch\.utils\.cpp_extension\..+|bytes\.fromhex"
    r"|globals|locals|sys\.(?:path|exit|stdin)(?:\..+)?|importlib\.util\.(?:spec|module)_from.+"
    r"|torch\.ops\.load_library|ensurepip\..+|pip\..+|huggingface_hub\..*download.*"
)
_INTERNALS = frozenset(
    ["__subclasses__", "__globals__", "__builtins__", "__bases__", "__mro__", "__code__", "__closure__", "__reduce__",
     "__reduce_ex__", "__getattribute__", "func_globals", "f_globals", "f_builtins", "gi_frame", "f_back", "tb_frame"]
)  # fmt: skip
_INHERITED_INTERNALS = frozenset(
    {"__reduce__", "__reduce_ex__", "__getattribute__", "__bases__", "__mro__", "__code__"}
)
"""Internals that honest classes define, and that honest code asks for."""
_BUILTINS = frozenset(
    ["eval", "exec", "compile", "execfile", "__import__", "__builtins__", "__loader__", "__spec__", "breakpoint",
     "open", "input", "bytes", "getattr", "setattr", "delattr", "globals", "locals", "vars"]
)  # fmt: skip
"""Names that mean something without an import."""
_RUN_BY_CLASSES = frozenset({"__init_subclass__", "__set_name__", "__prepare__", "__class_getitem__"})
_METACLASS_METHODS = frozenset({"__new__", "__init__", "__call__", "__prepare__", "mro"})

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Danger(NamedTuple):
    """One thing in source code that a model's code does not need."""

    what: str
    line: int
    on_import: bool


class UnreadableCodeError(ValueError):
    """Text that has no syntax tree here, or one that is too large or too deep."""


def dangers(text: str) -> list[Danger]:
    """What a file of source code does or reaches for, in the order of its lines.

    Raises:
        UnreadableCodeError: The text cannot be parsed.
    """
    tree = _parsed(text)
    nodes = list(itertools.islice(ast.walk(tree), MOST_NODES + 1))
    if len(nodes) > MOST_NODES:
        raise UnreadableCodeError(f"has more than {MOST_NODES} nodes")
    paths = _Names(nodes)
    reached = {node: what for node in nodes if (what := _reaches(node, paths))}
    found = [Danger(reached[node], _line(node), False) for node in nodes if node in reached]
    found += [
        Danger(what, _line(node), True)
        for node in _imported_nodes(tree, nodes)
        if (what := reached.get(node) or _does(node, paths))
    ]
    first = {(danger.what, danger.line): danger for danger in found}
    return sorted(first.values(), key=lambda danger: danger.line)


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 1))


def relative_imports(text: str) -> list[str]:
    """Files of the same folder that a file imports, as paths.

    Raises:
        UnreadableCodeError: The text cannot be parsed.
    """
    names: set[str] = set()
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names.update([node.module] if node.module else [alias.name for alias in node.names])
    return sorted(name.replace(".", "/") + ".py" for name in names)


def _parsed(text: str) -> ast.Module:
    if len(text) > LARGEST_PARSED_CHARS:
        raise UnreadableCodeError(f"is longer than {LARGEST_PARSED_CHARS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableCodeError(f"is no Python that can be parsed here: {type(error).__name__}") from None


class _Names:
    """What the names of a file stand for, as dotted paths."""

    def __init__(self, nodes: list[ast.AST]) -> None:
        self.paths: dict[str, str] = {}
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    root = alias.name.partition(".")[0]
                    self.paths[alias.asname or root] = alias.name if alias.asname else root
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                self.paths.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
        for node in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                path = self.path(node.value)
                if path is not None:
                    self.paths.setdefault(node.targets[0].id, path)

    def path(self, node: ast.expr) -> str | None:
        """The dotted path that an expression spells, calls on the way left out, or None."""
        parts: list[str] = []
        for _ in range(LONGEST_PATH):
            if not isinstance(node, ast.Attribute | ast.Call):
                break
            if isinstance(node, ast.Attribute):
                parts.append(node.attr)
            node = node.value if isinstance(node, ast.Attribute) else node.func
        if isinstance(node, ast.Name) and (node.id in self.paths or node.id in _BUILTINS):
            parts.append(self.paths.get(node.id, node.id))
        else:
            return None
        return ".".join(reversed(parts))

    def is_module(self, node: ast.expr) -> bool:
        """Whether an expression is a name that an import gave."""
        return isinstance(node, ast.Name) and node.id in self.paths


def _reaches(node: ast.AST, paths: _Names) -> str | None:
    """What a node reaches for that no model's code needs, wherever it stands."""
    if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
        path = paths.path(node)
        if path is not None and _ANYWHERE.fullmatch(path):
            return path
    if isinstance(node, ast.Attribute) and node.attr in _INTERNALS - _INHERITED_INTERNALS:
        return node.attr
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return next((p for a in node.names if _ANYWHERE.fullmatch(p := f"{node.module}.{a.name}")), None)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "vars"):
        return _looked_up(node, paths)
    return None


def _looked_up(call: ast.Call, paths: _Names) -> str | None:
    """A look-up by name in an imported module, which may give anything of it."""
    if not call.args or not paths.is_module(call.args[0]):
        return None
    owner = paths.path(call.args[0])
    name = call.args[1].value if len(call.args) > 1 and isinstance(call.args[1], ast.Constant) else None
    if isinstance(name, str):
        return f"{owner}.{name}" if _ANYWHERE.fullmatch(f"{owner}.{name}") else None
    return f"a computed name of {owner}" if owner in ("os", "sys", "builtins", "importlib", "posix", "nt") else None


def _does(node: ast.AST, paths: _Names) -> str | None:
    """What a node does as soon as the file is imported."""
    if isinstance(node, ast.Call):
        path = paths.path(node.func)
        if path == "getattr" and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant):
            return "a computed attribute"
        return path if path is not None and _ON_IMPORT.fullmatch(path) else None
    if isinstance(node, ast.ImportFrom) and node.module in ("os", "posix", "nt", "sys", "builtins"):
        return f"from {node.module} import *" if any(a.name == "*" for a in node.names) else None
    if isinstance(node, ast.Attribute) and node.attr in _INTERNALS:
        return node.attr
    return None


def _imported_nodes(tree: ast.Module, nodes: list[ast.AST]) -> Iterator[ast.AST]:
    """Every node that importing the file evaluates, functions that are called on the way included."""
    functions = {node.name: node for node in nodes if isinstance(node, _Function)}
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    pending: list[ast.AST] = [*tree.body, *_run_by_classes(classes.values())]
    entered: set[str] = set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and _is_main_guard(node.test):
            pending += node.orelse
            continue
        yield node
        if isinstance(node, _Function):
            pending += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif isinstance(node, ast.Lambda):
            pending += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        else:
            pending += ast.iter_child_nodes(node)
        for name in _called_names(node):
            if name not in entered:
                entered.add(name)
                pending += _bodies(name, functions, classes)


def _bodies(name: str, functions: dict[str, _Function], classes: dict[str, ast.ClassDef]) -> list[ast.AST]:
    if name in functions:
        return list(functions[name].body)
    found: list[ast.AST] = []
    if name in classes:
        for method in classes[name].body:
            found += method.body if isinstance(method, _Function) else []
    return found


def _called_names(node: ast.AST) -> list[str]:
    """Names of the file's own functions and classes that a node calls: as a call, a decorator or a metaclass."""
    called: list[ast.expr] = []
    if isinstance(node, ast.Call):
        called.append(node.func)
    if isinstance(node, ast.ClassDef):
        called += [keyword.value for keyword in node.keywords]
    if isinstance(node, _Function | ast.ClassDef):
        called += node.decorator_list
    return [
        part.id if isinstance(part, ast.Name) else part.attr
        for part in called
        if isinstance(part, ast.Name | ast.Attribute)
    ]


def _run_by_classes(classes: Iterable[ast.ClassDef]) -> list[ast.AST]:
    """The bodies of methods that the mere definition of another class runs."""
    found: list[ast.AST] = []
    for cls in classes:
        is_meta = any(isinstance(base, ast.Name) and base.id in ("type", "ABCMeta") for base in cls.bases)
        names = _RUN_BY_CLASSES | _METACLASS_METHODS if is_meta else _RUN_BY_CLASSES
        for method in cls.body:
            if isinstance(method, _Function) and method.name in names:
                found += method.body
    return found


def _is_main_guard(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
    )

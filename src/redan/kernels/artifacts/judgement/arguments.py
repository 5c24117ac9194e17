"""Arguments that give an attack away, whatever the callable is called.

A model's constructor takes numbers, arrays and plain words. An address, a shell command, source code or the name of a
powerful module among the arguments of a callable that nobody knows is evidence enough.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.machine.values import Global, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.kernels.artifacts.ledger import Ledger
    from redan.kernels.artifacts.machine.values import Value

ADDRESS = "a network address"
"""The shape that settings of honest objects have too."""

LONGEST_SEARCHED = 1 << 16
"""Characters of one argument that are searched."""

DEEPEST_SEARCHED = 6
"""Containers within containers whose items are looked at."""

MOST_SEARCHED = 2_000
"""Items of one call that are looked at."""

# Patterns of attack stay text until an unlisted callable needs one: compiling them costs more than a whole small scan.
_URL = r"(?i:https?|ftps?|sftp|ssh|file|smb|gopher|wss?|s3|gs|ldaps?|jar|data)://|^\\\\\w"
_SHELL = (
    r"(?:^|[\s;|&`(/'\"])(?:sh|bash|zsh|ksh|dash|cmd(?:\.exe)?|powershell|pwsh)\s+-?/?\w*c\b"
    r"|\b(?:curl|wget|nc|ncat|netcat|socat|telnet|ssh|scp|chmod|chown|mkfifo|nohup|crontab|rm\s+-\w*[rf]|sudo|killall"
    r"|base64\s+-d|python3?\s+-c|perl\s+-e|ruby\s+-e|node\s+-e)\s+\S"
    r"|/dev/tcp/|/bin/(?:\w*sh|true|id|ls|cat|touch|echo|rm)\b|\$\(|`[^`]+`|\|\s*(?:sh|bash|python3?)\b"
    r"|(?:^|;|&&|\|\|)\s*(?:touch|echo|cat|rm|mv|cp|id|whoami|uname|env|export|kill)\s+\S+.*"
    r"|^(?:calc(?:\.exe)?|whoami|ifconfig|ipconfig|netstat|uname|id|ls|true)$"
)
_CODE = (
    r"__import__|__builtins__|__globals__|__subclasses__|__class__\s*\.\s*__"
    r"|\b(?:exec|eval|compile|execfile|getattr|setattr|globals|open)\s*\("
    r"|\b(?:os|posix|nt|sys|subprocess|socket|shutil|pty|ctypes|importlib|builtins|pickle|marshal|urllib|requests)\s*\."
    r"\s*[A-Za-z_]\w*\s*[(.]"
    r"|(?:^|[;\n])[ \t]{0,80}(?:import[ \t]{1,8}[A-Za-z_]|from[ \t]{1,8}[\w.]{1,200}[ \t]{1,8}import[ \t])"
    r"|(?:^|\n)[ \t]{0,80}(?:def|class)[ \t]{1,8}\w{1,200}[ \t]{0,8}[(:]|\blambda\b[^:\n]{0,60}:"
)
_PATH = (
    r"(?i)(?:^|[\s'\"=])(?:/etc/|/proc/|/sys/|/root\b|/dev/(?!null\b)|/var/(?:run|spool|log)/|/home/[^/]+/\.|~/\.|/usr/s?bin/)"
    r"|\.\.[/\\]\.\.|[A-Za-z]:\\(?:Windows|Users)|\.ssh[/\\]|\.bashrc|authorized_keys"
)
_MODULES = frozenset(
    [
        "os",
        "posix",
        "nt",
        "subprocess",
        "sys",
        "builtins",
        "__builtin__",
        "ctypes",
        "importlib",
        "pty",
        "runpy",
        "socket",
        "shutil",
        "pickle",
        "cPickle",
        "_pickle",
        "marshal",
        "commands",
        "dill",
        "cloudpickle",
        "os.system",
        "posix.system",
        "subprocess.Popen",
        "subprocess.run",
        "builtins.eval",
        "builtins.exec",
        "os:system",
        "os.popen",
    ]
)
_PICKLE = re.compile(rb"\A(?:\x80[\x00-\x05]|[\s\S]{0,64}?c[A-Za-z_][\w.]{0,200}\n[A-Za-z_][\w.]{0,200}\n)")
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]+")
_MODEL_FILE = re.compile(
    r"\.(?:pkl|pickle|pt|pth|ckpt|joblib|npy|npz|bin|dill|h5|so|dll|dylib|py|sh|exe)$", re.IGNORECASE
)
_ABSOLUTE = re.compile(r"/\w+/|[A-Za-z]:[/\\]")
_LOADER = re.compile(
    r"(?:^|[._])(?:load|loads|read|open|restore|from_file|fetch|download|get)(?:_\w+)?$", re.IGNORECASE
)


def attack_shape(arguments: Value, callable_name: str, ledger: Ledger) -> str | None:
    """What makes the arguments of an unlisted callable those of an attack, or None."""
    for item in _literals(arguments, ledger):
        if not ledger.searches(min(len(item), LONGEST_SEARCHED)):
            return None
        shape = text_shape(item) if isinstance(item, str) else _bytes_shape(item)
        if shape is not None:
            return shape
        if isinstance(item, str) and _LOADER.search(callable_name) and _is_path(item):
            return "the path of a file to load"
    return None


def _bytes_shape(content: bytes) -> str | None:
    if _PICKLE.match(content):
        return "bytes that are themselves a pickle"
    content = content[:LONGEST_SEARCHED]
    return text_shape(content.decode("ascii")) if _PRINTABLE.fullmatch(content) else None


def _is_path(text: str) -> bool:
    return _MODEL_FILE.search(text[-16:]) is not None or _ABSOLUTE.match(text) is not None


def text_shape(text: str) -> str | None:
    """What makes a text that of an attack, or None."""
    text = text[:LONGEST_SEARCHED]
    if text in _MODULES:
        return f"the name of a powerful module, {text!r}"
    if re.search(_CODE, text):
        return "source code"
    if re.search(_SHELL, text):
        return "a shell command"
    if re.search(_PATH, text):
        return "a sensitive path"
    return ADDRESS if re.search(_URL, text) else None


def _literals(value: Value, ledger: Ledger) -> Iterator[str | bytes]:
    pending = [(value, 0)]
    n = 0
    while pending and n < MOST_SEARCHED:
        item, depth = pending.pop()
        n += 1
        ledger.n_judged += n % 2 == 0
        if isinstance(item, str | bytes):
            yield item
        elif depth < DEEPEST_SEARCHED:
            if isinstance(item, tuple | list):
                pending.extend((part, depth + 1) for part in reversed(item[: MOST_SEARCHED - n]))
            elif type(item) is Result:
                pending.append((item.arguments, depth + 1))
            elif isinstance(item, dict):
                pending.extend((part, depth + 1) for pair in item.items() for part in pair)


def rendering(value: Value, longest: int = 80) -> str:
    """A short literal rendering of call arguments; parts that are no literals show as `?` or a dotted name."""
    text = _render(value, 3)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _render(value: Value, depth: int) -> str:
    if isinstance(value, str | bytes):
        return repr(value[:40])
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return repr(value) if abs(value) < 10**18 else "?"
    if type(value) is Global or type(value) is Result:
        return repr(value)
    if depth == 0 or not isinstance(value, tuple | list | dict):
        return "?"
    return _render_container(value, depth - 1)


def _render_container(value: tuple[Value, ...] | list[Value] | dict[Value, Value], depth: int) -> str:
    if isinstance(value, dict):
        pairs = [f"{_render(k, depth)}: {_render(v, depth)}" for k, v in list(value.items())[:4]]
        return "{" + ", ".join(pairs) + (", ...}" if len(value) > 4 else "}")
    parts = [_render(part, depth) for part in value[:8]]
    if len(value) > 8:
        parts.append("...")
    body = ", ".join(parts)
    if isinstance(value, list):
        return f"[{body}]"
    return f"({body},)" if len(value) == 1 else f"({body})"

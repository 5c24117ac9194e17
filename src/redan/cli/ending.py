"""How a command ends: every error becomes a message on stderr and an exit code, never a traceback."""

from __future__ import annotations

import os
import re
import sys

import click

from redan.core.errors import MissingDependency, RedanError

USAGE, BUG, INTERRUPTED, PIPE = 2, 4, 130, 141
_OF_THE_SERVICE = frozenset({"serve", "identity", "audit", "incident", "registry"})


def run(command: click.Command, words: list[str]) -> int:
    """Run a click command and return the exit code of the whole process."""
    try:
        code = command.main(args=words, prog_name="redan", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as err:
        err.show()
        return USAGE
    except RedanError as err:
        return _told(err)
    except ModuleNotFoundError as err:
        lacking = _lacking(err.name or "", words)
        return _bug(err) if lacking is None else _told(lacking)
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted before anything was measured")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader of a pipe went away; what is left in the buffer must not raise again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE
    except Exception as err:  # noqa: BLE001  # the last line of defence: a person gets words and a file, not a traceback
        return _bug(err)
    return code if isinstance(code, int) else 0


def _told(err: RedanError) -> int:
    _say(err.diagnostics())
    return err.exit_code


def _lacking(name: str, words: list[str]) -> MissingDependency | None:
    """Return the advice for a module that one of our extras brings; None when none does, and its absence is a bug."""
    from importlib.metadata import requires

    module, verb = name.partition(".")[0], words[0] if words else ""
    brings = re.compile(rf"{re.escape(module).replace('_', '[-_]')}(?![\w.-]).*extra == .(\w+)", re.IGNORECASE)
    extras = [found[1] for each in requires("redan") or () if module and (found := brings.match(each))]
    if not extras:
        return None
    narrow = next((extra for extra in extras if extra != "all"), "all")
    return MissingDependency.of(module, "serve" if verb in _OF_THE_SERVICE else narrow, f"redan {verb}")


def _say(text: str) -> None:
    sys.stderr.write(_visible(text) + "\n")


def _visible(text: str) -> str:
    """Replace control characters (a file name may hold terminal escapes) and what stderr cannot encode."""
    shown = "".join(c if c == "\n" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    encoding = sys.stderr.encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _bug(err: Exception) -> int:
    """Keep the traceback in a file and say where."""
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(err))
    if os.environ.get("REDAN_DEBUG"):
        sys.stderr.write(text)
    with tempfile.NamedTemporaryFile("w", prefix="redan-bug-", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write(text)
    _say(
        f"RDN-E900: a bug in Redan: {type(err).__name__}: {err}\n"
        f"  try: report it with {file.name}, or set REDAN_DEBUG=1 to see the traceback"
    )
    return BUG

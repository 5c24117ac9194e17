"""How a command ends: every error becomes a message on stderr and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys

import click

from redan.core.errors import RedanError

USAGE, BUG, INTERRUPTED, PIPE = 2, 4, 130, 141


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
        _say(err.diagnostics())
        return err.exit_code
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

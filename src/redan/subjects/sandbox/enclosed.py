"""The process that confines itself and then becomes the command: `redan run`."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path


def main() -> None:
    """Read the task from a pipe, confine, tell the number of the listener, execute the command.

    What fails before the command runs is told over the pipe; the command's own words never go there.
    """
    questions, answers = int(sys.argv[2]), int(sys.argv[3])
    with os.fdopen(questions, "rb") as file:
        task = json.loads(file.read())
    try:
        listener = _enter(task)
        os.write(answers, json.dumps({"listener": listener}).encode() + b"\n")
        # nothing may be opened before the supervisor listens: every open waits for it, and so does this execution
        os.set_inheritable(answers, False)
        os.execve(task["program"], task["words"], task["environment"])  # noqa: S606  the user's own command
    except Exception as err:  # noqa: BLE001  whatever it is, the parent must say it
        os.write(answers, json.dumps({"failed": f"{type(err).__name__}: {err}"[:500]}).encode() + b"\n")
        os._exit(127)


def _enter(task: dict[str, object]) -> int:
    from redan.subjects.sandbox import confinement
    from redan.subjects.sandbox.filter import command_program
    from redan.subjects.sandbox.loopback import leave_network

    limits, grants, loopback = task["limits"], task["grants"], bool(task["loopback"])
    if not isinstance(limits, dict) or not isinstance(grants, list):
        raise TypeError("the task has no limits or grants")
    may_signal = confinement.landlock_version() >= confinement.SCOPING_LANDLOCK
    code = command_program(platform.machine(), may_signal=may_signal, sockets=loopback or bool(task["workers"]))
    if loopback:
        leave_network()
    confinement.begin(**limits)
    confinement.restrict_files([(Path(path), rights) for path, rights in grants], tcp=loopback)
    confinement.drop_capabilities()
    return confinement.install_traced_filter(code)


if __name__ == "__main__":
    main()

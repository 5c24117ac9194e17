"""The process that loads a file once, inside the sandbox, to see what its loader does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.subjects.sandbox.entering import enter, take_pipes

if TYPE_CHECKING:
    from redan.subjects.gate import Admitted


def main() -> None:
    """Load what the first frame names; tell every name while it happens and what came of it at the end."""
    from redan.subjects.sandbox.frames import read_frame, write_frame
    from redan.subjects.sandbox.watch import Watch

    questions, answers = take_pipes()
    task, _ = read_frame(questions, within_s=None)
    try:
        readable = enter(task["readable"])
        _import_known(["redan.subjects.loading", "redan.subjects.failures", *task["packages"]])
        admitted = _read(task)
        watch = Watch(lambda kind, name: write_frame(answers, {kind: name}), readable, frozenset({os.devnull, "/"}))
        write_frame(answers, {"entered": True})
        watch.arm()
        write_frame(answers, _loaded(admitted))
    except BaseException as err:  # noqa: BLE001  whatever a hostile file raises must reach the parent as text
        write_frame(answers, {"failed": f"{type(err).__name__}: {err}"[:500]})


def _import_known(packages: list[str]) -> None:
    """Import libraries before anybody watches: what they look for on the machine is not the file's doing."""
    from importlib import import_module

    for name in packages:
        try:
            import_module(name)
        except Exception:  # noqa: BLE001, S112  whatever a library raises here, the load itself will say it
            continue


def _read(task: dict[str, Any]) -> Admitted:
    from redan.core.subject import Component
    from redan.subjects.gate import Admitted

    path = Path(task["path"])
    data = path.read_bytes()
    part = Component(role="weights", uri=path.name, sha256="", size_bytes=len(data))
    return Admitted(path=path, data=data, format=task["format"], safe=False, component=part)


def _loaded(admitted: Admitted) -> dict[str, Any]:
    from redan.subjects.loading import load_object, parts_of, type_name

    thing = load_object(admitted)
    parts = [[each.name, list(each.shape), each.dtype] for each in parts_of(thing)]
    return {"loaded": type_name(thing), "parts": parts}


if __name__ == "__main__":
    main()

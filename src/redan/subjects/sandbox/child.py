"""The process inside the sandbox: it confines itself, loads the model, and answers predictions over a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.subjects.sandbox.entering import enter, take_pipes

if TYPE_CHECKING:
    from redan.core.subject import Subject
    from redan.subjects.gate import Admitted

_REFUSED_EVENTS = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.", "socket.", "pty.")


def main() -> None:
    """Serve until the pipe closes."""
    from redan.subjects.sandbox.frames import read_frame, write_frame

    questions, answers = take_pipes()
    task, _ = read_frame(questions, within_s=None)
    try:
        attempts = _enter(task)
        subject = _load(task)
        write_frame(answers, _described(subject))
    except BaseException as err:  # noqa: BLE001  whatever a hostile file raises must reach the parent as text
        write_frame(answers, _failed(err, locals().get("attempts", [])))
        return
    while True:
        question, x = read_frame(questions, within_s=None)
        try:
            write_frame(answers, {"ok": True}, getattr(subject, question["ask"])(x))
        except BaseException as err:  # noqa: BLE001  as above
            write_frame(answers, _failed(err, attempts))


def _enter(task: dict[str, Any]) -> list[str]:
    enter(task["readable"])
    attempts: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        # the kernel refuses these too; here they get a name that the report can show
        if event.startswith(_REFUSED_EVENTS) and event != "socket.__new__":
            attempts.append(f"{event}({', '.join(repr(argument)[:80] for argument in arguments[:2])})")
            raise PermissionError(f"refused in the sandbox: {event}")

    sys.addaudithook(watch)
    return attempts


def _load(task: dict[str, Any]) -> Subject:
    from redan.subjects.model_files import load_admitted, load_folder
    from redan.subjects.options import Options

    given = task["options"].items()
    known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given}
    options = Options(**known)
    path = Path(task["path"])
    if path.is_dir():
        return load_folder(path, options=options, components=())
    factory = (Path(task["factory"][0]), task["factory"][1]) if task["factory"] else None
    return load_admitted(_reread(path, task), options=options, factory=factory)


def _reread(path: Path, task: dict[str, Any]) -> Admitted:
    """Read the file again inside the sandbox; its format is what the scanner found, its safety is not claimed."""
    from redan.core.subject import Component
    from redan.subjects.gate import Admitted

    data = path.read_bytes()
    part = Component(role="weights", uri=path.name, sha256="", size_bytes=len(data))
    return Admitted(path=path, data=data, format=task["format"], safe=False, component=part)


def _described(subject: Subject) -> dict[str, Any]:
    capabilities = sorted({"labels", "scores"} & subject.capabilities)
    return {"ok": True, "kind": subject.ref.kind, "capabilities": capabilities, "classes": list(subject.classes)}


def _failed(err: BaseException, attempts: list[str]) -> dict[str, Any]:
    said = f"{type(err).__name__}: {err}"[:500]
    return {"ok": False, "error": said, "attempts": attempts[:8]}


if __name__ == "__main__":
    main()

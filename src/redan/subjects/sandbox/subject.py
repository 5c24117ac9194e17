"""A model file that is not safe, asked through the pipe of the sandbox it is locked into."""

from __future__ import annotations

import weakref
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import SubjectFailed, UnsafeArtifact
from redan.core.subject import Binding, SubjectRef
from redan.subjects.answering import Answering
from redan.subjects.columns import AnswerForm, agreed_classes
from redan.subjects.digests import uri
from redan.subjects.sandbox.confinement import landlock_version, why_not
from redan.subjects.sandbox.frames import read_frame, write_frame
from redan.subjects.sandbox.starting import ended, printable, started

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.subject import Capability, Component, SubjectKind
    from redan.subjects.options import Options

LOADING_S = 180.0
ANSWERING_S = 300.0

_KINDS: dict[str, SubjectKind] = {
    "torch": "torch",
    "sklearn": "sklearn",
    "booster": "booster",
    "onnx": "onnx",
    "callable": "callable",
}


class SandboxedSubject(Answering):
    """Labels and, where the model has them, scores of a file that runs in a confined process.

    Neither gradients nor weights leave the sandbox. Every answer is checked like that of a stranger's endpoint.

    Args:
        path: the file or folder, already scanned.
        format: slug that the scanner found.
        options: what the owner knows about the model.
        components: digests of what is loaded.
        factory: file and function that make the module for a file of weights.
        sample: a few inputs to learn from what the scores are.

    Raises:
        UnsafeArtifact: this machine has no sandbox; the file is never loaded without one.
        SubjectFailed: the file could not be loaded inside, with what it tried to do.
    """

    def __init__(
        self,
        path: Path,
        *,
        format: str,
        options: Options,
        components: tuple[Component, ...],
        factory: tuple[Path, str] | None = None,
        sample: NDArray[Any] | None = None,
    ) -> None:
        reason = why_not()
        if reason:
            raise UnsafeArtifact(
                f"{uri(path)!r} is not safe and there is no sandbox to load it in: {reason}",
                hint="run Redan on Linux 6.7 or later; without a sandbox such a file is never loaded",
            )
        self._name = options.name or path.name
        self._options = options
        self._child = started("redan.subjects.sandbox.child")
        self._end = weakref.finalize(self, ended, self._child)
        about = self._introduced(path, format, factory)
        self._capabilities: frozenset[Capability] = frozenset(
            {"labels", "scores"} if "scores" in about.get("capabilities", []) else {"labels"}
        )
        names = about.get("classes", [])
        own = tuple(str(n) for n in names) if isinstance(names, list) else ()
        self._form = AnswerForm(self._name, options)
        self._form.classes = agreed_classes(options.classes, own, self._name)
        self._ref = SubjectRef(
            name=self._name,
            kind=_KINDS.get(str(about.get("kind")), "callable"),
            components=components,
            binding=Binding(
                kind="file", uri=uri(path), detail=f"loaded in a sandbox (Landlock {landlock_version()}, seccomp)"
            ),
        )
        if sample is not None and "scores" in self._capabilities:
            self.scores(sample)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Labels, and scores where the model gives them; never more."""
        return self._capabilities

    def labels(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict classes of (n, …) inputs as (n,) int64."""
        answer = self._ask("labels", x)
        if answer.shape != (len(x),) or answer.dtype.kind not in "iu":
            raise SubjectFailed(f"{self._name!r} answered {len(x)} inputs with {answer.dtype} {answer.shape}")
        return answer.astype(np.int64)

    def scores(self, x: NDArray[Any]) -> NDArray[Any]:
        """Predict scores of (n, …) inputs as (n, classes)."""
        return self._form.scores(self._ask("scores", x), len(x))

    def close(self) -> None:
        """End the sandbox."""
        self._end()

    def _ask(self, what: str, x: NDArray[Any]) -> NDArray[Any]:
        header, array = self._exchanged({"ask": what}, np.asarray(x), ANSWERING_S)
        if array is None:
            raise self._refused(header)
        return array

    def _introduced(self, path: Path, format: str, factory: tuple[Path, str] | None) -> dict[str, Any]:
        code = factory[0].absolute() if factory else None
        task = {
            "path": str(path.absolute()),
            "format": format,
            "factory": (str(code), factory[1]) if factory else (),
            "options": asdict(self._options),
            "readable": [str(path.absolute())] + ([str(code.parent)] if code else []),
        }
        header, _ = self._exchanged(task, None, LOADING_S)
        if not header.get("ok"):
            self.close()
            raise self._refused(header)
        return header

    def _exchanged(
        self, header: dict[str, Any], array: NDArray[Any] | None, within_s: float
    ) -> tuple[dict[str, Any], NDArray[Any] | None]:
        if not self._end.alive or self._child.stdin is None or self._child.stdout is None:
            raise SubjectFailed(f"the sandbox of {self._name!r} has ended")
        try:
            write_frame(self._child.stdin.fileno(), header, array)
            return read_frame(self._child.stdout.fileno(), within_s=within_s)
        except OSError as err:
            self.close()
            raise SubjectFailed(f"the sandbox of {self._name!r} has ended: {err}") from err
        except SubjectFailed:
            self.close()
            raise

    def _refused(self, header: dict[str, Any]) -> SubjectFailed:
        tried = header.get("attempts", [])
        said = printable(header.get("error", "no reason"))
        if tried:
            acts = "; ".join(printable(each) for each in tried)
            return SubjectFailed(
                f"{self._name!r} tried {acts} and the sandbox refused", hint="do not use this file; see `redan scan`"
            )
        return SubjectFailed(
            f"{self._name!r} failed inside the sandbox: {said}",
            hint="inside it can neither write, connect nor start programs; its classes must be installed",
        )

"""From held bytes to a version that is ready to answer: scanned, loaded from these bytes, warmed, checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from redan.core.errors import RedanError, SubjectFailed, Unreadable, UnsafeArtifact, UsageError
from redan.core.subject import Component
from redan.service.models.answering import answer_of, plain
from redan.service.models.factories import made_from
from redan.service.models.served import Answers, Served
from redan.subjects.detectors.served import served as detected
from redan.subjects.factory import split_factory
from redan.subjects.failures import needing
from redan.subjects.gate import admit_bytes
from redan.subjects.model_files import load_admitted, model_format
from redan.subjects.objects import Found, from_object
from redan.subjects.options import Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.settings_service import ServedModel
    from redan.core.subject import Subject
    from redan.evidence.datasets.schema import Schema
    from redan.evidence.statements.decision import Decision
    from redan.service.models.holding import Held
    from redan.subjects.gate import Admitted

SAMPLE_ROWS = 64
_NEAR = 1e-5
_UNREADABLE_HERE = ("keras",)
"""Formats whose libraries read a path again, so that other bytes could be loaded than were judged."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Extras:
    """What stands beside a model and says what its rows are.

    Attributes:
        sample: (n, …) rows, or None.
        schema: what rows must fit, or None.
    """

    sample: NDArray[Any] | None = None
    schema: Schema | None = None


def extras_of(settings: ServedModel, root: Path) -> Extras:
    """Read sample rows and schema.

    Raises:
        RedanError: one of the files is named and cannot be read.
    """
    from redan.evidence.datasets.schema import read

    schema = read(root / settings.schema) if settings.schema else None
    return Extras(sample=_sample(root / settings.sample) if settings.sample else None, schema=schema)


def _sample(path: Path) -> NDArray[Any]:
    from redan.subjects.data.load import load_dataset

    return np.asarray(load_dataset(path, limit=SAMPLE_ROWS).x)


@needing("serving this model")
def load(settings: ServedModel, held: Held, extras: Extras, decision: Decision | None) -> Served:
    """Load a model that was judged.

    Args:
        settings: as the configuration names it.
        held: its bytes.
        extras: what stands beside it.
        decision: why it may be served; None in a laboratory.

    Raises:
        UnsafeArtifact: a file that would need trust; such files are never served.
        Unreadable, UsageError: no model, or one that the gateway does not serve.
        SubjectFailed: its library raised, or answers otherwise in one call than in two.
    """
    subject = _subject(settings, held, extras.sample)
    if "text" in subject.capabilities:
        raise UsageError(f"{settings.name} takes texts", hint="the gateway serves models that take numbers")
    shape, dtype = _row(subject, extras)
    rows = np.zeros((2, *shape), dtype) if extras.sample is None else _as(extras.sample, shape, dtype)
    answer = _checked(subject, rows)
    return Served(
        settings=settings,
        digest=held.digest,
        decision=decision,
        answer=answer,
        dtype=dtype,
        shape=shape,
        columns=_columns(subject, extras, shape),
        classes=settings.classes or subject.classes,
        score_kind=getattr(subject, "score_kind", "") if "scores" in subject.capabilities else "",
        schema=extras.schema,
        detected=detected(
            subject, rows if settings.detectors and extras.sample is not None else None, digest=held.digest
        ),
    )


def _subject(settings: ServedModel, held: Held, sample: NDArray[Any] | None) -> Subject:
    options = Options(
        name=settings.name,
        classes=settings.classes,
        input_shape=() if sample is None else tuple(sample.shape[1:]),
    )
    try:
        factory = split_factory(settings.target)
        if factory is not None:
            return _made(settings, held, options, sample, (factory[0].name, factory[1]))
        if held.folder:
            raise Unreadable(
                f"{held.path.name!r} is a folder without a factory",
                hint='name target = "FOLDER/MODULE.py:FACTORY" with weights, or serve a single file',
            )
        admitted = admit_bytes(next(iter(held.files.values())), held.path)
    except UnsafeArtifact as err:
        raise UnsafeArtifact(err.message, hint="a gateway serves no file that needs trust: save it as skops-free data, "
                             "ONNX or torch.export, or see redan scan") from err  # fmt: skip
    return _from_bytes(admitted, options, sample)


def _from_bytes(admitted: Admitted, options: Options, sample: NDArray[Any] | None) -> Subject:
    slug = model_format(admitted)
    if slug in _UNREADABLE_HERE:
        raise Unreadable(
            f"{admitted.path.name!r} is {slug}, whose library loads a path and not the bytes that were judged",
            hint="export it as ONNX or with torch.export",
        )
    if slug == "onnx":
        from redan.subjects.onnx import OnnxSubject, open_session

        session = open_session(admitted.data, admitted.path.name)
        return OnnxSubject(session, options=options, components=(admitted.component,), sample=sample)
    return load_admitted(admitted, options=options, sample=sample)


def _made(
    settings: ServedModel, held: Held, options: Options, sample: NDArray[Any] | None, factory: tuple[str, str]
) -> Subject:
    """Build the network by its own code and put weights into it, both from the judged bytes."""
    from hashlib import sha256

    from torch import nn

    from redan.subjects.torch_files import read_torch, with_weights

    model = made_from(held.files, *factory)
    code = held.files[factory[0]]
    found = Found(
        options=options,
        sample=sample,
        code=Component(role="code", uri=factory[0], sha256=sha256(code).hexdigest(), size_bytes=len(code)),
    )
    if not settings.weights:
        return from_object(model, found, kind=settings.kind)
    name = Path(settings.weights).name
    inside = [each for each in held.files if each == name or each.endswith(f"/{name}")]
    if len(inside) != 1:
        raise Unreadable(f"the model's folder holds {len(inside)} files named {name!r}; expected one")
    admitted = admit_bytes(held.files[inside[0]], Path(name))
    state = read_torch(admitted)
    if isinstance(state, nn.Module):
        raise UsageError(f"{name!r} is a whole network", hint="name it as target, without a factory")
    weights = Found(options=options, sample=sample, code=found.code, weights=admitted.component)
    return from_object(with_weights(model, state, name), weights)


def _row(subject: Any, extras: Extras) -> tuple[tuple[int, ...], Any]:
    """Return shape and type of one row."""
    kind = subject.ref.kind
    width: int | None = None
    dtype: Any = np.float64
    if kind == "torch":
        keeps = subject.module.keeps_integers
        dtype = np.int64 if keeps else np.float32
    elif kind == "onnx":
        taken = subject.session.get_inputs()[0]
        dtype = {"tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
                 "tensor(uint8)": np.uint8}.get(taken.type, np.float32)  # fmt: skip
        fixed = tuple(taken.shape[1:]) if taken.shape else ()
        if extras.sample is None and fixed and all(isinstance(n, int) and n > 0 for n in fixed):
            return fixed, np.dtype(dtype)
    elif kind == "booster" and hasattr(subject, "booster"):
        dtype = np.float32
        booster = subject.booster
        width = int(booster.num_features() if hasattr(booster, "num_features") else booster.num_feature())
    else:
        width = getattr(getattr(subject, "estimator", None), "n_features_in_", None)
    if extras.sample is not None:
        return tuple(extras.sample.shape[1:]), np.dtype(dtype)
    if width is None:
        raise UsageError(f"what {subject.ref.name!r} takes is not known", hint='name sample = "rows.npz"')
    return (int(width),), np.dtype(dtype)


def _as(sample: NDArray[Any], shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    return np.ascontiguousarray(sample.reshape((len(sample), *shape)), dtype=dtype)


def _columns(subject: Any, extras: Extras, shape: tuple[int, ...]) -> tuple[str, ...]:
    names = getattr(getattr(subject, "estimator", None), "feature_names_in_", None)
    own = tuple(map(str, names)) if names is not None else ()
    if not own and extras.schema is not None:
        own = tuple(rule.name for rule in extras.schema.rules)
    return own if len(shape) == 1 and len(own) == shape[0] else ()


def _checked(subject: Subject, rows: NDArray[Any]) -> Callable[[NDArray[Any]], Answers]:
    """Warm the fast way with one row and with all, and insist that it says what the subject says.

    Raises:
        SubjectFailed: it does not.
    """
    wanted = plain(subject)(rows)
    answer = answer_of(subject)
    for got, said in ((answer(rows[:1]), _first(wanted)), (answer(rows), wanted)):
        if not _same(got, said):
            raise SubjectFailed(
                f"{subject.ref.name!r} answers otherwise when it is asked again for the same rows",
                hint="a model that answers by chance cannot be audited",
            )
    return answer


def _same(got: Answers, said: Answers) -> bool:
    if not np.array_equal(got.labels, said.labels):
        return False
    if got.scores is None or said.scores is None:
        return got.scores is said.scores
    return np.allclose(got.scores, said.scores, atol=_NEAR)


def _first(answers: Answers) -> Answers:
    return Answers(labels=answers.labels[:1], scores=None if answers.scores is None else answers.scores[:1])


def refusal(err: RedanError) -> str:
    """Return why a version could not be loaded and what to do, in one line."""
    return f"{err.message}{f' – {err.hint}' if err.hint else ''}"

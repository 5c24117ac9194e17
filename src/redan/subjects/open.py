"""One door to subjects: look at what was given and choose the adapter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

from redan.core.errors import UnknownName, Unreadable, UsageError
from redan.core.subject import Binding
from redan.subjects.digests import component, uri
from redan.subjects.factory import made_by, split_factory
from redan.subjects.failures import needing
from redan.subjects.objects import Found, from_object
from redan.subjects.options import Known, Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.settings import Endpoint
    from redan.core.subject import Subject
    from redan.subjects.texts import Asked

KINDS = ("auto", "torch", "hf", "keras", "sklearn", "booster", "onnx", "callable", "http")


@needing("this model")
def open_subject(
    target: Any,
    *,
    kind: str = "auto",
    weights: str | Path = "",
    trust: bool = False,
    sample: NDArray[Any] | None = None,
    endpoint: Endpoint | None = None,
    template: str = "",
    **known: Unpack[Known],
) -> Subject:
    """Make a subject of anything that predicts.

    A model file is scanned before it is loaded. One that is not found safe is refused, or, with ``trust``, loaded in
    a sandbox that offers labels and scores only.

    Args:
        target: an object (torch or Keras module, fitted scikit-learn classifier, XGBoost or LightGBM booster, ONNX
            session, function), ``MODULE.py:FACTORY``, a model file or Hugging Face folder, or an HTTP address.
        kind: adapter, when the right one is not found by itself: one of `KINDS`.
        weights: state dict to load into what the factory returns.
        trust: load a file that is not found safe, in the sandbox.
        sample: a few inputs; tell what callables and endpoints answer and what scores are.
        endpoint: how to talk to an HTTP address.
        template: JSON body for an HTTP address, ``"$x"`` for the inputs.
        **known: what its owner knows about the model: the fields of `Options`.

    Raises:
        UsageError: nothing that predicts, or words that do not fit together.
        Unreadable: no such file, or not in a format we read.
        UnsafeArtifact: a file that is not safe, without ``trust`` or without a sandbox on this machine.
        SubjectFailed: the factory, the file or the endpoint failed.
        MissingDependency: an extra is not installed.
    """
    if kind not in KINDS:
        raise UnknownName.among("kind of model", kind, list(KINDS))
    from redan.subjects.texts import for_texts

    opened = _opened(
        target, Options(**known), sample, kind=kind, weights=weights, trust=trust, endpoint=endpoint, template=template
    )
    return for_texts(opened, sample)


def _opened(
    target: Any,
    options: Options,
    sample: NDArray[Any] | None,
    *,
    kind: str,
    weights: str | Path,
    trust: bool,
    endpoint: Endpoint | None,
    template: str,
) -> Subject:
    if not isinstance(target, (str, Path)):
        _no_weights(weights)
        return from_object(target, Found(options=options, sample=sample), kind=kind)
    text = str(target)
    if kind == "http" or text.startswith(("http://", "https://")):
        from redan.subjects.http import HttpSubject

        _no_weights(weights)
        return HttpSubject(text, endpoint=endpoint, options=options, template=template, sample=sample)
    factory = split_factory(text)
    if factory is None:
        _no_weights(weights)
        if sample is not None and _is_text(sample) and Path(text).is_dir():
            return _texts_from_folder(Path(text), options, sample, trust=trust)
        return _from_path(Path(text), options, sample, trust=trust)
    if weights:
        return _from_file(Path(weights), options, sample, trust=trust, factory=factory)
    return _from_factory(factory, options, sample, kind)


def _no_weights(weights: str | Path) -> None:
    if weights:
        raise UsageError("weights go into a network, and no factory was given", hint="MODULE.py:FACTORY as the model")


def _from_factory(factory: tuple[Path, str], options: Options, sample: NDArray[Any] | None, kind: str) -> Subject:
    model = made_by(*factory)
    path, function = factory
    found = Found(
        options=replace(options, name=options.name or f"{path.stem}:{function}"),
        sample=sample,
        code=component("code", path),
        binding=Binding(kind="memory", uri=f"{uri(path)}:{function}"),
    )
    return from_object(model, found, kind=kind)


def _from_path(path: Path, options: Options, sample: NDArray[Any] | None, *, trust: bool) -> Subject:
    if not path.exists():
        raise Unreadable(
            f"there is no model at {uri(path)!r}", hint="give a model file or folder, MODULE.py:FACTORY or an address"
        )
    if path.is_dir():
        return _from_folder(path, options, sample, trust=trust)
    if path.suffix == ".py":
        raise UsageError(f"{uri(path)!r} is code; which function makes the model?", hint=f"write {path.name}:FACTORY")
    return _from_file(path, options, sample, trust=trust, factory=None)


def _from_file(
    path: Path,
    options: Options,
    sample: NDArray[Any] | None,
    *,
    trust: bool,
    factory: tuple[Path, str] | None,
) -> Subject:
    from redan.subjects.gate import admit
    from redan.subjects.model_files import load_admitted

    admitted = admit(path, trust=trust)
    if admitted.safe:
        return load_admitted(admitted, options=options, factory=factory, sample=sample)
    from redan.subjects.sandbox.subject import SandboxedSubject

    code = (component("code", factory[0]),) if factory else ()
    return SandboxedSubject(
        path,
        format=admitted.format,
        options=options,
        components=(admitted.component, *code),
        factory=factory,
        sample=sample,
    )


def _from_folder(folder: Path, options: Options, sample: NDArray[Any] | None, *, trust: bool) -> Subject:
    from redan.subjects.gate import admit_all
    from redan.subjects.hf_files import files_to_load, is_hf_folder
    from redan.subjects.model_files import load_folder

    if not is_hf_folder(folder):
        raise Unreadable(
            f"{uri(folder)!r} is no model folder that Redan loads",
            hint="expected config.json beside *.safetensors; give a single model file, or `redan scan` for a folder",
        )
    safe, components = admit_all(files_to_load(folder), trust=trust)
    if safe:
        return load_folder(folder, options=options, components=components, sample=sample)
    from redan.subjects.sandbox.subject import SandboxedSubject

    return SandboxedSubject(folder, format="hf", options=options, components=components, factory=None, sample=sample)


def _is_text(sample: NDArray[Any]) -> bool:
    from redan.subjects.texts import is_text

    return is_text(sample)


def _texts_from_folder(folder: Path, options: Options, sample: NDArray[Any], *, trust: bool) -> Subject:
    """Open a folder whose model takes tokens as one that takes texts."""
    from redan.subjects.hf_texts import Encoder
    from redan.subjects.texts import TextSubject

    encoder = Encoder(folder)
    inner = _from_folder(folder, options, encoder(sample.tolist()), trust=trust)
    return TextSubject(cast("Asked", inner), encode=encoder, ref=encoder.joined(inner.ref))

"""Hugging Face model folders without any factory: ``config.json`` says what they are."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from redan.core.errors import RedanError, SubjectFailed, Unreadable, UsageError
from redan.core.subject import Binding, Component
from redan.subjects.columns import agreed_classes
from redan.subjects.digests import uri
from redan.subjects.failures import first_line
from redan.subjects.hf_files import weight_files
from redan.subjects.options import Options
from redan.subjects.torch import TorchSubject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

_TASKS = {
    "ForImageClassification": "AutoModelForImageClassification",
    "ForSequenceClassification": "AutoModelForSequenceClassification",
}


def open_hf(
    folder: Path,
    *,
    options: Options,
    components: tuple[Component, ...],
    sample: NDArray[Any] | None = None,
) -> TorchSubject:
    """Load a classifier from local files alone, never running code that lies in the folder.

    Images are expected as (n, c, h, w) in [0, 1]; the folder's own normalisation is put inside the model. Texts are
    expected as (n, length) token numbers; the padding token is masked.

    Args:
        folder: the model folder; its files have been scanned.
        options: what the owner knows; class names, bounds and normalisation of the folder fill its gaps.
        components: digests of the files.
        sample: a few inputs to learn from what the scores are.

    Raises:
        Unreadable: the configuration is no JSON.
        UsageError: the model is no classifier.
        SubjectFailed: transformers cannot build it.
    """
    config = _json(folder / "config.json")
    task = _task(config, folder)
    model = _model(folder, task)
    options = replace(
        options,
        name=options.name or folder.name,
        classes=agreed_classes(options.classes, _classes(config), folder.name),
    )
    if task.endswith("ForImageClassification"):
        options = _for_images(options, folder)
    else:
        model = Tokens(model, padding=config.get("pad_token_id"))
    return TorchSubject(
        model,
        options=options,
        components=tuple(part for part in components if not _is_weights(part)),
        weights=_joined(tuple(part for part in components if _is_weights(part)), folder),
        binding=Binding(kind="file", uri=uri(folder)),
        sample=sample,
    )


class Tokens(nn.Module):
    """A text classifier from token numbers alone, with the padding masked.

    Args:
        model: takes ``input_ids`` and ``attention_mask``.
        padding: number of the padding token, None when there is none.
    """

    def __init__(self, model: nn.Module, *, padding: int | None) -> None:
        super().__init__()
        self.model = model
        self.padding = padding
        self.training = model.training

    def forward(self, x: Tensor) -> Any:
        """Map (n, length) int64 tokens to the model's own answer."""
        mask = torch.ones_like(x) if self.padding is None else (x != self.padding).to(x.dtype)
        return self.model(input_ids=x, attention_mask=mask)


def _is_weights(part: Component) -> bool:
    return part.uri.endswith((".safetensors", ".bin"))


def _joined(parts: tuple[Component, ...], folder: Path) -> Component:
    """One component for weights that may lie in several files."""
    if len(parts) == 1:
        return parts[0]
    digest = sha256("\n".join(sorted(part.sha256 for part in parts)).encode()).hexdigest()
    return Component(role="weights", uri=uri(folder), sha256=digest, size_bytes=sum(part.size_bytes for part in parts))


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as err:
        raise Unreadable(f"{uri(path)!r} is no readable JSON: {first_line(err)}") from err
    if not isinstance(document, dict):
        raise Unreadable(f"{uri(path)!r} is no JSON object")
    return document


def _task(config: dict[str, Any], folder: Path) -> str:
    named = config.get("architectures") or []
    for architecture in named if isinstance(named, list) else []:
        for ending, auto in _TASKS.items():
            if str(architecture).endswith(ending):
                return auto
    raise UsageError(
        f"{folder.name!r} is a {', '.join(map(str, named)) or 'model without architectures'}; expected a classifier",
        hint="Redan reads folders of image and text classifiers; give others as MODULE.py:FACTORY",
    )


def _model(folder: Path, task: str) -> nn.Module:
    import transformers

    tensors_only = all(path.suffix == ".safetensors" for path in weight_files(folder))
    try:
        with _without_bar(transformers.utils.logging):
            loaded: nn.Module = getattr(transformers, task).from_pretrained(
                folder, local_files_only=True, trust_remote_code=False, use_safetensors=tensors_only
            )
    except RedanError:
        raise
    except Exception as err:
        raise SubjectFailed(
            f"transformers cannot load {folder.name!r}: {type(err).__name__}: {first_line(err)}",
            hint="a model that needs its own code can be given as MODULE.py:FACTORY",
        ) from err
    return loaded


@contextmanager
def _without_bar(switch: Any) -> Iterator[None]:
    """Keep the library's progress bar off our output, and leave its switch as it was."""
    shown = switch.is_progress_bar_enabled()
    switch.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            switch.enable_progress_bar()


def _classes(config: dict[str, Any]) -> tuple[str, ...]:
    names = config.get("id2label")
    if not isinstance(names, dict) or not all(str(key).isdigit() for key in names):
        return ()
    return tuple(str(names[key]) for key in sorted(names, key=int))


def _for_images(options: Options, folder: Path) -> Options:
    bounds = options.bounds or (0.0, 1.0)
    path = folder / "preprocessor_config.json"
    if options.mean or not path.is_file():
        return replace(options, bounds=bounds)
    own = _json(path)
    mean, std = own.get("image_mean"), own.get("image_std")
    if not own.get("do_normalize", True) or not isinstance(mean, list) or not isinstance(std, list):
        return replace(options, bounds=bounds)
    return replace(options, bounds=bounds, mean=tuple(map(float, mean)), std=tuple(map(float, std)))

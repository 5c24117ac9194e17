"""A Python object to its adapter, by the library that its type comes from; no library is imported to find out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from redan.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.subject import Binding, Component, Subject
    from redan.subjects.options import Options


def from_object(
    model: Any,
    *,
    options: Options,
    sample: NDArray[Any] | None = None,
    components: tuple[Component, ...] = (),
    binding: Binding | None = None,
) -> Subject:
    """Wrap an object in memory."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from redan.subjects.torch import TorchSubject

        return TorchSubject(model, options=options, sample=sample, components=components, binding=binding)
    raise UsageError(f"{type(model).__name__} is nothing that can be measured")

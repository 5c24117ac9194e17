"""One door to subjects: look at what was given and choose the adapter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from redan.core.errors import UsageError
from redan.subjects.objects import from_object
from redan.subjects.options import Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from redan.core.subject import Subject


def open_subject(
    target: Any,
    *,
    options: Options | None = None,
    sample: NDArray[Any] | None = None,
) -> Subject:
    """Make a subject of anything that can be measured."""
    options = options or Options()
    if isinstance(target, (str, Path)):
        from redan.subjects.factory import made_by, split_factory

        found = split_factory(str(target))
        if found is None:
            raise UsageError(f"{target!r} is nothing that can be measured")
        return from_object(made_by(*found), options=options, sample=sample)
    return from_object(target, options=options, sample=sample)

"""What `native/walk.c` offers, where it was built."""

from redan.kernels.artifacts.machine.core import Walk
from redan.kernels.artifacts.machine.values import Value

INTERFACE: str
walk: Walk

def bind(
    imported: type,
    result: type,
    number: Value,
    text: Value,
    empty_set: Value,
    buffer: Value,
    longest_list: int,
    most_retained: int,
    longest_kept: int,
    object_bytes: int,
    largest_gap: int,
    /,
) -> None: ...

"""Inputs, outputs and size of an ONNX model, from its message. Source: onnx/onnx.proto, version 1.19."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from redan.kernels.cards.facts import ModelFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_FIELDS = 2_000_000
"""Fields of one model that are walked."""

_MOST_ELEMENTS = 1 << 62
_PRODUCER, _PRODUCER_VERSION, _GRAPH, _OPSET = 2, 3, 7, 8
_NODE, _GRAPH_NAME, _INITIALIZER, _INPUT, _OUTPUT = 1, 2, 5, 11, 12


class _Field(NamedTuple):
    number: int
    value: int
    data: memoryview


class _Walk:
    """Walks messages; counts fields over the whole model."""

    def __init__(self) -> None:
        self.left = MOST_FIELDS

    def fields(self, data: memoryview) -> Iterator[_Field]:
        at = 0
        while at < len(data):
            self.left -= 1
            if self.left < 0:
                raise ValueError("more fields than are read")
            tag, at = _varint(data, at)
            value, wire = 0, tag & 7
            if wire in (0, 2):
                value, at = _varint(data, at)
            n_bytes = {0: 0, 1: 8, 2: value, 5: 4}.get(wire, -1)
            if n_bytes < 0 or n_bytes > len(data) - at:
                raise ValueError("no message")
            yield _Field(tag >> 3, value, data[at : at + n_bytes])
            at += n_bytes

    def texts(self, data: memoryview, number: int) -> list[str]:
        return [_text(f.data) for f in self.fields(data) if f.number == number]


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("an integer has no end")


def _text(data: memoryview) -> str:
    return bytes(data[:200]).decode("utf-8", "replace")


def read_graph(content: bytes, types: Mapping[int, str]) -> ModelFacts:
    """Read a model's producer, operator set, inputs, outputs and number of weights.

    Args:
        content: the file.
        types: words for ONNX's element types.

    Raises:
        ValueError: no such message, or more than is read.
    """
    walk = _Walk()
    further: dict[str, str] = {}
    graph = memoryview(b"")
    for field in walk.fields(memoryview(content)):
        if field.number == _PRODUCER:
            further["onnx:producer"] = _text(field.data)
        elif field.number == _PRODUCER_VERSION:
            further["onnx:producer_version"] = _text(field.data)
        elif field.number == _GRAPH:
            graph = field.data
    inputs, outputs, weights = [], [], set()
    n_nodes = n_parameters = 0
    for field in walk.fields(graph):
        if field.number == _NODE:
            n_nodes += 1
        elif field.number == _INITIALIZER:
            name, count = _tensor(walk, field.data)
            weights.add(name)
            n_parameters += count
        elif field.number == _INPUT:
            inputs.append(_value(walk, field.data, types))
        elif field.number == _OUTPUT:
            outputs.append(_value(walk, field.data, types))
    further |= {"onnx:nodes": str(n_nodes), "model:parameters": str(n_parameters)}
    # the name of a graph is a hint at what it is; older exporters list weights among the inputs
    return ModelFacts(
        architecture=next(iter(walk.texts(graph, _GRAPH_NAME)), ""),
        inputs=tuple(shape for name, shape in inputs if name not in weights),
        outputs=tuple(shape for _, shape in outputs),
        further=tuple(sorted(further.items())),
    )


def _tensor(walk: _Walk, data: memoryview) -> tuple[str, int]:
    """Return a weight's name and its number of elements."""
    name, count = "", 1
    for field in walk.fields(data):
        if field.number == 8:
            name = _text(field.data)
        elif field.number == 1 and not field.data:
            count = min(count * field.value, _MOST_ELEMENTS)
        elif field.number == 1:
            at = 0
            while at < len(field.data):
                size, at = _varint(field.data, at)
                count = min(count * size, _MOST_ELEMENTS)
    return name, count


def _value(walk: _Walk, data: memoryview, types: Mapping[int, str]) -> tuple[str, str]:
    """Return an input's or output's name, and its element type and shape in words."""
    name, element, sizes = "", "", []
    for field in walk.fields(data):
        if field.number == 1:
            name = _text(field.data)
        elif field.number == 2:
            for tensor in (f for f in walk.fields(field.data) if f.number == 1):
                for part in walk.fields(tensor.data):
                    if part.number == 1:
                        element = types.get(part.value, f"type {part.value}")
                    elif part.number == 2:
                        sizes = [_dimension(walk, f.data) for f in walk.fields(part.data) if f.number == 1]
    return name, f"{name}: {element or '?'}[{','.join(sizes)}]"


def _dimension(walk: _Walk, data: memoryview) -> str:
    for field in walk.fields(data):
        return str(field.value) if field.number == 1 else _text(field.data)
    return "?"

"""TensorFlow Lite: operators, buffers and their bounds. Source: tensorflow/lite/schema/schema.fbs, version 3c.

Files that belong to a model may be packed behind it as a zip archive, which is read as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.flatbuffers import MalformedBufferError, Table
from redan.kernels.artifacts.readers.saved_model import operator_danger

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

# Field numbers.
_OPERATOR_CODES, _SUBGRAPHS, _BUFFERS, _METADATA = 1, 2, 4, 6
_OLD_CODE, _CUSTOM_CODE, _NEW_CODE = 0, 1, 3
_BUFFER_DATA, _BUFFER_OFFSET, _BUFFER_SIZE = 0, 1, 2
_GRAPH_TENSORS, _GRAPH_OPERATORS = 0, 3
_OPERATOR_INDEX, _TENSOR_BUFFER = 0, 2
_CUSTOM = 32

_KNOWN_CUSTOM = frozenset(
    ["TFLite_Detection_PostProcess", "AudioSpectrogram", "Mfcc", "Convolution2DTransposeBias", "RFFT2D", "Atan2",
     "MaxPoolWithArgmax", "MaxUnpooling2D", "Resampler", "Roll", "Irfft2D", "AveragePool3D", "MaxPool3D", "Cumsum"]
)  # fmt: skip
"""Custom operators of TensorFlow Lite's and MediaPipe's own libraries."""


def read_tflite(source: Source) -> str:
    """Look at every operator and check that tables and buffers lie within the file."""
    try:
        model = Table.root(source)
        _read_operators(source, model)
        n_buffers = _read_buffers(source, model)
        for graph in model.tables(_SUBGRAPHS):
            _read_graph(graph, n_buffers, len(model.tables(_OPERATOR_CODES)))
        for entry in model.tables(_METADATA):
            if entry.integer(1, 4) >= n_buffers:
                raise MalformedBufferError("metadata names a buffer that is not there")
    except MalformedBufferError as error:
        source.unknown("out-of-bounds", f"TensorFlow Lite: {error}")
    return "tflite"


def _read_operators(source: Source, model: Table) -> None:
    for code in model.tables(_OPERATOR_CODES):
        name = code.text(_CUSTOM_CODE)
        is_custom = _CUSTOM in (code.integer(_OLD_CODE, 1), code.integer(_NEW_CODE, 4))
        if not name and not is_custom:
            continue
        danger = operator_danger(name.removeprefix("Flex"))
        if danger is not None:
            source.unsafe("graph-operator", f"operator {name!r} {danger}", code.at)
        elif not name.startswith("Flex") and name not in _KNOWN_CUSTOM:
            message = f"operator {name!r} needs a library that the file cannot vouch for"
            source.unknown("custom-operator", message, code.at)


def _read_buffers(source: Source, model: Table) -> int:
    buffers = model.tables(_BUFFERS)
    for buffer in buffers:
        buffer.content(_BUFFER_DATA)
        # A buffer beyond the first two gigabytes is named by its place in the file.
        if buffer.integer(_BUFFER_OFFSET, 8) + buffer.integer(_BUFFER_SIZE, 8) > len(source.data):
            raise MalformedBufferError("a buffer lies outside the file")
    return len(buffers)


def _read_graph(graph: Table, n_buffers: int, n_codes: int) -> None:
    for tensor in graph.tables(_GRAPH_TENSORS):
        if tensor.integer(_TENSOR_BUFFER, 4) >= max(n_buffers, 1):
            raise MalformedBufferError("a tensor names a buffer that is not there")
    for operator in graph.tables(_GRAPH_OPERATORS):
        if operator.integer(_OPERATOR_INDEX, 4) >= n_codes:
            raise MalformedBufferError("an operator has a code that is not there")

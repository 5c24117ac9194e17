"""TensorFlow SavedModel: operators of the graphs and of the function library.

Source: tensorflow/core/protobuf/saved_model.proto, meta_graph.proto, framework/graph.proto, function.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.protobuf import Field, MalformedMessageError, fields, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.kernels.artifacts.source import Source

_UNSAFE = {
    "PyFunc": "calls Python", "PyFuncStateless": "calls Python", "EagerPyFunc": "calls Python",
    "NumpyFunction": "calls Python", "WriteFile": "writes any file", "ReadFile": "reads any file",
    "MatchingFiles": "lists files", "WholeFileReader": "reads any file", "WholeFileReaderV2": "reads any file",
    "SaveDataset": "writes any file", "LoadDataset": "reads any file", "DebugIdentityV2": "writes any file",
    "DeleteRpcFutureResource": "uses the network", "RpcCall": "uses the network", "RpcServer": "opens a port",
    "RpcClient": "uses the network", "RpcServerStart": "opens a port",
}  # fmt: skip


def is_saved_model(source: Source) -> bool:
    """Whether the bytes are a SavedModel: a schema version and graphs in which nodes have a name and an operator."""
    if source.head(2) != b"\x08\x01":
        return False
    trial = source.trial()
    try:
        if {(field.number, field.wire) for field in fields(trial, 0, len(source.data))} != {(1, 0), (2, 2)}:
            return False
        for graph in _graphs(trial):
            for field in fields(trial, graph.start, graph.end):
                if field.number not in (1, 2, 3, 4, 5):
                    return False
    except MalformedMessageError:
        return False
    return True


def _graphs(source: Source) -> Iterator[Field]:
    for meta in fields(source, 0, len(source.data)):
        if meta.number == 2:
            yield from (f for f in fields(source, meta.start, meta.end) if f.number == 2 and f.wire == 2)


def read_saved_model(source: Source) -> str:
    """Look at every operator."""
    try:
        for graph in _graphs(source):
            _read_graph(source, graph)
    except MalformedMessageError as error:
        source.unknown("broken-message", f"the model is no valid message: {error}")
    return "saved-model"


def _read_graph(source: Source, graph: Field) -> None:
    for field in fields(source, graph.start, graph.end):
        if field.number == 1 and field.wire == 2:
            _read_node(source, field)
        elif field.number == 2 and field.wire == 2:
            for function in fields(source, field.start, field.end):
                if function.number == 1 and function.wire == 2:
                    for node in fields(source, function.start, function.end):
                        if node.number == 3 and node.wire == 2:
                            _read_node(source, node)


def _read_node(source: Source, node: Field) -> None:
    operator = ""
    attributes: list[str] = []
    for field in fields(source, node.start, node.end):
        if field.number == 2 and field.wire == 2:
            operator = text(source, field)
        elif field.number == 5 and field.wire == 2:
            attributes.append(text(source, field))
    if operator in _UNSAFE:
        source.unsafe("graph-operator", f"operator {operator!r} {_UNSAFE[operator]}", node.start)
    elif operator.startswith("Print") and any("file://" in attribute for attribute in attributes):
        source.unsafe("graph-operator", f"operator {operator!r} writes any file", node.start)

"""TensorFlow graphs: operators of SavedModels, meta graphs and frozen graphs, and the Keras objects described in them.

Source: tensorflow/core/protobuf/saved_model.proto, meta_graph.proto, saved_object_graph.proto,
framework/graph.proto, function.proto; keras/protobuf/saved_metadata.proto.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.readers.paths import escapes
from redan.kernels.artifacts.readers.protobuf import Field, MalformedMessageError, fields, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redan.kernels.artifacts.source import Source

_DANGERS = (
    ("calls Python", re.compile(r"(?:Eager|Numpy)?Py(?:thon)?(?:Func|Function|Op)(?:Stateless)?|NumpyFunction|PyCall")),
    ("writes any file", re.compile(
        r"WriteFile|SaveDataset(?:V2)?|SaveSlices|DebugIdentity\w*|DebugNumericSummary\w*|MergeV2Checkpoints"
        r"|CreateSummary(?:File|Db)Writer|ImportEvent|DumpTensor\w*|(?:Distributed)?Save")),
    ("reads any file", re.compile(
        r"ReadFile|MatchingFiles(?:Dataset)?|LoadDataset|LoadAndRemapMatrix|GenerateVocabRemapping"
        r"|(?:WholeFile|TextLine|FixedLengthRecord|TFRecord|Identity|LMDB)Reader(?:V2)?|SqlDataset|CSVDataset(?:V2)?"
        r"|(?:TextLine|TFRecord|FixedLengthRecord|LMDB|SSTable|RecordIO)Dataset(?:V2)?|DirectedInterleaveFiles"
        r"|DecodeProto(?:V2)?|EncodeProto|ReadVariableFile|InitializeTRTResource|(?:Experimental)?AssertFile")),
    ("uses the network", re.compile(
        r"\w*Rpc\w*|RemoteCall|RemoteFusedGraphExecute|\w*DataService\w*|BigQueryReader|Gcs\w+|BigtableClient"
        r"|(?:IO>|Io)\w*(?:Kafka|Http|Pubsub|Redis|Mongo|Sql)\w*|DeleteRpcFutureResource")),
    ("loads or runs foreign code", re.compile(
        r"\w*(?:LoadLibrary|ShellCommand|Subprocess|SystemCall|ExecuteCommand|RunCommand)\w*")),
)  # fmt: skip
_NAME = re.compile(rb"[\w./>:^-]+")
_LONGEST_METADATA = 1 << 24

# Field numbers.
_META_GRAPH_OF_MODEL = 2
_GRAPH_OF_META, _ASSETS_OF_META, _OBJECTS_OF_META = 2, 6, 7
_META_FIELDS = frozenset(range(1, 8))
_NODES_OF_GRAPH, _LIBRARY_OF_GRAPH = 1, 2
_GRAPH_FIELDS = frozenset(range(1, 6))


def operator_danger(name: str) -> str | None:
    """What an operator does beyond its graph, or None."""
    return next((what for what, pattern in _DANGERS if pattern.fullmatch(name)), None)


def is_saved_model(source: Source) -> bool:
    """Whether the bytes are a SavedModel: a schema version and graphs in which nodes have a name and an operator."""
    if source.head(2) != b"\x08\x01":
        return False
    trial = source.trial()
    try:
        if {(field.number, field.wire) for field in fields(trial, 0, len(source.data))} != {(1, 0), (2, 2)}:
            return False
        for meta in fields(trial, 0, len(source.data)):
            if meta.number == _META_GRAPH_OF_MODEL:
                for graph in _parts(trial, meta, _GRAPH_OF_META):
                    if any(field.number not in _GRAPH_FIELDS for field in fields(trial, graph.start, graph.end)):
                        return False
    except MalformedMessageError:
        return False
    return True


def read_saved_model(source: Source) -> str:
    """Look at every operator, asset and described object of a SavedModel."""
    try:
        for meta in fields(source, 0, len(source.data)):
            if meta.number == _META_GRAPH_OF_MODEL and meta.wire == 2:
                _read_meta(source, meta)
    except MalformedMessageError as error:
        source.unknown("broken-message", f"the model is no valid message: {error}")
    return "saved-model"


def read_graph_message(source: Source) -> str | None:
    """Read a frozen graph, a meta graph or the metadata of Keras objects; None where the bytes are none of them."""
    whole = Field(0, 2, 0, len(source.data))
    if source.head(1) != b"\x0a":
        return None
    trial = source.trial()
    try:
        if _is_graph(trial, whole):
            _read_graph(source, whole)
            return "tf-graph"
        if _is_meta(trial, whole):
            _read_meta(source, whole)
            return "tf-meta-graph"
        if _is_metadata(trial, whole):
            for node in _parts(source, whole, 1):
                _read_metadata(source, node, 5)
            return "keras-metadata"
    except MalformedMessageError:
        return None
    return None


def _is_graph(source: Source, whole: Field) -> bool:
    """Whether a message is a graph: nothing but nodes with a name and an operator, a library and versions."""
    n_nodes = 0
    for field in fields(source, whole.start, whole.end):
        if field.number not in _GRAPH_FIELDS or (field.number == _NODES_OF_GRAPH and field.wire != 2):
            return False
        if field.number == _NODES_OF_GRAPH:
            n_nodes += 1
            found = {part.number: part for part in fields(source, field.start, field.end)}
            if not found.keys() <= {1, 2, 3, 4, 5, 6, 7} or not {1, 2} <= found.keys():
                return False
            if not all(_NAME.fullmatch(bytes(source.data[found[n].start : found[n].end])) for n in (1, 2)):
                return False
    return n_nodes > 0


def _is_meta(source: Source, whole: Field) -> bool:
    top = list(fields(source, whole.start, whole.end))
    graphs = [field for field in top if field.number == _GRAPH_OF_META]
    return {field.number for field in top} <= _META_FIELDS and len(graphs) == 1 and _is_graph(source, graphs[0])


def _is_metadata(source: Source, whole: Field) -> bool:
    """Whether a message lists Keras objects: nodes with a number, a path, an identifier and a JSON text."""
    for node in fields(source, whole.start, whole.end):
        if node.number != 1 or node.wire != 2:
            return False
        parts = {part.number: part for part in fields(source, node.start, node.end)}
        if not parts.keys() <= {1, 2, 3, 4, 5} or not {4, 5} & parts.keys():
            return False
    return True


def _parts(source: Source, message: Field, number: int) -> Iterator[Field]:
    """The embedded messages of one number."""
    return (f for f in fields(source, message.start, message.end) if f.number == number and f.wire == 2)


def _read_meta(source: Source, meta: Field) -> None:
    for field in fields(source, meta.start, meta.end):
        if field.wire != 2:
            continue
        if field.number == _GRAPH_OF_META:
            _read_graph(source, field)
        elif field.number == _ASSETS_OF_META:
            for name in _parts(source, field, 2):
                if escapes(text(source, name)):
                    message = f"an asset lies at {text(source, name)!r}, outside the model's folder"
                    source.unsafe("path-traversal", message, name.start)
        elif field.number == _OBJECTS_OF_META:
            for node in _parts(source, field, 1):
                for user_object in _parts(source, node, 4):
                    _read_metadata(source, user_object, 3)


def _read_metadata(source: Source, holder: Field, number: int) -> None:
    """Judge the JSON text with which Keras describes an object."""
    for field in _parts(source, holder, number):
        content = bytes(source.data[field.start : min(field.end, field.start + _LONGEST_METADATA)])
        if content.lstrip()[:1] == b"{":
            source.descend(content, f"metadata@{field.start}")


def _read_graph(source: Source, graph: Field) -> None:
    for field in fields(source, graph.start, graph.end):
        if field.number == _NODES_OF_GRAPH and field.wire == 2:
            _read_node(source, field)
        elif field.number == _LIBRARY_OF_GRAPH and field.wire == 2:
            for function in _parts(source, field, 1):
                for node in _parts(source, function, 3):
                    _read_node(source, node)


def _read_node(source: Source, node: Field) -> None:
    operator = ""
    attributes: list[str] = []
    for field in fields(source, node.start, node.end):
        if field.number == 2 and field.wire == 2:
            operator = text(source, field)
        elif field.number == 5 and field.wire == 2:
            attributes.append(text(source, field))
    danger = operator_danger(operator)
    if danger is not None:
        source.unsafe("graph-operator", f"operator {operator!r} {danger}", node.start)
    elif operator.startswith(("Print", "LogString")) and any("file://" in attribute for attribute in attributes):
        source.unsafe("graph-operator", f"operator {operator!r} writes any file", node.start)
    elif ">" in operator:
        # A prefix before the sign is how libraries of custom operators name theirs.
        source.unknown("custom-operator", f"operator {operator!r} needs a library that the file cannot vouch for")

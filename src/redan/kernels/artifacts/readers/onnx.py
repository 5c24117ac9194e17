"""ONNX: operators by domain, subgraphs, and tensors that lie in other files. Source: onnx/onnx.proto, version 1.19."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from redan.kernels.artifacts.judgement.arguments import ADDRESS, text_shape
from redan.kernels.artifacts.judgement.denylist import sounds_powerful
from redan.kernels.artifacts.readers.paths import escapes
from redan.kernels.artifacts.readers.protobuf import Field, MalformedMessageError, fields, text

if TYPE_CHECKING:
    from redan.kernels.artifacts.source import Source

_DOMAINS = frozenset(
    [
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.training",
        "ai.onnx.preview",
        "ai.onnx.preview.training",
        "com.microsoft",
        "com.microsoft.nchwc",
        "com.ms.internal.nhwc",
        "com.microsoft.experimental",
        "com.microsoft.dml",
        "ai.onnx.function",
        "onnxscript",
        "pkg.onnxscript.torch_lib",
        "pkg.onnxscript.torch_lib.common",
    ]
)
_PYTHON_OPERATORS = re.compile(r"Py(?:thon\w*|\w*Op|Func\w*)(?:Grad)?")
_LIBRARY = re.compile(r"\.(?:so|dll|dylib)(?:\.\d+)*$")

DEEPEST_GRAPH = 20
"""Subgraphs within subgraphs that are followed."""

# Field numbers of onnx.proto.
_MODEL_GRAPH, _MODEL_FUNCTIONS, _MODEL_OPSETS, _MODEL_TRAINING = 7, 25, 8, 20
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_ATTRIBUTE_TEXT = 4
_TENSOR_EXTERNAL = 13
_FUNCTION_NODE, _FUNCTION_DOMAIN = 7, 10


def is_onnx(source: Source) -> bool:
    """Whether the bytes are a model message: a version first, a graph, and only fields that the schema has."""
    if source.head(1) != b"\x08":
        return False
    numbers: set[int] = set()
    trial = source.trial()
    try:
        for field in fields(trial, 0, len(source.data)):
            numbers.add(field.number)
    except MalformedMessageError:
        return False
    return _MODEL_GRAPH in numbers and numbers <= {1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26}


class _Walk:
    """One walk over a model; remembers which domains it defines itself."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.own_domains: set[str] = set()

    def model(self) -> None:
        top = list(fields(self.source, 0, len(self.source.data)))
        functions = [field for field in top if field.number == _MODEL_FUNCTIONS]
        for function in functions:
            self.own_domains.update(self._texts(function, _FUNCTION_DOMAIN))
        for function in functions:
            for field in fields(self.source, function.start, function.end):
                if field.number == _FUNCTION_NODE:
                    self.node(field, 0)
        for field in top:
            if field.number == _MODEL_GRAPH:
                self.graph(field, 0)
            elif field.number == _MODEL_TRAINING:
                for part in fields(self.source, field.start, field.end):
                    if part.number in (1, 2):
                        self.graph(part, 0)

    def graph(self, graph: Field, depth: int) -> None:
        if depth > DEEPEST_GRAPH:
            raise self.source.ledger.limit("depth", self.source.where)
        for field in fields(self.source, graph.start, graph.end):
            if field.wire != 2:
                continue
            if field.number == _GRAPH_NODE:
                self.node(field, depth)
            elif field.number == _GRAPH_INITIALIZER:
                self.tensor(field)
            elif field.number == _GRAPH_SPARSE:
                self.sparse(field)

    def node(self, node: Field, depth: int) -> None:
        operator = domain = ""
        words: list[str] = []
        for field in fields(self.source, node.start, node.end):
            if field.number == _NODE_OPERATOR:
                operator = text(self.source, field)
            elif field.number == _NODE_DOMAIN:
                domain = text(self.source, field)
            elif field.number == _NODE_ATTRIBUTE:
                self.attribute(field, depth)
                words += self._texts(field, _ATTRIBUTE_TEXT)
        if _PYTHON_OPERATORS.fullmatch(operator):
            self.source.unsafe("python-operator", f"operator {operator!r} runs Python code", node.start)
        elif operator == "EPContext":
            self.native_context(words, node.start)
        elif domain and domain not in _DOMAINS and domain not in self.own_domains:
            self.custom(operator, domain, words, node.start)

    def custom(self, operator: str, domain: str, words: list[str], at: int) -> None:
        """An operator that a library brings along, judged by its name and by the texts it is given."""
        shape = next((found for word in words if (found := text_shape(word)) not in (None, ADDRESS)), None)
        if sounds_powerful(operator):
            self.source.unsafe("powerful-name", f"operator {operator!r} of domain {domain!r} says what it does", at)
        elif shape is not None:
            self.source.unsafe("attack-argument", f"operator {operator!r} of domain {domain!r} is given {shape}", at)
        elif any(map(_LIBRARY.search, words)):
            self.source.unsafe("native-code", f"operator {operator!r} of domain {domain!r} names a library to load", at)
        else:
            message = f"operator {operator!r} of domain {domain!r} needs a library that the file cannot vouch for"
            self.source.unknown("custom-operator", message, at)

    def native_context(self, words: list[str], at: int) -> None:
        """A node that hands compiled code, inside the model or in a file, to a hardware vendor's library."""
        path = next((word for word in words if escapes(word)), None)
        if path is not None:
            self.source.unsafe("path-traversal", f"a compiled context lies at {path!r}, outside the model's folder", at)
        else:
            self.source.unknown("custom-operator", "operator 'EPContext' runs a compiled context", at)

    def attribute(self, attribute: Field, depth: int) -> None:
        for field in fields(self.source, attribute.start, attribute.end):
            if field.wire != 2:
                continue
            if field.number in _ATTRIBUTE_GRAPHS:
                self.graph(field, depth + 1)
            elif field.number in _ATTRIBUTE_TENSORS:
                self.tensor(field)
            elif field.number in _ATTRIBUTE_SPARSE:
                self.sparse(field)

    def sparse(self, sparse: Field) -> None:
        for field in fields(self.source, sparse.start, sparse.end):
            if field.number in (1, 2):
                self.tensor(field)

    def tensor(self, tensor: Field) -> None:
        for field in fields(self.source, tensor.start, tensor.end):
            if field.number != _TENSOR_EXTERNAL or field.wire != 2:
                continue
            key, value = ("".join(self._texts(field, number)) for number in (1, 2))
            if key == "location" and (escapes(value) or "\0" in value or "://" in value):
                message = f"a tensor's data lies at {value!r}, outside the model's folder"
                self.source.unsafe("path-traversal", message, field.start)
            elif key in ("offset", "length") and not value.isdigit():
                self.source.unknown("out-of-bounds", f"a tensor's data has the {key} {value[:40]!r}", field.start)

    def _texts(self, message: Field, number: int) -> list[str]:
        found = fields(self.source, message.start, message.end)
        return [text(self.source, field) for field in found if field.number == number and field.wire == 2]


def read_onnx(source: Source) -> str:
    """Walk a model's graphs."""
    try:
        _Walk(source).model()
    except MalformedMessageError as error:
        source.unknown("broken-message", f"the model is no valid message: {error}")
    return "onnx"

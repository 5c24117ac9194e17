"""From a torch module to a graph of operations that bounds are known for.

The module is run once on tensors without values, so what it does may not depend on the numbers it is given; an
operation that no bound is known for is named. Parts that work on constants alone are computed once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from redan.core.errors import Skipped
from redan.kernels.attacks.oracle import untouched
from redan.kernels.certify.graph import Graph, Node, Source
from redan.kernels.certify.translating import KNOWN, TAIL, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from redan.kernels.certify.graph import Operation

SUPPORTED = (
    "linear, convolution, batch normalisation in evaluation mode, ReLU, leaky ReLU, sigmoid, tanh, GELU, SiLU, "
    "softplus, average and max pooling, mean, reshaping, concatenation, addition, and multiplication by constants"
)
_ROWS = 2
"""Rows of the tensors that are traced; not 1, since libraries treat one row as special."""


def read(module: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...], *, dtype: torch.dtype) -> Graph:
    """Read a module as it is in evaluation mode; it is left in the mode it was in.

    Args:
        module: maps (n, *shape) to class scores (n, k), k > 1. A softmax or logarithm at its end is left out, since
            it does not change the order of the scores.
        shape: of one input.
        dtype: in which bounds are computed, on the CPU; parameters are converted.

    Raises:
        Skipped: an operation has no bounds here, or what the module does depends on the numbers it is given.
    """
    traced = _trace(module, shape, dtype)
    reader = Reader(traced, dtype)
    for node in traced.graph.nodes:
        if node.op == "output":
            return reader.graph(node.args[0])
        reader.take(node)
    msg = "the traced module has no output"
    raise Skipped(msg)


def _trace(module: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...], dtype: torch.dtype) -> Any:
    from torch.fx.experimental.proxy_tensor import make_fx

    first = next(module.parameters(), None) if isinstance(module, torch.nn.Module) else None
    kind, device = (dtype, None) if first is None else (first.dtype, first.device)
    try:
        with torch.no_grad(), untouched(module):
            # without values, a branch on a number cannot be taken by accident: it raises
            traced = make_fx(module, tracing_mode="fake", pre_dispatch=True, _allow_non_fake_inputs=True)(
                torch.zeros((_ROWS, *shape), dtype=kind, device=device)
            )
    except Exception as error:
        msg = f"the module cannot be read as a graph: {type(error).__name__}: {str(error).splitlines()[0][:200]}"
        raise Skipped(msg, hint="bounds need a feed-forward module whose steps do not depend on values") from error
    return traced


class Reader:
    """Translates traced nodes one after another.

    Args:
        traced: the traced module.
        dtype: of the constants of the graph.
    """

    def __init__(self, traced: Any, dtype: torch.dtype) -> None:
        self._traced, self._dtype = traced, dtype
        self._nodes: list[Node] = []
        self._places: dict[Any, int] = {}
        self._constants: dict[Any, Any] = {}
        self._tail: set[Any] = set()

    def take(self, node: Any) -> None:
        """Translate one traced node.

        Raises:
            Skipped: there are no bounds for it.
        """
        if node.op == "placeholder":
            self._add(node, Source(), ())
        elif node.op == "get_attr":
            self._constants[node] = getattr(self._traced, node.target).detach()
        elif not self._tail.isdisjoint(node.all_input_nodes):
            self._tail.add(node)
        elif not any(source in self._places for source in node.all_input_nodes):
            self._constants[node] = node.target(*self._values(node.args), **self._values(node.kwargs))
        else:
            self._translate(node)

    def graph(self, output: Any) -> Graph:
        """Return what was read up to an output, without order-preserving operations at its end."""
        output = before_order_preserving(output)
        if output not in self._places:
            msg = "the module's answer does not depend on its input"
            raise Skipped(msg)
        last = self._places[output]
        if len(self._nodes[last].shape) != 1 or self._nodes[last].shape[0] < 2:
            msg = f"bounds need scores (n, classes), the module answers (n, {self._nodes[last].shape})"
            raise Skipped(msg)
        return Graph(nodes=needed(self._nodes[: last + 1]))

    def _add(self, node: Any, operation: Operation, parents: tuple[int, ...]) -> int:
        self._nodes.append(Node(operation=operation, parents=parents, shape=tuple(node.meta["val"].shape[1:])))
        self._places[node] = len(self._nodes) - 1
        return self._places[node]

    def _translate(self, node: Any) -> None:
        name = _name(node)
        if name in TAIL and only_order_follows(node):
            self._tail.add(node)
            return
        rule = KNOWN.get(name)
        if rule is None:
            raise self._refused(name, "")
        try:
            operation, sources = rule(node, self._constant)
        except Unsupported as error:
            raise self._refused(name, f" ({error})") from error
        if operation is None:
            self._places[node] = self._places[sources[0]]
        else:
            self._add(node, operation, tuple(self._places[source] for source in sources))
        if _written(node):
            # whoever reads the old name afterwards reads what was written over it
            self._places[node.args[0]] = self._places[node]

    def _refused(self, name: str, why: str) -> Skipped:
        return Skipped(f"no bounds are known for the operation {name!r}{why}", hint=f"supported: {SUPPORTED}")

    def _constant(self, argument: Any) -> Any:
        """Value of an argument that does not depend on the input.

        Raises:
            Unsupported: it does.
        """
        if isinstance(argument, torch.fx.Node):
            if argument not in self._constants:
                msg = "an operand depends on the input"
                raise Unsupported(msg)
            argument = self._constants[argument]
        if not isinstance(argument, torch.Tensor):
            return argument
        return argument.to("cpu", self._dtype) if argument.is_floating_point() else argument.cpu()

    def _values(self, argument: Any) -> Any:
        return torch.fx.node.map_arg(argument, lambda node: self._constants[node])


def _operation(node: Any) -> str:
    parts = str(node.target).split(".")
    return parts[1] if parts[0] == "aten" else parts[0]


def _name(node: Any) -> str:
    return _operation(node).rstrip("_")


def _written(node: Any) -> bool:
    return _operation(node).endswith("_")


def _keeps_order(node: Any) -> bool:
    """Whether an operation on (n, k) scores keeps their order in each row."""
    return _name(node) in TAIL and ("softmax" not in _name(node) or node.args[1] in {1, -1})


def only_order_follows(node: Any) -> bool:
    """Whether a traced node and all between it and the output keep the order of scores."""
    while node.op != "output":
        if not _keeps_order(node) or len(node.users) != 1:
            return False
        node = next(iter(node.users))
    return True


def before_order_preserving(node: Any) -> Any:
    """Step back from the output over operations that keep the order of each row: softmax, logarithm, a lower clamp."""
    while node.op == "call_function" and _keeps_order(node):
        node = node.args[0]
    return node


def needed(nodes: list[Node]) -> tuple[Node, ...]:
    """Drop nodes that the last one does not depend on."""
    wanted = {len(nodes) - 1, 0}
    for place in range(len(nodes) - 1, -1, -1):
        if place in wanted:
            wanted.update(nodes[place].parents)
    order = {old: new for new, old in enumerate(sorted(wanted))}
    return tuple(
        Node(operation=n.operation, parents=tuple(order[p] for p in n.parents), shape=n.shape)
        for place, n in enumerate(nodes)
        if place in wanted
    )

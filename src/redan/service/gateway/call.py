"""One request for predictions on its way through the gateway, and the batch it is answered in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from redan.service.gateway.refusal import Refusal
    from redan.service.identity.principal import Principal
    from redan.service.models.served import Served


class Link:
    """Whether a client is still connected, for whatever works on its request."""

    __slots__ = ("lost",)

    def __init__(self) -> None:
        self.lost = False


HERE = Link()
"""Of whoever cannot go away."""


class Call:
    """A request that was authenticated, authorised and decoded.

    Attributes:
        principal: who asks.
        served: the version of the model that answers.
        x: (n, …) rows as the model takes them.
        body: what was sent, for the input's digest.
        began_s: `time.perf_counter` at the request's first byte.
        link: whether the client is still there; a call whose client has gone is not computed.
        id: identifier of the request.
        addr: network address.
        write: makes the answer's body of labels (n,) and scores (n, k) or None.
        done: is called once, in the event loop, with status, body and headers.
        refusal: why it is refused, set by a guard; None while it is not.
        note: what a guard found, for the audit record: row, column, check; None while it found nothing.
        suspicion: what guards measured, by identifier of their rule; each (n,).
        labels: (n,) answered classes, once they are known.
        scores: (n, k) answered scores after the output guards, or None.
        reply: body of the answer.
        trace: what `redan.service.monitoring.tracing.Tracing.begin` gave for it; None: it is not traced.
    """

    __slots__ = (
        "addr", "began_s", "body", "done", "id", "labels", "link", "note", "principal", "refusal", "reply", "scores",
        "served", "suspicion", "trace", "write", "x",
    )  # fmt: skip

    def __init__(
        self,
        *,
        principal: Principal,
        served: Served,
        x: NDArray[Any],
        body: bytes,
        began_s: float,
        id: str,
        addr: str,
        write: Callable[[Call], bytes],
        done: Callable[[Call], None],
        link: Link = HERE,
    ) -> None:
        self.principal, self.served, self.x, self.body = principal, served, x, body
        self.began_s, self.id, self.addr, self.write, self.done = began_s, id, addr, write, done
        self.link = link
        self.refusal: Refusal | None = None
        self.note: dict[str, object] | None = None
        self.suspicion: dict[str, NDArray[Any]] = {}
        self.labels: NDArray[Any] | None = None
        self.scores: NDArray[Any] | None = None
        self.reply = b""
        self.trace: tuple[int, int] | None = None


class Batch:
    """Calls for one version of one model that are answered together.

    Attributes:
        served: the version.
        calls: the calls, in order of arrival.
        x: (n, …) rows of all calls.
        owner: (n,) index into ``calls`` of each row.
        labels: (n,) once answered.
        scores: (n, k) once answered, or None.
        steps: (name, began, ended) of what was done, `time.perf_counter`; None unless a call of it is traced.
    """

    __slots__ = ("calls", "labels", "owner", "scores", "served", "steps", "x")

    def __init__(self, served: Served, calls: Sequence[Call]) -> None:
        self.served, self.calls = served, calls
        self.x: NDArray[Any] = calls[0].x if len(calls) == 1 else np.concatenate([call.x for call in calls])
        self.owner = np.repeat(np.arange(len(calls)), [len(call.x) for call in calls])
        self.labels: NDArray[Any] | None = None
        self.scores: NDArray[Any] | None = None
        self.steps: list[tuple[str, float, float]] | None = None

    def refuse(self, rows: NDArray[np.bool_], refusal: Refusal) -> None:
        """Refuse every call that owns one of these rows, (n,) bool, unless it is refused already."""
        for index in np.unique(self.owner[rows]):
            call = self.calls[index]
            if call.refusal is None:
                call.refusal = refusal


class BatchGuard(Protocol):
    """Judges rows before the model sees them, or answers before clients do; never raises on hostile input.

    The batcher calls guards in the order of their list, drops refused calls between ``before`` and the model, and
    measures each guard's price by its name.
    """

    name: str

    def before(self, batch: Batch) -> None:
        """Judge rows: set ``call.refusal`` (`Batch.refuse`) or ``call.suspicion``."""

    def after(self, batch: Batch) -> None:
        """Judge or change answers: ``batch.labels`` and ``batch.scores``."""

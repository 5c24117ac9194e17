"""What a check has to say; exactly one of four words, and never silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from redan.kernels.deployment.exchange import Answer, Request
from redan.kernels.deployment.products import Recognised

State = Literal["confirmed", "likely by version", "not seen", "not tested"]
STATES: tuple[State, ...] = ("confirmed", "likely by version", "not seen", "not tested")

Ask = Callable[[Request], Answer | None]
"""Send one request; None when nothing readable came back in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one check.

    Attributes:
        state: what it comes to.
        said: one sentence.
        shown: request lines with the start of their answers, as evidence.
    """

    state: State
    said: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What checks know beside the answers.

    Attributes:
        products: model servers that were recognised.
        port: where the server listens.
        secure: the address is ``https``.
        certificate: why the certificate is not trusted; empty when it is, or without TLS.
        local: the server runs on this machine.
        canary: path of a file that the operator made to be looked for; empty for none.
        canary_text: what it holds.
        credential: a credential was given.
        predict: path of the endpoint that predicts; empty when unknown.
        listeners: addresses on which this machine listens at the port, for servers on this machine.
        listener: address of our own listener that counts who fetches it; empty for none.
        fetched: how often it was fetched so far.
    """

    products: tuple[Recognised, ...] = ()
    port: int = 80
    secure: bool = False
    certificate: str = ""
    local: bool = True
    canary: str = ""
    canary_text: str = ""
    credential: bool = False
    predict: str = ""
    listeners: tuple[str, ...] = ()
    listener: str = ""
    fetched: Callable[[], int] = field(default=lambda: 0)


Check = Callable[[Ask, Facts], Outcome]


def shown(request: Request, answer: Answer | None) -> str:
    """Return a request and the start of its answer as one line of evidence."""
    if answer is None:
        return f"{request.line} -> no answer"
    start = " ".join(answer.text[:160].split())
    return f"{request.line} -> {answer.status} {start}".rstrip()


def unseen(said: str) -> Outcome:
    """Build the outcome of a check that looked and saw nothing; that is no promise."""
    return Outcome(state="not seen", said=said)


def untested(why: str) -> Outcome:
    """Build the outcome of a check that could not look."""
    return Outcome(state="not tested", said=why)

"""Schemathesis reads /openapi.json and asks everything that it describes: well formed and not, by who may everything.

All of its checks run on each answer, beside our own on failures and leaks. `make slow` asks longer.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis.checks import CHECKS, not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode
from tests.fortress import Fortress, address, fortress

EXAMPLES = 40 if os.environ.get("REDAN_HYPOTHESIS") == "full" else 2
ENDS_ITSELF = {"POST /v1/tokens/revoke"}
"""Ends the token that asks."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    """A gateway of our own: what is asked may change who may do what."""
    with fortress(tmp_path_factory.mktemp("schema")) as running:
        yield running


class From(requests.adapters.HTTPAdapter):
    """Connections from an address of our own: the guesses of one operation lock no other one out."""

    def init_poolmanager(self, *words: Any, **how: Any) -> None:
        super().init_poolmanager(*words, **how, source_address=(address(), 0))


class Asking:
    """Asks operations some times each.

    Attributes:
        seen: how often which status came.
        unknown: how often whom the gateway should know was told that it does not.
        failures: the first of each operation.
    """

    def __init__(self, gateway: Fortress) -> None:
        self._gateway = gateway
        self.seen = Counter[int]()
        self.unknown = Counter[str]()
        self.failures: dict[str, str] = {}

    def every(self, mode: GenerationMode) -> None:
        """Ask all that the document describes."""
        schema = schemathesis.openapi.from_url(f"{self._gateway.url}/openapi.json")
        for result in schema.get_all_operations():
            operation = result.ok()
            if operation.label in ENDS_ITSELF:
                continue
            token = f"Bearer {self._gateway.token('client:almighty', mfa=int(time.time()))}"
            headers = {} if operation.path.startswith("/v1/login") else {"Authorization": token}
            with requests.Session() as session:
                session.mount("http://", From())
                # known before somebody guesses from there
                session.get(f"{self._gateway.url}/v1/models", headers=headers, timeout=20)
                self._operation(operation.as_strategy(generation_mode=mode), headers, session)

    def _operation(
        self, cases: SearchStrategy[schemathesis.Case], headers: dict[str, str], session: requests.Session
    ) -> None:
        @seed(6)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def ask(case: schemathesis.Case) -> None:
            self._ask(case, headers, session)

        # an operation that takes nothing cannot be asked wrongly
        with suppress(Unsatisfiable):
            ask()

    def _ask(self, case: schemathesis.Case, headers: dict[str, str], session: requests.Session) -> None:
        answer = case.call(session=session, headers=headers, timeout=20)
        self.seen[answer.status_code] += 1
        # schemathesis leaves the header out, or sends another, as one of the mistakes that it makes
        shown = bool(headers) and answer.request.headers.get("authorization") == headers["Authorization"]
        self.unknown[case.operation.label] += shown and answer.status_code == 401
        told = {name: values[0] for name, values in answer.headers.items()}
        self._gateway.judge(answer.status_code, told, answer.content, f"{case.method} {case.path}")
        try:
            # its own word on failures knows no 503 that says when to ask again: ours does
            case.validate_response(answer, excluded_checks=[not_a_server_error], headers=headers)
        except (FailureGroup, Failure) as failure:
            self.failures.setdefault(case.operation.label, str(failure)[:600])


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["well formed", "not"])
def test_every_answer_is_one_that_the_document_tells_of(target: Fortress, mode: GenerationMode) -> None:
    asking = Asking(target)
    asking.every(mode)
    print(f"{asking.seen.total()} requests: {dict(sorted(asking.seen.items()))}")
    assert not +asking.unknown
    assert not asking.failures, "\n".join(f"{label}: {words}" for label, words in asking.failures.items())
    assert set(asking.seen) >= ({200, 404} if mode is GenerationMode.POSITIVE else {400, 404}), asking.seen
    assert len(CHECKS.get_all_names()) >= 10
    asyncio.run(target.serves())
    assert "Traceback" not in target.errors(), target.errors()[-3000:]

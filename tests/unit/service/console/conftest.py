"""One gateway for every test of the console's pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.console_house import Console, console, finding, incidents, until


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(tmp_path_factory.mktemp("console")) as running:
        running.ask(3)
        running.parts.findings.publish(finding())
        until(lambda: incidents(running) == 1)
        yield running

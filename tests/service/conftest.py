"""One gateway for every test that only asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fortress import Fortress, fortress


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    """A gateway with somebody in every role."""
    with fortress(tmp_path_factory.mktemp("fortress")) as running:
        yield running

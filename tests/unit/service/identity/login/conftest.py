"""One running gateway of login for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.login_house import Browser, House, house


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture
def browser(home: House) -> Iterator[Browser]:
    home.forget_failures()
    with home.browser() as one:
        yield one

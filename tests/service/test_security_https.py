"""A sample of the attacks over HTTPS with client certificates; `make slow` repeats all of them there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fortress import Fortress, fortress
from tests.service import test_security_authorisation as authorisation
from tests.service import test_security_http as http
from tests.service import test_security_tokens as tokens


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fortress]:
    """A gateway that takes certificates of its authority alone."""
    with fortress(tmp_path_factory.mktemp("https"), https=True) as running:
        yield running


def test_every_route_is_open_to_whom_it_should_be_by_https_too(encrypted: Fortress) -> None:
    authorisation.test_every_route_tells_everybody_what_their_roles_say_and_each_denial_is_recorded_once(encrypted)


def test_no_request_can_be_hidden_in_another_inside_of_tls(encrypted: Fortress) -> None:
    http.test_no_request_can_be_hidden_in_another(encrypted, "the data path's")
    http.test_what_is_allowed_is_read_in_one_way(encrypted)


def test_headers_that_would_be_another_method_or_path_or_person_are_none_inside_of_tls(encrypted: Fortress) -> None:
    authorisation.test_a_method_that_a_header_or_parameter_asks_for_is_not_the_method(encrypted)
    tokens.test_another_scheme_two_headers_or_a_header_and_a_cookie_do_not_mix(encrypted)

"""Who asks through proxies: the rightmost hop that is none of ours, whatever clients write themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redan.core.errors import ConfigError
from redan.service.gateway.proxies import MOST_REMEMBERED, Proxies

OWN = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")
PROXY, CLIENT = "10.0.0.1", "203.0.113.7"


def seen(*values: str, header: str = "x-forwarded-for", host: str = PROXY, proto: str = "") -> tuple[str, str]:
    headers = [(header.encode(), value.encode("latin-1")) for value in values]
    if proto:
        headers.append((b"x-forwarded-proto", proto.encode()))
    return Proxies(OWN, header).seen(host, headers)  # type: ignore[arg-type]  # a word of the test


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ((CLIENT,), CLIENT),
        ((f"198.51.100.1, {CLIENT}",), CLIENT),
        (("198.51.100.1", CLIENT), CLIENT),
        ((f"198.51.100.1, {CLIENT}, 10.1.1.1, 10.2.2.2",), CLIENT),
        ((f"127.0.0.1, {CLIENT}",), CLIENT),
        ((f"{CLIENT}:1234",), CLIENT),
        (("[2001:db8::1]:1234",), "2001:db8::1"),
        (("2001:db8::1",), "2001:db8::1"),
        ((f"::ffff:{CLIENT}",), CLIENT),
        (("10.9.9.9, 10.1.1.1",), "10.9.9.9"),
        ((f"{CLIENT}, unknown",), PROXY),
        ((f"{CLIENT}, ",), PROXY),
        ((f"{CLIENT}, 10.1.1.1, _hidden",), PROXY),
        ((f"{CLIENT}, 999.1.1.1, 10.1.1.1",), "10.1.1.1"),
        ((), PROXY),
    ],
)
def test_the_rightmost_hop_that_is_no_proxy_of_ours_is_the_client(values: tuple[str, ...], client: str) -> None:
    assert seen(*values)[0] == client


@pytest.mark.parametrize(
    ("value", "client", "scheme"),
    [
        (f"for={CLIENT};proto=https", CLIENT, "https"),
        (f'for="198.51.100.1", For="{CLIENT}:99";by=10.0.0.1', CLIENT, ""),
        ('for="[2001:db8::1]:4711";proto=http', "2001:db8::1", "http"),
        (f"proto=https;for=198.51.100.1, for={CLIENT};proto=http", CLIENT, "http"),
        (f"for={CLIENT};for=198.51.100.1", CLIENT, ""),
        ("for=_hidden", PROXY, ""),
        ("nonsense;;;===", PROXY, ""),
    ],
)
def test_forwarded_is_read_as_its_standard_says(value: str, client: str, scheme: str) -> None:
    assert seen(value, header="forwarded") == (client, scheme)


def test_the_header_that_our_proxies_do_not_write_is_ignored() -> None:
    headers = [(b"forwarded", b"for=198.51.100.1"), (b"x-forwarded-for", CLIENT.encode())]
    assert Proxies(OWN, "x-forwarded-for").seen(PROXY, headers)[0] == CLIENT
    assert Proxies(OWN, "forwarded").seen(PROXY, headers)[0] == "198.51.100.1"
    assert Proxies(OWN, "forwarded").seen(PROXY, headers[1:])[0] == PROXY


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200))
def test_nothing_that_a_client_writes_changes_who_it_is(written: str) -> None:
    assert seen(f"{written}, {CLIENT}")[0] == CLIENT
    assert seen(written, CLIENT)[0] == CLIENT
    assert seen(f"{written}, {CLIENT}, 10.1.1.1")[0] == CLIENT


@given(st.text(st.characters(max_codepoint=255), max_size=300), st.text(st.characters(max_codepoint=255), max_size=30))
def test_nonsense_of_a_proxy_is_no_failure(value: str, proto: str) -> None:
    for header in ("x-forwarded-for", "forwarded"):
        headers = [(header.encode(), value.encode("latin-1")), (b"x-forwarded-proto", proto.encode("latin-1"))]
        _, scheme = Proxies(OWN, header).seen(PROXY, headers)
        assert scheme in {"", "http", "https"}


def test_the_last_proxy_says_the_scheme() -> None:
    assert seen(CLIENT, proto="https") == (CLIENT, "https")
    assert seen(CLIENT, proto="https, http") == (CLIENT, "http")
    assert seen(CLIENT, proto="javascript") == (CLIENT, "")


def test_addresses_of_proxies_are_known_in_every_spelling() -> None:
    proxies = Proxies(OWN, "x-forwarded-for")
    assert proxies.knows("10.200.0.1")
    assert proxies.knows("::ffff:10.200.0.1")
    assert proxies.knows("fd12::1")
    assert not proxies.knows("11.0.0.1")
    assert not proxies.knows("local")
    with pytest.raises(ConfigError, match=r"\[serve\] proxies"):
        Proxies(("the proxy",), "x-forwarded-for")


def test_what_is_remembered_has_a_bound() -> None:
    proxies = Proxies(OWN, "x-forwarded-for")
    for n in range(3 * MOST_REMEMBERED):
        proxies.seen(PROXY, [(b"x-forwarded-for", str(n).encode())])
    assert len(proxies._seen) <= MOST_REMEMBERED

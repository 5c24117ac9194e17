"""Two replicas of `redan serve` behind a real HAProxy, over one PostgreSQL and one Redis: who asks, and who must wait.

The proxy comes from 127.0.0.9 and says `X-Forwarded-For` in a header of its own, below the one that its client sent.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests import served as made
from tests.gateway_process import TOML, WIDE, Gateway, gateway
from tests.served import rows, settings_for

PREDICT = "/v1/models/cancer/predict"
BODY = {"x": rows()[0][:1].tolist()}
ALICE, GUESSER, NEIGHBOUR = "127.77.0.1", "127.77.0.2", "127.77.0.3"
_PROXY = """
global
  maxconn 500
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout http-request 5s
  option forwardfor
  option http-buffer-request
frontend door
  bind 127.0.0.1:{port}
  default_backend replicas
backend replicas
  balance roundrobin
  option httpchk GET /health/ready
  option redispatch 1
  retry-on conn-failure empty-response response-timeout 503
  retries 2
  default-server check inter 200ms fall 1 rise 1 source 127.0.0.9
{servers}
"""
_SERVE = """
database = "{database}"
redis = "{redis}"
proxies = ["127.0.0.9"]
[[serve.models]]
name = "cancer"
target = "cancer-1.onnx"
sample = "sample.npz"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Both replicas, where the proxy listens, and what stops the first replica as systemd would."""

    replicas: tuple[Gateway, Gateway]
    port: int
    stop_first: Callable[[], None]

    @contextmanager
    def client(self, addr: str, token: str = "") -> Iterator[httpx.Client]:
        """Come through the proxy from an address."""
        headers = {"Authorization": token} if token else {}
        transport = httpx.HTTPTransport(local_address=addr)
        url = f"http://127.0.0.1:{self.port}"
        with httpx.Client(base_url=url, transport=transport, headers=headers, timeout=20) as client:
            yield client


@pytest.fixture
def site(new_url: Callable[[str], str], redis_url: str, tmp_path: Path) -> Iterator[Site]:
    """Start everything."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        pytest.skip("no HAProxy here: apt-get install haproxy")
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    settings_for(one, made.served(one, "onnx", name="cancer"))
    settings = TOML + _SERVE.format(database=new_url("postgresql"), redis=redis_url) + WIDE
    (one / "redan.toml").write_text(settings)
    with ExitStack() as stack:
        alone = stack.enter_context(ExitStack())
        first = alone.enter_context(gateway(one))
        shutil.copytree(one, two, ignore=shutil.ignore_patterns("audit"))
        (two / "redan.toml").write_text(settings.replace('name = "r1"', 'name = "r2"'))
        second = stack.enter_context(gateway(two))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        servers = "".join(f"  server r{n} 127.0.0.1:{each.port}\n" for n, each in enumerate((first, second), 1))
        (tmp_path / "haproxy.cfg").write_text(_PROXY.format(port=port, servers=servers))
        proxy = subprocess.Popen([program, "-db", "-f", str(tmp_path / "haproxy.cfg")], stderr=subprocess.DEVNULL)
        try:
            made_site = Site(replicas=(first, second), port=port, stop_first=alone.close)
            _wait(made_site)
            yield made_site
        finally:
            proxy.kill()
            proxy.wait()


def _wait(site: Site) -> None:
    ends_s = time.monotonic() + 20
    while time.monotonic() < ends_s:
        with site.client(ALICE) as client:
            try:
                if client.get("/health/ready").status_code == 200:
                    return
            except httpx.ConnectError:
                pass
        time.sleep(0.05)  # nothing can be awaited: a proxy tells nobody when it listens
    raise AssertionError("nothing answers through the proxy")


def _recorded(replica: Gateway) -> Counter[tuple[str, bool]]:
    """Return who was allowed and refused from where, once all of it is signed: the neighbour came last."""
    ends_s = time.monotonic() + 10
    while True:
        by = Counter((act.addr, act.ok) for act in replica.acts() if act.act == "predict")
        if by[NEIGHBOUR, True] or time.monotonic() > ends_s:
            return by
        time.sleep(0.05)  # nothing can be awaited: another process signs the log


def _clients_are_told_apart_by_address(site: Site) -> None:
    first, second = site.replicas
    alice, late = first.tokens("alice", "late")
    forged = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.8"}
    with site.client(ALICE, alice) as client:
        assert [client.post(PREDICT, json=BODY, headers=forged).status_code for _ in range(4)] == [200] * 4
    # who guesses is counted at both, wherever each guess arrived, and whatever it says of itself
    with site.client(GUESSER) as guesser:
        for n in range(40):
            headers = {"Authorization": f"Bearer redan_{n:012d}_{'A' * 43}", "X-Forwarded-For": f"198.51.100.{n}"}
            assert guesser.post(PREDICT, json=BODY, headers=headers).status_code in {401, 429}
    with site.client(GUESSER, late) as newcomer:
        assert {newcomer.post(PREDICT, json=BODY).status_code for _ in range(2)} <= {401, 429}
    with site.client(NEIGHBOUR, late) as newcomer:
        assert [newcomer.post(PREDICT, json=BODY).status_code for _ in range(2)] == [200] * 2
    with site.client(ALICE) as client:
        assert client.get("/metrics").status_code in {401, 403}
    for each in (first, second):
        by = _recorded(each)
        assert (by[ALICE, True], by[NEIGHBOUR, True]) == (2, 1)
        assert {addr for addr, _ in by} == {ALICE, GUESSER, NEIGHBOUR}


def _events_come_as_they_happen(site: Site) -> None:
    session = site.replicas[0].session("watcher", "operator")
    with site.client(ALICE) as client:
        began_s = time.monotonic()
        with client.stream("GET", "/console/live/events", headers={"Cookie": session["cookie"]}) as events:
            assert events.status_code == 200
            assert events.headers["content-type"].startswith("text/event-stream")
            lines = events.iter_lines()
            # an answer that somebody on the way collects would not have come yet
            assert next(line for line in lines if line.startswith("data:"))
            assert time.monotonic() - began_s < 15


def _a_replica_that_is_stopped_fails_nobody(site: Site) -> None:
    first, _ = site.replicas
    (token,) = first.tokens("shop")
    statuses = Counter[int]()
    with site.client(ALICE, token) as client, ThreadPoolExecutor(1) as beside:
        assert client.post(PREDICT, json=BODY).status_code == 200
        stopping = beside.submit(site.stop_first)
        while not stopping.done() or statuses.total() < 50:
            statuses[client.post(PREDICT, json=BODY).status_code] += 1
        stopping.result()
    assert first.process.returncode == 0
    assert set(statuses) == {200}, statuses


def test_behind_a_real_proxy_clients_are_told_apart_events_flow_and_a_stop_fails_nobody(site: Site) -> None:
    _clients_are_told_apart_by_address(site)
    _events_come_as_they_happen(site)
    _a_replica_that_is_stopped_fails_nobody(site)

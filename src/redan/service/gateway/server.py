"""The socket, HTTPS and the life of the server: it starts, serves, and stops without losing what is under way."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from redan.core.errors import ConfigError, Unreadable
from redan.service.gateway.doors import Doors
from redan.service.gateway.protocol import guarded
from redan.service.gateway.proxies import Proxies
from redan.service.gateway.refusal import Refusal

if TYPE_CHECKING:
    from redan.core.settings_service import Limits, Serve, Tls

_LINGER_S = 0.5
_POLL_S = 0.02


def open_socket(address: str, *, shared: bool = False) -> socket.socket:
    """Bind ``host:port`` or ``[v6]:port``; port 0 takes a free one.

    Args:
        address: where to listen.
        shared: whether other processes listen on the same port too (SO_REUSEPORT): several replicas on one machine.

    Raises:
        ConfigError: it is no address, or cannot be taken.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ConfigError(f"[serve] address is {address!r}; expected HOST:PORT", hint='such as "127.0.0.1:8080"')
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind((host, int(port)))
    except OSError as err:
        listening.close()
        raise ConfigError(
            f"{address} cannot be listened on: {err.strerror or err}", hint="choose another [serve] address"
        ) from err
    listening.set_inheritable(True)
    return listening


def tls_context(tls: Tls, root: Path) -> ssl.SSLContext | None:
    """Read certificate, key and the authorities of clients; TLS 1.2 or newer; None where HTTPS is not asked for.

    Raises:
        ConfigError: one of certificate and key is missing.
        Unreadable: a file is missing or is no PEM of its kind.
    """
    if not tls.certificate and not tls.key and not tls.client_ca:
        return None
    if not tls.certificate or not tls.key:
        raise ConfigError("[serve.tls] needs certificate and key, both", hint="name the two PEM files")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(root / tls.certificate, root / tls.key, password=_no_password)
        if tls.client_ca:
            context.load_verify_locations(root / tls.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as err:
        files = ", ".join(name for name in (tls.certificate, tls.key, tls.client_ca) if name)
        raise Unreadable(f"HTTPS cannot start with {files}: {err}", hint="these must be PEM files that fit") from err
    return context


class GatewayServer(uvicorn.Server):
    """Uvicorn's server with our limits at the door and a drain that answers who comes too late.

    Args:
        app: the ASGI application.
        serve: the settings.
        root: folder that relative paths start from.
        refused: is told of refusals before a request was understood, and returns an identifier for the answer.
        draining: is called once when the server begins to stop; from then on new requests are to be refused.
    """

    def __init__(
        self,
        app: Any,
        serve: Serve,
        *,
        root: Path,
        refused: Callable[[Refusal, str], str] = lambda refusal, address: token_hex(8),
        draining: Callable[[], None] = lambda: None,
    ) -> None:
        proxies = Proxies(serve.proxies, serve.proxy_header) if serve.proxies else None
        self.doors = Doors(serve.limits, refused, proxies)
        self.listening = asyncio.Event()
        self._draining = draining
        self._drain_s = serve.limits.drain_s
        context = tls_context(serve.tls, root)
        super().__init__(_config(app, serve.limits, guarded(self.doors)))
        self._context = context

    @property
    def port(self) -> int:
        """The port that is listened on, also where 0 was asked."""
        return int(self.servers[0].sockets[0].getsockname()[1])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; a TLS handshake has the time that a head has."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        patience_s = self.config.timeout_keep_alive if self._context is not None else None
        self.servers = [
            await loop.create_server(
                self._connection,
                sock=one,
                ssl=self._context,
                backlog=self.config.backlog,
                ssl_handshake_timeout=patience_s,
            )
            for one in sockets or []
        ]
        self.started = True
        self.listening.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer what is under way, refuse what still comes, and end what takes longer than allowed."""
        self._draining()
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._drain_s
        lingers_s = loop.time() + min(_LINGER_S, self._drain_s)
        while loop.time() < ends_s and not self.force_exit:
            if loop.time() >= lingers_s:
                for connection in list(self.server_state.connections):
                    connection.shutdown()
            if not self.server_state.connections and not self.server_state.tasks:
                break
            await asyncio.sleep(_POLL_S)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        left = list(self.server_state.tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.lifespan.shutdown()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on SIGTERM and SIGINT, and leave it at that: whoever started the server has more to close."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _connection(self) -> asyncio.Protocol:
        protocol = self.config.http_protocol_class
        return protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)  # type: ignore[call-arg]  # uvicorn types it as a bare protocol


async def serve(
    server: GatewayServer, listening: socket.socket, *, told: Callable[[int], None] = lambda port: None
) -> None:
    """Serve on a bound socket until SIGTERM or SIGINT, or until ``server.should_exit``.

    Args:
        server: what serves.
        listening: from `open_socket`; it is closed in the end.
        told: is called with the real port once clients can come.
    """
    running = asyncio.ensure_future(server.serve(sockets=[listening]))
    waiting = asyncio.ensure_future(server.listening.wait())
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if server.listening.is_set():
            told(server.port)
        await running
    finally:
        waiting.cancel()
        listening.close()


def _config(app: Any, limits: Limits, protocol: type[asyncio.Protocol]) -> uvicorn.Config:
    logging.getLogger("uvicorn.access").disabled = True
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=max(1, int(limits.header_s)),
    )


def _no_password() -> str:
    # without this OpenSSL would ask the terminal, and the server would hang there
    raise ssl.SSLError("the private key is encrypted; the gateway needs it without a password")

"""Unauthenticated connections: limited in number and time; at the limit the oldest is dropped.

Each connection costs the server memory and a file descriptor before it knows the client. A device authenticates with its first
request and is no longer counted; others give way to newer ones, so that no number of idle connections keeps a laptop out.
"""

import asyncio.sslproto
import ipaddress
import ssl
from collections.abc import Container
from typing import Any, NamedTuple

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fieldsync import errors

MOST = 1_500
MOST_OF_AN_ADDRESS = 200
HEADER_SECONDS = 10  # for the TLS handshake, and again for a request's headers
LINE_BUFFER = 32 * 1024  # asyncio would hold 256 KiB for each line, whatever comes
_OURS = 200  # file descriptors that are not connections: the store, its readers, the listener
_NETWORK = 64  # bits of an IPv6 address that name a subscriber

Peer = tuple[str, int]


class ConnectionLimits(NamedTuple):
    """The maximum numbers of unauthenticated connections: in all, and from one address."""

    most: int = MOST
    of_an_address: int = MOST_OF_AN_ADDRESS

    def limits_for_files(self, files: int) -> "ConnectionLimits":
        """Return the limits for a number of open files; authenticated connections need some too."""
        return self._replace(most=max(16, min(self.most, (files - _OURS) // 2)))

    def share(self, processes: int) -> "ConnectionLimits":
        """Return the limits for one of several processes that serve together."""
        return ConnectionLimits(max(16, self.most // processes), max(1, self.of_an_address // processes))


def listening_address(text: str) -> tuple[str, int]:
    """Return (host, port) of HOST:PORT; Usage."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise errors.Usage(reason="listen")
    return host.strip("[]"), int(port)


class UnprovedConnections:
    """Keeps count, and drops the oldest."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.limits = ConnectionLimits() if limits is None else limits
        self._all: dict[Peer, asyncio.BaseTransport] = {}  # in the order in which they came, as every dict
        self._of: dict[str, dict[Peer, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def count_connection(self, peer: Peer, transport: asyncio.BaseTransport) -> None:
        """Count a new connection, and drop another where there are too many."""
        same = self._of.get(address_of(peer[0]), {})
        if len(same) >= self.limits.of_an_address:
            self._drop_connection(next(iter(same)))
        elif len(self._all) >= self.limits.most:
            self._drop_connection(next(iter(self._all)))
        self._all[peer] = transport
        self._of.setdefault(address_of(peer[0]), {})[peer] = None

    def discount_connection(self, peer: Peer) -> None:
        """Count a connection no more: it ended, or its device is proved."""
        if self._all.pop(peer, None) is None:
            return
        address = address_of(peer[0])
        self._of[address].pop(peer)
        if not self._of[address]:
            del self._of[address]

    proved = discount_connection

    def drop_all(self, but: Container[Peer]) -> None:
        """Hang up on everybody but these."""
        for peer in list(self._all):
            if peer not in but:
                self._drop_connection(peer)

    def _drop_connection(self, peer: Peer) -> None:
        transport = self._all[peer]
        self.discount_connection(peer)
        transport.abort()  # type: ignore[attr-defined]


def address_of(host: str) -> str:
    """Return the address unit that is costly to multiply: an IPv4 address, or an IPv6 network."""
    if ":" not in host:
        return host
    found = ipaddress.ip_address(host.partition("%")[0])
    assert isinstance(found, ipaddress.IPv6Address)
    return str(found.ipv4_mapped or int(found) >> _NETWORK)


class _CountedTLS(asyncio.sslproto.SSLProtocol):
    """A connection, counted from its first packet on: before the TLS handshake, and whatever becomes of that."""

    max_size = LINE_BUFFER

    def __init__(self, unproved: UnprovedConnections, http: asyncio.Protocol, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(loop, http, context, None, server_side=True, ssl_handshake_timeout=HEADER_SECONDS)  # type: ignore[arg-type]  # nobody waits
        self._unproved = unproved
        self._peer: Peer | None = None

    def connection_made(self, transport: Any) -> None:
        peer = transport.get_extra_info("peername")
        if peer is None:  # gone already
            transport.abort()
            return
        self._peer = (str(peer[0]), int(peer[1]))
        super().connection_made(transport)
        self._unproved.count_connection(self._peer, transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._peer is not None:
            self._unproved.discount_connection(self._peer)
            super().connection_lost(exc)


class _TimedHTTP(H11Protocol):
    """Requests whose headers come in time."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._begin_cycle()

    def data_received(self, data: bytes) -> None:
        if self._timer is None and self.conn.their_state is h11.IDLE:
            self._begin_cycle()
        super().data_received(data)
        if self._timer is not None and self.conn.their_state is not h11.IDLE:
            self._end_cycle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_cycle()
        super().connection_lost(exc)

    def _begin_cycle(self) -> None:
        self._timer = self.loop.call_later(HEADER_SECONDS, self._too_slow)

    def _end_cycle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self.transport.abort()


class TLSServer(uvicorn.Server):
    """Serves TLS on one address, to connections that are counted."""

    def __init__(self, config: uvicorn.Config, unproved: UnprovedConnections) -> None:
        super().__init__(config)
        self._unproved = unproved

    async def startup(self, sockets: Any = None) -> None:
        """Listen; SystemExit if the address is in use, as uvicorn does."""
        await self.lifespan.startup()
        config, state = self.config, self.lifespan.state
        context = config.ssl
        assert context is not None

        def protocol() -> _CountedTLS:
            return _CountedTLS(self._unproved, _TimedHTTP(config, self.server_state, state), context)

        loop = asyncio.get_running_loop()
        try:
            if sockets:
                server = await loop.create_server(protocol, sock=sockets[0])
            else:
                server = await loop.create_server(protocol, config.host, config.port, backlog=config.backlog)
        except OSError:
            raise SystemExit(1) from None
        self.servers = [server]
        self.started = True

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop; connections without a request are hung up on, as TLS would wait for their goodbye."""
        busy: set[Peer] = set()
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                connection.transport.abort()
            elif isinstance(connection, H11Protocol) and connection.client is not None:
                busy.add(connection.client)
        self._unproved.drop_all(but=busy)
        await super().shutdown(sockets)

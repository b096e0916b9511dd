"""Connections that send a header byte a second are dropped in favour of laptops, before and after the TLS handshake."""

import asyncio
import contextlib
import select
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from fieldsync import errors
from fieldsync.protocol import retry
from fieldsync.server import connections
from fieldsync.server.connections import ConnectionLimits, UnprovedConnections
from fieldsync.server.http_server import open_many
from tests import cast
from tests.lines import Relay, closing, get, reply, tls
from tests.offices import Hand, Office

_HEAD = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Drip: " + b"a" * 1_000


class Drips:
    """Connections that have said a part of a request's headers, and say a byte more of it each time they are asked to."""

    def __init__(self, port: int, sources: Sequence[str]) -> None:
        self._said = 20
        self.sockets: list[ssl.SSLSocket] = []
        for source in sources:
            with contextlib.suppress(OSError):
                one = tls(port, source)
                one.sendall(_HEAD[: self._said])
                self.sockets.append(one)

    def drip(self) -> None:
        """Send the next byte on each."""
        self._said += 1
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.send(_HEAD[self._said : self._said + 1])

    def standing(self) -> list[int]:
        """Return which of them the server has not dropped."""
        poll = select.poll()
        for one in self.sockets:
            poll.register(one, select.POLLIN)
        gone: set[int] = set()
        for number, _ in poll.poll(0):
            one = next(one for one in self.sockets if one.fileno() == number)
            one.setblocking(False)
            try:
                if not one.recv(1):
                    gone.add(number)
            except ssl.SSLWantReadError:  # TLS's own news, such as a session's ticket
                pass
            except OSError:
                gone.add(number)
            one.setblocking(True)
        return [n for n, one in enumerate(self.sockets) if one.fileno() not in gone]

    def close(self) -> None:
        """Hang up all."""
        for one in self.sockets:
            one.close()


def addresses(count: int, each: int) -> list[str]:
    """Return so many of this computer's addresses, each so many times."""
    return [f"127.0.{1 + n // 250}.{1 + n % 250}" for n in range(count) for _ in range(each)]


def within(seconds: float, office: Office, name: str) -> None:
    """Assert that a laptop syncs in so many seconds, whatever else is going on."""
    started = time.monotonic()
    assert retry.sync_with_retries(office[name]).digest == "equal"
    assert time.monotonic() - started < seconds


def test_connections_from_one_address_are_limited(own_office: Office) -> None:
    """Of 260 connections the oldest 60 are dropped, and Amal syncs as usual."""
    open_many()
    own_office.register("amal", 20)
    with closing(Drips(own_office.port, addresses(1, 260))) as drips:
        drips.drip()
        within(2, own_office, "amal")
        assert drips.standing() == list(range(60, 260))
        assert get(own_office.port, "/health").status == 200
    assert own_office.server.stop() == 0


def test_connections_from_many_addresses_are_limited(own_office: Office) -> None:
    """Unauthenticated connections have a fixed limit; an authenticated laptop does not count, however many follow it."""
    office = own_office
    office.server.stop()
    listen = f"127.0.0.1:{office.port}"
    served = office.begin("hq", "server", "run", "--listen", listen, "--unproved", "40", "--unproved-address", "30")
    assert served.stderr.readline().startswith("listening on")
    try:
        hand = Hand(office["amal"], office.port)

        def ask(line: ssl.SSLSocket) -> int:
            hello = hand.hello(where=True)
            head = f"POST /v2/sync HTTP/1.1\r\nHost: x\r\nAuthorization: {hand.proof('/v2/sync', hello)}\r\n"
            line.sendall(f"{head}Content-Length: {len(hello)}\r\n\r\n".encode() + hello)
            return hand.read(reply(line)).status

        with tls(office.port) as amal:
            assert ask(amal) == 200
            with closing(Drips(office.port, addresses(30, 2))) as drips:
                assert len(drips.standing()) == 40
                assert ask(amal) == 200
                with closing(Drips(office.port, addresses(25, 2))) as more:
                    more.drip()
                    assert len(drips.standing()) + len(more.standing()) == 40
                assert ask(amal) == 200
        within(2, office, "basim")
    finally:
        served.send_signal(15)
        served.wait(30)


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 12, 500])
def test_laptops_sync_beside_2_010_connections(own_office: Office, count: int) -> None:
    """With as many connections as once locked everybody out, laptops sync within two seconds."""
    open_many()
    own_office.register("amal", 50)
    with closing(Drips(own_office.port, [*addresses(count, 2_010 // count), *addresses(1, 2_010 % count)])) as drips:
        for name in ("amal", "basim", "samar"):
            drips.drip()
            within(2, own_office, name)
        assert len(drips.standing()) <= (200 if count == 1 else 1_500)


def test_which_connection_is_dropped() -> None:
    """The oldest of the same address is dropped first; an IPv6 network counts as one address; each connection is counted once."""

    class Line(asyncio.Transport):
        aborted = False

        def abort(self) -> None:
            self.aborted = True

    def come(*peers: tuple[str, int]) -> list[Line]:
        made = [Line() for _ in peers]
        for peer, line in zip(peers, made, strict=True):
            unproved.count_connection(peer, line)
        return made

    unproved = UnprovedConnections(ConnectionLimits(6, 2))
    a = come(("10.0.0.1", 1), ("10.0.0.1", 2), ("10.0.0.1", 3))
    assert [one.aborted for one in a] == [True, False, False]
    b = come(("2001:db8::1", 1), ("2001:db8::2", 1), ("2001:db8::3", 1), ("2001:db8:0:1::1", 1))
    assert [one.aborted for one in b] == [True, False, False, False]
    c = come(("10.0.0.2", 1), ("10.0.0.3", 1))
    assert [one.aborted for one in a] == [True, True, False]
    unproved.proved(("10.0.0.1", 3))
    unproved.discount_connection(("10.0.0.1", 3))
    assert len(unproved) == 5
    come(*((f"10.1.0.{n}", 1) for n in range(6)))
    assert not a[2].aborted
    assert all(one.aborted for one in [*b, *c])
    assert ConnectionLimits().limits_for_files(1_024) == ConnectionLimits(412, 200)


# --- how long headers may take ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(office: Office, folder: Path) -> Iterator[int]:
    """Serve a page that says nothing, on a thread of this process; return the port."""

    async def page(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    with office["hq"].store.read() as tx:
        (folder / "certificate").write_bytes(tx.settings.certificate)
        (folder / "key").write_bytes(tx.settings.certificate_key)
    config = uvicorn.Config(
        page, "127.0.0.1", 0, log_level="critical", lifespan="off",
        ssl_certfile=folder / "certificate", ssl_keyfile=folder / "key",
    )  # fmt: skip
    config.load()
    server = connections.TLSServer(config, UnprovedConnections())
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


def test_late_headers_end_a_connection(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow request is cut off, whether first or later on its connection; an idle keep-alive connection is not."""
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.3)
    whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving(office, tmp_path) as port:
        for before in (b"", whole):
            with tls(port) as line:
                line.sendall(before)
                if before:
                    assert reply(line, "GET").body == b"ok"
                    time.sleep(0.5)  # idle between two requests for longer than headers may take
                started = time.monotonic()
                with contextlib.suppress(OSError):
                    for n in range(100):
                        line.sendall(whole[n % 20 : n % 20 + 1])
                        time.sleep(0.05)
                assert 0.2 < time.monotonic() - started < 3
                with contextlib.suppress(OSError):
                    assert line.recv(1) == b""


# --- the laptop's side ------------------------------------------------------------------------------------------------


def test_a_dropped_laptop_retries_within_a_second(own_office: Office) -> None:
    """A laptop dropped before its first answer waits at most a second; later retries back off."""
    own_office.register("amal", 3)
    pauses: list[float] = []
    with closing(Relay(own_office.port)) as line:
        line.cut_up = 300
        own_office.meets("amal", line.port)

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                line.whole()

        synced = retry.sync_with_retries(cast.waiting(own_office["amal"], pause, 1.0))
    assert (synced.tries, synced.up.commits) == (3, 3)
    assert pauses == [1, 4]
    own_office.meets("amal", own_office.port)
    with pytest.raises(errors.NoContact):
        own_office.server.stop()
        retry.sync_with_retries(own_office["amal"], tries=1)

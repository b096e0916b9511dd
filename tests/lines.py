"""Lines between a laptop and a server that the tests hold in their hands: they count, cut, swallow, listen, and hold still."""

import contextlib
import http.client
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_PIECE = 16 * 1024
_LOOK_SECONDS = 0.05


class Listening:
    """Listens on a port of its own, on a thread of its own, and meets who comes; made last in a line's making, as it starts at once."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_LOOK_SECONDS)
        self.port = int(self._listener.getsockname()[1])
        self._open = True
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take the line down."""
        self._open = False
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while self._open:
            with contextlib.suppress(TimeoutError):
                near, _ = self._listener.accept()
                self._meet(near)

    def _meet(self, near: socket.socket) -> None:
        raise NotImplementedError


class Relay(Listening):
    """Carries TCP from a port of its own to another; `up` and `down` are the bytes carried so far.

    `cut_up` and `cut_down`: after so many bytes of one connection in that direction the line is dead, as a radio link dies.
    `swallow_after`: once a connection carried so many bytes up, nothing comes down any more, and it ends.
    """

    def __init__(self, to: int) -> None:
        self.to = to
        self.up = self.down = self.connections = 0
        self.cut_up: int | None = None
        self.cut_down: int | None = None
        self.swallow_after: int | None = None
        super().__init__()

    def whole(self) -> None:
        """Let everything through again, and count from nothing."""
        self.cut_up = self.cut_down = self.swallow_after = None
        self.up = self.down = self.connections = 0

    def _meet(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            near.close()
            return
        self.connections += 1
        threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        """One connection, on a thread of its own: what it carried decides when it dies."""
        _at_once(near, far)
        carried = {near: 0, far: 0}
        limits = {near: self.cut_up, far: self.cut_down}
        swallow = self.swallow_after
        with near, far:
            while self._open:
                for source in select.select([near, far], [], [], _LOOK_SECONDS)[0]:
                    try:
                        data = source.recv(_PIECE)
                    except OSError:
                        data = b""
                    if source is far and swallow is not None and carried[near] >= swallow:
                        data = b""
                    limit = limits[source]
                    kept = data if limit is None else data[: limit - carried[source]]
                    carried[source] += len(kept)
                    if source is near:
                        self.up += len(kept)
                    else:
                        self.down += len(kept)
                    with contextlib.suppress(OSError):
                        (far if source is near else near).sendall(kept)
                    if not data or kept != data:
                        _hang_up(near, far)
                        return


def _at_once(*sockets: socket.socket) -> None:
    """Send small pieces when they come: what waited for an acknowledgement would be lost with a reset, and yet be counted."""
    for one in sockets:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _hang_up(*sockets: socket.socket) -> None:
    """Reset: no orderly goodbye reaches either end."""
    for one in sockets:
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Tap(Listening):
    """Carries TLS, and hears it: `heard` are the bytes that each connection carried up, after its handshake.

    With `to` None it is a server of its own that answers nothing.
    """

    def __init__(self, certificate: Path, to: int | None) -> None:
        self.to = to
        self.heard: list[bytearray] = []
        self.handshakes = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        super().__init__()

    def _meet(self, near: socket.socket) -> None:
        near.settimeout(10)
        heard = bytearray()
        self.heard.append(heard)
        with (
            contextlib.suppress(OSError),  # the other end did not like us, or is done
            self._context.wrap_socket(near, server_side=True) as secure,
        ):
            self.handshakes += 1
            self._carry(secure, heard)

    def _carry(self, near: ssl.SSLSocket, heard: bytearray) -> None:
        if self.to is None:
            while data := near.recv(_PIECE):
                heard += data
            return
        with tls(self.to) as far:
            while self._open:
                ready = [s for s in (near, far) if s.pending()] or select.select([near, far], [], [], _LOOK_SECONDS)[0]
                for source in ready:
                    data = _there(source)
                    if data is None:
                        continue
                    if not data:
                        return
                    if source is near:
                        heard += data
                    (far if source is near else near).sendall(data)


def _there(source: ssl.SSLSocket) -> bytes | None:
    """Return what has come, b"" at the end; None when it was TLS's own business."""
    source.setblocking(False)
    try:
        return source.recv(_PIECE)
    except ssl.SSLWantReadError:
        return None
    finally:
        source.settimeout(30)


@contextlib.contextmanager
def closing(line: Any) -> Iterator[Any]:
    """Close a line after use."""
    try:
        yield line
    finally:
        line.close()


def tls(port: int, source: str = "127.0.0.1") -> ssl.SSLSocket:
    """Return a TLS connection to a server on this computer, from one of its addresses, that trusts whatever it meets: the test's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30, (source, 0)))


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def reply(connection: ssl.SSLSocket, method: str = "POST") -> Reply:
    """Read one answer of a connection."""
    answer = http.client.HTTPResponse(connection, method=method)
    answer.begin()
    return Reply(answer.status, answer.headers, answer.read())


def say(port: int, raw: bytes) -> Reply:
    """Send bytes as they are over a new connection; return the answer, which may come before all was sent."""
    with tls(port) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(raw)
        return reply(connection)


def get(port: int, path: str) -> Reply:
    """Ask for a page."""
    with tls(port) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return reply(connection, "GET")


class Thin(Listening):
    """Carries TCP as a bad line does: so many bytes a second, so many seconds each way, and what else is asked.

    `still_after`: once a connection carried so many bytes up, nothing moves on it any more, and nobody hangs up.
    `twice`: what goes up is also sent to the server on a second connection, whose answers nobody reads.
    `cuts`: after how many bytes, up and down together, each connection ends; whole connections when it is used up.
    """

    def __init__(self, to: int, *, rate: float = 1e9, delay: float = 0, cuts: Iterator[int] | None = None) -> None:
        self.to, self.rate, self.delay = to, rate, delay
        self.cuts: Iterator[int] = cuts if cuts is not None else iter(())
        self.still_after: int | None = None
        self.twice = False
        self.up = self.down = self.connections = 0
        super().__init__()

    def _meet(self, near: socket.socket) -> None:
        ends = [near, socket.create_connection(("127.0.0.1", self.to))]
        if self.twice:
            ends.append(socket.create_connection(("127.0.0.1", self.to)))
        self.connections += 1
        threading.Thread(target=self._carry, args=(ends, next(self.cuts, None), self.still_after), daemon=True).start()

    def _carry(self, ends: list[socket.socket], cut: int | None, still_after: int | None) -> None:
        near, far, *again = ends
        on_its_way: list[tuple[float, socket.socket, bytes]] = []
        carried = up = 0
        _at_once(*ends)
        free = {near: 0.0, far: 0.0}  # when each direction is through with what it has
        for end in ends:
            end.settimeout(5)
        with contextlib.ExitStack() as stack:
            for end in ends:
                stack.enter_context(end)
            while self._open:
                now = time.monotonic()
                while on_its_way and on_its_way[0][0] <= now:
                    _, to, data = on_its_way.pop(0)
                    with contextlib.suppress(OSError):
                        to.sendall(data)
                        if to is far:
                            for other in again:
                                other.sendall(data)
                        if not data:
                            return
                wait = min(_LOOK_SECONDS, on_its_way[0][0] - now) if on_its_way else _LOOK_SECONDS
                open_ = [end for end in (near, far) if free[end] <= now]  # a line that is full takes no more
                if still_after is not None and up >= still_after:
                    open_ = []
                for source in select.select(open_, [], [], max(wait, 0.001))[0]:
                    try:
                        data = source.recv(_PIECE if self.rate >= 1e6 else 256)
                    except OSError:
                        data = b""
                    kept = data if cut is None else data[: cut - carried]
                    carried += len(kept)
                    up += len(kept) if source is near else 0
                    if source is near:
                        self.up += len(kept)
                    else:
                        self.down += len(kept)
                    free[source] = max(now, free[source]) + len(kept) / self.rate
                    to = far if source is near else near
                    if kept != data:
                        with contextlib.suppress(OSError):
                            to.sendall(kept)
                        _hang_up(*ends)
                        return
                    on_its_way.append((free[source] + self.delay, to, kept))
                    on_its_way.sort(key=lambda one: one[0])


class Answering(Listening):
    """A TLS server of the test's own that answers each request with the next of these, and then hangs up."""

    def __init__(self, certificate: Path, answers: list[bytes]) -> None:
        self.asked = 0
        self._answers = iter(answers)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        super().__init__()

    def _meet(self, near: socket.socket) -> None:
        near.settimeout(10)
        with contextlib.suppress(OSError), self._context.wrap_socket(near, server_side=True) as secure:
            secure.recv(_PIECE)
            self.asked += 1
            secure.sendall(next(self._answers, b""))
            while secure.recv(_PIECE):  # until the other end has read it
                pass

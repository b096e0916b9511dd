"""Lines between a laptop and a server that the tests hold in their hands: they count, cut, swallow, listen, and hold still."""

import contextlib
import http.client
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

_PIECE = 16 * 1024
_LOOK_SECONDS = 0.05


class Relay:
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
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open = True
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def whole(self) -> None:
        """Let everything through again, and count from nothing."""
        self.cut_up = self.cut_down = self.swallow_after = None
        self.up = self.down = self.connections = 0

    def close(self) -> None:
        """Take the line down."""
        self._open = False
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        self._listener.settimeout(_LOOK_SECONDS)
        while self._open:
            try:
                near, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                near.close()
                continue
            self.connections += 1
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        """One connection, on a thread of its own: what it carried decides when it dies."""
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


def _hang_up(*sockets: socket.socket) -> None:
    """Reset: no orderly goodbye reaches either end."""
    for one in sockets:
        with contextlib.suppress(OSError):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Tap:
    """Carries TLS, and hears it: `heard` are the bytes that each connection carried up, after its handshake.

    With `to` None it is a server of its own that answers nothing.
    """

    def __init__(self, certificate: Path, to: int | None) -> None:
        self.to = to
        self.heard: list[bytearray] = []
        self.handshakes = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open = True
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._open = False
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        self._listener.settimeout(_LOOK_SECONDS)
        while self._open:
            try:
                plain, _ = self._listener.accept()
            except TimeoutError:
                continue
            plain.settimeout(10)
            heard = bytearray()
            self.heard.append(heard)
            try:
                with self._context.wrap_socket(plain, server_side=True) as near:
                    self.handshakes += 1
                    self._carry(near, heard)
            except OSError:
                continue  # the other end did not like us, or is done

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


def tls(port: int) -> ssl.SSLSocket:
    """Return a TLS connection to a server on this computer that trusts whatever it meets: the test's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30))


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

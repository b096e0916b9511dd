"""Five hundred connections that send one byte a second: other clients are served meanwhile, and the server stays up."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator

from fieldsync.server.http_server import open_many
from tests.lines import get, tls
from tests.offices import Office

CONNECTIONS = 500
_REQUEST = b"POST /v2/sync HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n\x01\r\n" * 10_000


class Dribble:
    """Many connections, each of which gets its next byte once a second."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._sockets: list[ssl.SSLSocket | socket.socket] = []
        # half of them greet as TLS does, and dribble inside; the others dribble their greeting
        # from several addresses, as one has 200 at most that proved nothing
        sources = [f"127.0.0.{2 + n % 4}" for n in range(count)]
        self._sockets += [tls(port, source) for source in sources[: count // 2]]
        self._sockets += [
            socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
            for source in sources[count // 2 :]
        ]
        self.said = 0
        self._open = True
        self.hung_up: set[int] = set()
        self._thread = threading.Thread(target=self._dribble, daemon=True)
        self._thread.start()

    def _dribble(self) -> None:
        while self._open:
            started = time.monotonic()
            for i, one in enumerate(self._sockets):
                try:
                    one.send(_REQUEST[self.said : self.said + 1])
                except OSError:
                    self.hung_up.add(i)
            self.said += 1
            time.sleep(max(0.0, started + 1 - time.monotonic()))

    def close(self) -> None:
        """Hang up all."""
        self._open = False
        self._thread.join()
        for one in self._sockets:
            one.close()


@contextlib.contextmanager
def dribbling(port: int) -> Iterator[Dribble]:
    """Have them for a while."""
    line = Dribble(port, CONNECTIONS)
    try:
        yield line
    finally:
        line.close()


def test_five_hundred_slow_connections_keep_nobody_waiting(own_office: Office) -> None:
    """Laptops sync at the first attempt during the attack; afterwards the server stops cleanly."""
    open_many()
    own_office.register("amal", 200)
    with dribbling(own_office.port) as slow:
        assert get(own_office.port, "/health").status == 200
        for name in ("amal", "basim", "samar"):
            assert own_office.sync(name)[0].digest == "equal"
        own_office.equal("amal", "basim", "samar")
        assert slow.said > 0
        assert len(slow.hung_up) <= CONNECTIONS // 2, "they were there to the end"
    assert own_office.server.stop() == 0

"""The simulated network: the real client and the real server in one thread, over lines that are slow, cut or down."""

import asyncio
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import NewConnectionError

from fieldsync.protocol.http_client import READ_SECONDS
from fieldsync.replica.node import Node
from fieldsync.server.app import ServerApp
from fieldsync.wire.frames import HEAD
from tests.inline import InlineExecution
from tests.model.clockwork import ClockworkLoop
from tests.model.trace import Trace

LATENCY = 0.04  # seconds for each piece on its way


@dataclass
class Line:
    """The line of one sync: what happens to it, and how many frames have passed, up and down together.

    `cut` counts whole frames, and the part of the next one that still passes: at 2.5 the third is cut in its middle.
    `meanwhile` is called once, when `after` frames have passed.
    """

    down: bool = False
    cut: float | None = None
    again: bool = False  # a request that was answered comes to the server once more
    stall: tuple[int, float] | None = None  # after so many frames nothing passes for so many seconds
    after: int = 0
    meanwhile: Callable[[], None] | None = None
    passed: int = 0

    def carry(self, piece: bytes) -> bytes:
        """Return what passes of a piece, which is a frame or a part of one; less than all where the line is cut."""
        if self.cut is None or self.passed + 1 <= self.cut:
            return piece
        return piece[: int(len(piece) * max(0.0, self.cut - self.passed))]


class SimulatedServer(NamedTuple):
    """A server's process: what it runs goes with it where it is put back."""

    app: ServerApp
    loop: ClockworkLoop


class Network:
    """The servers of one history by their hosts. `now` is the time in seconds, `wait` lets so many pass."""

    def __init__(self, now: Callable[[], float], wait: Callable[[float], None], trace: Trace) -> None:
        self._now, self._wait = now, wait
        self.trace = trace
        self.servers: dict[str, list[SimulatedServer]] = {}
        self.line = Line()

    def serve(self, host: str, *nodes: Node) -> None:
        """Have a node serve under a host, or the processes of one store in turn; what served there before is gone."""
        self.servers[host] = [
            SimulatedServer(ServerApp(node, execution=InlineExecution()), ClockworkLoop(self._now)) for node in nodes
        ]

    def server_at(self, host: str) -> SimulatedServer | None:
        """Return the process that takes the next request to a host."""
        serving = self.servers.get(host, [])
        serving.extend(serving[:1])
        return serving.pop(0) if serving else None

    def _processes(self) -> list[SimulatedServer]:
        return [one for serving in self.servers.values() for one in serving]

    def adapter(self, _pin: bytes) -> HTTPAdapter:
        """Return the transport of a connection over the present line."""
        return _SimulatedAdapter(self, self.line)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with all that servers do by themselves meanwhile. Raises what a server did not catch."""
        end = self._now() + seconds
        self._run_ready()
        while (due := min(self._timers(), default=end)) < end:
            self._wait(max(0.0, due - self._now()))
            self._run_ready()
        self._wait(max(0.0, end - self._now()))
        self._run_ready()

    def _timers(self) -> Iterator[float]:
        return (due for server in self._processes() if (due := server.loop.next_timer()) is not None)

    def _run_ready(self) -> None:
        for server in self._processes():
            server.loop.run_ready()
            for fault in server.loop.faults:
                raise fault.get("exception") or AssertionError(fault["message"])


class _Answer(io.RawIOBase):
    """The body of an answer as it comes over the line."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at the end none. ConnectionResetError where the line was cut."""
        while not self._held:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._held = piece
        taken = self._held if size < 0 else self._held[:size]
        self._held = self._held[len(taken) :]
        return taken


class _SimulatedAdapter(HTTPAdapter):
    """Carries requests to a server of the simulated network."""

    def __init__(self, network: Network, line: Line) -> None:
        super().__init__()
        self._network, self._line = network, line

    def send(self, request: requests.PreparedRequest, *_args: Any, **_options: Any) -> requests.Response:  # type: ignore[override]
        """Send a request, and return the answer whose body is still on its way."""
        network, line = self._network, self._line
        server = network.server_at(urlsplit(str(request.url)).hostname or "")
        if server is None or line.down:
            raise requests.exceptions.ConnectionError(NewConnectionError(None, "no way to the server"))  # type: ignore[arg-type]
        exchange = _Exchange(network, line, server, request)
        sent = exchange.send_body(request.body)
        if line.again:
            _Exchange(network, Line(), server, request).send_body(sent)
        answer = HTTPResponse(
            _Answer(exchange.answer_pieces()),  # type: ignore[arg-type]
            headers=exchange.headers, status=exchange.status, preload_content=False, decode_content=False,
        )  # fmt: skip
        return self.build_response(request, answer)


class _Exchange:
    """One request and its answer: the client on the caller's stack, the server on the loop."""

    def __init__(
        self, network: Network, line: Line, server: SimulatedServer, request: requests.PreparedRequest
    ) -> None:
        self._network, self._line, self._loop = network, line, server.loop
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._pieces: list[bytes] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        url = urlsplit(str(request.url))
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
            "method": request.method, "scheme": "https", "path": url.path, "raw_path": url.path.encode(),
            "query_string": url.query.encode(), "root_path": "", "server": (url.hostname, 443),
            "client": ("192.0.2.1", 1),
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in request.headers.items()
                if isinstance(value, str)
            ],
        }  # fmt: skip
        self._task = server.loop.create_task(server.app.asgi(scope, self._incoming.get, self._take))

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self._pieces.append(message.get("body", b""))

    def send_body(self, body: Any) -> bytes:
        """Send a request's body, and wait until it is answered; return what was sent. ConnectionError, ReadTimeout."""
        sent = b""
        try:
            for piece in _pieces(body):
                carried = self._carry("up", piece)
                self._incoming.put_nowait({"type": "http.request", "body": carried, "more_body": True})
                sent += carried
                self._network.pass_time(LATENCY)
                if len(carried) < len(piece):
                    raise ConnectionResetError("the line was cut")  # noqa: TRY301
                if self._task.done():
                    break  # answered before all was heard
            else:
                self._incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
            self._await_answer()
        except OSError as fault:
            self._hang_up()
            raise requests.exceptions.ConnectionError(fault) from fault
        except BaseException:
            self._hang_up()
            raise
        return sent

    def _await_answer(self) -> None:
        waited = 0.0
        self._network.pass_time(LATENCY)
        while not self._task.done() and waited < READ_SECONDS:
            self._network.pass_time(1)
            waited += 1
        if not self._task.done():
            raise TimeoutError("the server says nothing")
        self._task.result()  # raises what the server did not catch

    def _hang_up(self) -> None:
        self._incoming.put_nowait({"type": "http.disconnect"})
        self._network.pass_time(0)

    def answer_pieces(self) -> Iterator[bytes]:
        """Yield an answer's pieces as they come. ConnectionResetError where the line is cut."""
        framed = self.headers.get("content-type") is None
        whole = b"".join(self._pieces)
        for piece in _pieces(whole) if framed else [whole]:
            carried = self._carry("down", piece)
            self._network.pass_time(LATENCY)
            if framed or len(carried) == len(piece):  # of anything but frames the client waits for the whole
                yield carried
            if len(carried) < len(piece):
                raise ConnectionResetError("the line was cut")

    def _carry(self, way: str, piece: bytes) -> bytes:
        """Have a frame, or a part of one, pass over the line; return what of it passed."""
        line = self._line
        if line.meanwhile is not None and line.passed >= line.after:
            act, line.meanwhile = line.meanwhile, None
            act()
        if line.stall is not None and line.passed >= line.stall[0]:
            seconds, line.stall = line.stall[1], None
            self._network.pass_time(seconds)
            if seconds >= READ_SECONDS:
                raise TimeoutError("the line stalls")
        carried = line.carry(piece)
        self._network.trace.note("", way, carried)
        if len(carried) == len(piece):
            line.passed += 1
        return carried


def _pieces(body: bytes | Iterable[bytes] | None) -> Iterator[bytes]:
    """Yield a body frame by frame, long ones in parts; what is no frame passes as it is."""
    if not isinstance(body, bytes):
        yield from body or ()
        return
    start = 0
    while start < len(body):
        size = HEAD + int.from_bytes(body[start + 1 : start + HEAD], "big")
        yield body[start : start + size]
        start += size

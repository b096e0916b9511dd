"""The requests client for one pinned server. Nothing is sent unless the certificate is the pinned one."""

import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util import SKIP_HEADER

from fieldsync import errors
from fieldsync.environment import SYSTEM, Environment
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica.refusal_errors import refusal_error
from fieldsync.wire.frames import FrameCodec, FrameKind, FrameReader
from fieldsync.wire.messages import NONCE_HEADER, from_base64

CONNECT_SECONDS, READ_SECONDS = 10, 60
BUSY_SECONDS = 10  # for a server that says it is busy, and not for how long
_WAIT_DIGITS = 6  # of the seconds that a server may ask for
_BUSY, _CUT = (429, 503), (408, 499)
_CHUNK = 64 * 1024
_PIECE = 4 * 1024  # what is sent at a time: a second and a half at 20 kbit/s
_ON_ITS_WAY = 32 * 1024  # what the system may hold to be sent: more would take a thin line longer than READ_SECONDS
_BARE = {"User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER, "Accept": None, "Connection": None}


class _PatientConnection(HTTPSConnection):
    """Waits as long for a line that stalls while it sends as while it reads; urllib3 gives sending the time of connecting."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(READ_SECONDS)


class _PatientPool(HTTPSConnectionPool):
    ConnectionCls = _PatientConnection


class _PinnedAdapter(HTTPAdapter):
    """Accepts only the certificate named in the invite, whatever its dates and names."""

    def __init__(self, pin: bytes) -> None:
        self._pin = pin
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        # a context of our own loads none of the system's authorities: they count for nothing here, and take 50 ms
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # urllib3 compares the fingerprint before anything is sent
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        super().init_poolmanager(
            *args, **options, assert_fingerprint=self._pin.hex(), assert_hostname=False, ssl_context=context,
            socket_options=[*_PatientConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_SNDBUF, _ON_ITS_WAY)],
        )  # fmt: skip
        self.poolmanager.pool_classes_by_scheme = {"https": _PatientPool}

    def close(self) -> None:
        """Close the connection at once: urllib3 would do so only when the pool is garbage-collected."""
        pools = self.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 - it cannot be iterated, by design
            pools[key].close()
        super().close()


class ServerHealth(msgspec.Struct, frozen=True):
    """A server's clock, in milliseconds since 1970, and the newest protocol that it speaks."""

    now: int
    protocol: int


class ServerConnection:
    """A connection to one server; counts its bytes. `environment` may have another transport than TLS over sockets."""

    def __init__(self, address: str, pin: bytes, tally: SyncTally, environment: Environment = SYSTEM) -> None:
        self.address = address.rstrip("/")
        self.tally = tally
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy, no .netrc, no other authority from the environment
        self._http.verify = False  # the pin is stricter: one certificate, no other
        self._http.headers.clear()
        self._http.headers.update(_BARE)  # type: ignore[arg-type]  # None makes requests leave a header out
        self._http.mount("https://", (environment.adapter or _PinnedAdapter)(pin))

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def post_request(self, path: str, body: bytes | Iterable[bytes], headers: dict[str, str]) -> requests.Response:
        """Send a request and return the answer, its body still to be read; a refusal becomes the error that it names."""
        self.tally.requests += 1
        counted = body if isinstance(body, bytes) else self._count_sent(body)
        try:
            with _translate_errors(self.address):
                answer = self._http.post(
                    self.address + path, data=counted, headers=headers, stream=True, allow_redirects=False,
                    timeout=(CONNECT_SECONDS, READ_SECONDS),
                )  # fmt: skip
        except errors.CutOff as cut:
            cut.facts["answered"] = False
            raise
        request = answer.request
        self.tally.bytes_up += len(f"{request.method} {path} HTTP/1.1\r\n\r\n") + _head_size(request.headers)
        self.tally.bytes_up += len(f"Host: {request.url}\r\n") - len(path) - len("https://")
        self.tally.bytes_up += len(body) if isinstance(body, bytes) else 0
        self.tally.bytes_down += len(f"HTTP/1.1 {answer.status_code} {answer.reason}\r\n\r\n") + _head_size(
            answer.headers
        )
        if answer.status_code != 200:
            raise _refusal_of(answer, self.address)
        return answer

    def ask_health(self) -> "ServerHealth":
        """Ask for a server's health without revealing an identity. NoContact, WrongServer."""
        try:
            with _translate_errors(self.address):
                answer = self._http.get(
                    self.address + "/health", timeout=CONNECT_SECONDS, stream=True, allow_redirects=False
                )
                said = answer.raw.read(_CHUNK)
        except errors.CutOff as cut:
            cut.facts["answered"] = False
            raise
        self.tally.requests += 1
        self.tally.bytes_up += len("GET /health HTTP/1.1\r\nHost: \r\n\r\n") + len(self.address) - len("https://")
        self.tally.bytes_up += _head_size(answer.request.headers)
        self.tally.bytes_down += len(f"HTTP/1.1 {answer.status_code} {answer.reason}\r\n\r\n") + _head_size(
            answer.headers
        )
        self.tally.bytes_down += len(said)
        with suppress(msgspec.MsgspecError, RecursionError):
            return msgspec.json.decode(said, type=ServerHealth)
        raise errors.Unreachable(server=self.address, status=answer.status_code)

    def _count_sent(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for frame in body:
            for start in range(0, len(frame), _PIECE):
                part = frame[start : start + _PIECE]
                self.tally.bytes_up += len(part) + len(f"{len(part):x}") + 4
                yield part
        self.tally.bytes_up += len("0\r\n\r\n")

    def answer_frames(self, answer: requests.Response, codec: FrameCodec) -> Iterator[tuple[FrameKind, bytes]]:
        """Yield the frames of an answer; CutOff where it ends in the middle of one."""
        reader = FrameReader()
        chunked = "transfer-encoding" in answer.headers
        with _translate_errors(self.address):
            for data in answer.raw.stream(_CHUNK, decode_content=False):
                self.tally.bytes_down += len(data) + (len(f"{len(data):x}") + 4 if chunked else 0)
                for tag, payload, _ in reader.feed(data):
                    yield codec.unpack_payload(tag, payload)
        if reader.pending:
            raise errors.CutOff(server=self.address)


def _head_size(headers: Any) -> int:
    shown = ((name, value) for name, value in headers.items() if value is not None and value is not SKIP_HEADER)
    return sum(len(name) + len(str(value)) + 4 for name, value in shown)


@contextmanager
def _translate_errors(address: str) -> Iterator[None]:
    """Turn the HTTP libraries' exceptions into ours."""
    try:
        yield
    except requests.exceptions.SSLError as fault:
        if "ingerprint" in str(fault):
            raise errors.WrongServer(server=address) from fault
        raise errors.CutOff(server=address) from fault
    except (requests.exceptions.ConnectTimeout, requests.exceptions.InvalidURL) as fault:
        raise errors.Unreachable(server=address) from fault
    except requests.exceptions.ConnectionError as fault:
        if "NewConnectionError" in repr(fault) or "NameResolution" in repr(fault):
            raise errors.Unreachable(server=address) from fault
        raise errors.CutOff(server=address) from fault
    except (requests.exceptions.RequestException, HTTPError, OSError) as fault:
        raise errors.CutOff(server=address) from fault


def nonce_of(answer: requests.Response) -> bytes | None:
    """Return the next nonce from an answer; an invalid one counts as none."""
    fresh = answer.headers.get(NONCE_HEADER)
    with suppress(ValueError):
        return None if fresh is None else from_base64(fresh)
    return None


def _refusal_of(answer: requests.Response, address: str) -> errors.FieldsyncError:
    """Return the error that a server answered with; one of no known form is as good as no answer."""
    with _translate_errors(address):
        body = answer.raw.read(_CHUNK)
    with suppress(msgspec.MsgspecError, KeyError, TypeError, ValueError, RecursionError):
        told = msgspec.json.decode(body)["error"]
        error = refusal_error(str(told["code"]), msgspec.json.encode(told.get("facts", {})).decode())
        error.facts["server"] = address
        if isinstance(error, errors.Fault | errors.StoreUnavailable):
            error.facts.setdefault("reason", "server")  # its computer's, not this one's
        fresh = nonce_of(answer)
        if fresh is not None:
            error.nonce = fresh  # type: ignore[attr-defined]
        return error
    if answer.status_code in _BUSY:
        asked = answer.headers.get("retry-after", "")
        soon = asked.isdecimal() and len(asked) <= _WAIT_DIGITS
        return errors.Busy(server=address, wait=int(asked) if soon else BUSY_SECONDS)
    if answer.status_code in _CUT:
        return errors.CutOff(server=address)
    return errors.Unreachable(server=address, status=answer.status_code)

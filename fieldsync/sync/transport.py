"""The requests client: one pinned server, signed requests, resuming. Nothing is sent before the certificate is the pinned one."""

import base64
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import SKIP_HEADER

from fieldsync import errors
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.crypto.slots import Slots
from fieldsync.store.contract import Server
from fieldsync.sync import epochs, heal, renew
from fieldsync.sync import node as nodes
from fieldsync.sync.invites import Invite
from fieldsync.sync.node import Node
from fieldsync.sync.session import Client, Tally, granted, refusal
from fieldsync.wire import messages
from fieldsync.wire.frames import PROTOCOL, Codec, Kind, Reader

NONCE_HEADER = "fieldsync-nonce"
CONNECT_SECONDS, READ_SECONDS = 10, 60
_CHUNK = 64 * 1024
_BARE = {"User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER, "Accept": None, "Connection": None}

Progress = Callable[[int, int | None, str], None]
Frames = Callable[[], Iterable[bytes]]  # made anew for each attempt


class _Pinned(HTTPAdapter):
    """Talks only to the one certificate that the invite named, whatever its dates and names say."""

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
            *args, **options, assert_fingerprint=self._pin.hex(), assert_hostname=False, ssl_context=context
        )

    def close(self) -> None:
        """Hang up at once: left to itself, urllib3 does so when nobody holds the pool any more, an error's traceback say."""
        pools = self.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 - it cannot be iterated, by design
            pools[key].close()
        super().close()


class Line:
    """A connection to one server; counts what it carries."""

    def __init__(self, address: str, pin: bytes, tally: Tally) -> None:
        self.address = address.rstrip("/")
        self.tally = tally
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy, no .netrc, no other authority from the environment
        self._http.verify = False  # the pin is stricter: one certificate, no other
        self._http.headers.clear()
        self._http.headers.update(_BARE)  # type: ignore[arg-type]  # None is how requests is told to leave one out
        self._http.mount("https://", _Pinned(pin))

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def post(self, path: str, body: bytes | Iterable[bytes], headers: dict[str, str]) -> requests.Response:
        """Send a request and return the answer, its body still to be read; a refusal becomes the error that it names."""
        self.tally.requests += 1
        counted = body if isinstance(body, bytes) else self._counted(body)
        with _mapped(self.address):
            answer = self._http.post(
                self.address + path, data=counted, headers=headers, stream=True, allow_redirects=False,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )  # fmt: skip
        request = answer.request
        self.tally.bytes_up += len(f"{request.method} {path} HTTP/1.1\r\n\r\n") + _size(request.headers)
        self.tally.bytes_up += len(f"Host: {request.url}\r\n") - len(path) - len("https://")
        self.tally.bytes_up += len(body) if isinstance(body, bytes) else 0
        self.tally.bytes_down += len(f"HTTP/1.1 {answer.status_code} {answer.reason}\r\n\r\n") + _size(answer.headers)
        if answer.status_code != 200:
            raise _refusal(answer, self.address)
        return answer

    def _counted(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for part in body:
            self.tally.bytes_up += len(part) + len(f"{len(part):x}") + 4
            yield part
        self.tally.bytes_up += len("0\r\n\r\n")

    def frames(self, answer: requests.Response, codec: Codec) -> Iterator[tuple[Kind, bytes]]:
        """Yield the frames of an answer; CutOff where it ends in the middle of one."""
        reader = Reader()
        chunked = "transfer-encoding" in answer.headers
        with _mapped(self.address):
            for data in answer.raw.stream(_CHUNK, decode_content=False):
                self.tally.bytes_down += len(data) + (len(f"{len(data):x}") + 4 if chunked else 0)
                for tag, payload, _ in reader.feed(data):
                    yield codec.unpack(tag, payload)
        if reader.pending:
            raise errors.CutOff(server=self.address)


def _size(headers: Any) -> int:
    shown = ((name, value) for name, value in headers.items() if value is not None and value is not SKIP_HEADER)
    return sum(len(name) + len(str(value)) + 4 for name, value in shown)


@contextmanager
def _mapped(address: str) -> Iterator[None]:
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


def _refusal(answer: requests.Response, address: str) -> errors.FieldsyncError:
    """Return the error that a server answered with; one of no known form is as good as no answer."""
    with _mapped(address):
        body = answer.raw.read(_CHUNK)
    with suppress(msgspec.MsgspecError, KeyError, TypeError, ValueError):
        told = msgspec.json.decode(body)["error"]
        error = refusal(str(told["code"]), msgspec.json.encode(told.get("facts", {})).decode())
        error.facts.setdefault("server", address)
        fresh = answer.headers.get(NONCE_HEADER)
        if fresh is not None:
            error.nonce = unb64(fresh)  # type: ignore[attr-defined]
        return error
    return errors.Unreachable(server=address, status=answer.status_code)


def b64(data: bytes) -> str:
    """Return bytes as URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    """Return the bytes of URL-safe base64; ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- one sync ---------------------------------------------------------------------------------------------------------


class _Talk:
    """One sync's requests to one server: signs each with the nonce that the last answer handed out."""

    def __init__(self, node: Node, server: Server, tally: Tally, progress: Progress | None) -> None:
        self.node = node
        self.server = server
        self.line = Line(server.address, server.pin, tally)
        self.nonce = server.nonce or b""
        count = (lambda what, done: progress(done, None, what)) if progress else None
        self.client = Client(node, server, tally, count)

    def request(self, path: str, hello: bytes, more: Frames | None = None) -> Iterator[tuple[Kind, bytes]]:
        """Send one signed request and yield its answer's frames; with a nonce that was lost all of it is sent again, once."""
        try:
            answer = self._post(path, hello, more)
        except errors.FieldsyncError as refused:
            fresh = getattr(refused, "nonce", None)
            if fresh is not None:
                self._keep(fresh)
            if fresh is None or not isinstance(refused, errors.StaleNonce):
                raise
            answer = self._post(path, hello, more)
        fresh = answer.headers.get(NONCE_HEADER)
        if fresh is not None:
            self._keep(unb64(fresh))
        yield from self.line.frames(answer, self.client.codec)

    def _post(self, path: str, hello: bytes, more: Frames | None) -> requests.Response:
        key = self.node.key
        signature = key.sign(chain.request_message("POST", path, "", self.nonce, hello))
        headers = {"Authorization": f"FS {b64(key.device)}.{b64(self.nonce)}.{b64(signature)}"}
        body = hello if more is None else _chained(hello, more())
        return self.line.post(path, body, headers)

    def _keep(self, nonce: bytes) -> None:
        self.nonce = nonce
        with self.node.store.write(durable=False) as tx:
            tx.set_server(self.server.id, nonce=nonce)

    def run(self) -> None:
        """Do the sync: ask where the server stands if that is not known, then one request; a gap is filled once."""
        client, node = self.client, self.node
        if self.server.unsure:
            self._exchange(client.hello(where=True), None)
        for attempt in (1, 2):
            with node.store.read() as tx:
                me = tx.device(node.device)
                assert me is not None
                acknowledged = tx.acknowledged(self.server.id, node.device)
                behind = me.head > acknowledged
            if behind:
                with node.store.write() as tx:
                    tx.set_server(self.server.id, unsure=True)
            try:
                self._exchange(client.hello(), client.commit_frames if behind else None)
                if (client.acked or 0) >= acknowledged or attempt == 2:
                    return  # else it has lost what it had acknowledged, and gets it again
            except errors.Gap as gap:
                need = gap.facts.get("need")
                if attempt == 2 or not isinstance(need, int):
                    raise
                with node.store.write() as tx:
                    tx.acknowledge(self.server.id, node.device, need - 1, node.clock())

    def _exchange(self, hello: bytes, more: Frames | None) -> None:
        self.client.ended = None
        for kind, payload in self.request("/v1/sync", hello, more):
            self.client.take(kind, payload)
        if self.client.ended is None:
            raise errors.CutOff(server=self.server.address)

    def heal(self, unit: str) -> int:
        """Find and fetch the records of a channel that differ; return how many."""
        with self.node.store.read() as tx:
            keep = epochs.suspected(tx, self.server.id)
        healer = heal.Healer(self.node, unit, self.client.acked or 0, keep=keep)
        for ask in healer.asks():
            frame = self.client.codec.pack(Kind.ASK, messages.encode(ask))
            for kind, payload in self.request("/v1/heal", self.client.hello(where=True), partial(iter, [frame])):
                healer.take(kind, payload)
        return healer.healed


def _chained(first: bytes, more: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from more


def sync(node: Node, server: str | None = None, *, progress: Progress | None = None) -> dict[str, Any]:
    """Sync once with a server (by name; default: the one synced last) and return the contract's `sync`."""
    started = node.clock()
    with node.store.read() as tx:
        known = tx.servers()
    chosen = next((one for one in known if server in (None, one.name, one.address)), None)
    if chosen is None:
        raise errors.NotFound(what="server", name=server)
    tally = Tally()
    talk = _Talk(node, chosen, tally, progress)
    try:
        renewed = renew.run(talk)
        for unit in talk.client.differing():
            tally.healed += talk.heal(unit)
            tally.differing.append(unit)
    except errors.NoContact as fault:
        with node.store.read() as tx:
            me = tx.device(node.device)
            assert me is not None
            fault.facts["unsent"] = me.head - tx.acknowledged(chosen.id, node.device)
        raise
    finally:
        talk.line.close()
    with node.store.write(durable=False) as tx:
        tx.set_server(chosen.id, synced=node.clock())
        if not tally.differing:
            epochs.trust(tx, chosen.id)
    return {
        "server": chosen.name,
        "up": {"commits": tally.commits, "bytes": tally.bytes_up},
        "down": {"states": tally.states, "bytes": tally.bytes_down},
        "requests": tally.requests,
        "new_conflicts": tally.new_conflicts,
        "refused": tally.refused,
        "digest": "healed" if tally.differing else "equal",
        "clock_off_ms": tally.clock_off,
        "seconds": round((node.clock() - started) / 1000, 3),
    } | ({"renewed": renewed} if renewed else {})


# --- joining ----------------------------------------------------------------------------------------------------------


def join(invite: Invite, home: Path, fill: Callable[[Slots, bytes], None]) -> None:
    """Enrol this computer with an invite: the device's key is made here and stays here. StoreExists, InviteInvalid, WrongServer."""
    if (home / nodes.SLOTS).exists():
        raise errors.StoreExists(home=str(home))
    key = DeviceKey.generate()
    signature = key.sign(join_message(invite.id, invite.secret, key.public))
    request = messages.JoinRequest(PROTOCOL, invite.id, invite.secret, key.public, signature)
    line = Line(invite.address, invite.pin, Tally())
    try:
        answer = line.post("/v1/join", messages.encode(request), {})
        (_, payload), *_ = line.frames(answer, Codec()) or ((Kind.JOINED, b""),)
    finally:
        line.close()
    told = messages.decode(messages.JoinAnswer, payload)

    def write(tx: Any) -> None:
        nodes.write_identity(
            tx, key, kind="laptop", org=told.org, letters=told.letters, person=told.person, grants=granted(told.grants),
            texts=told.schema, now=nodes.wall_clock(),
        )  # fmt: skip
        for unit, _ in told.grants:
            tx.channel_number(unit)
        tx.add_server(Server(told.server, told.server_name, invite.address, invite.pin, told.nonce, False, None))

    nodes.create_store(home, fill, write)


def join_message(invite: bytes, secret: bytes, key: bytes) -> bytes:
    """Return what a device signs to prove that the key which it enrols is its own."""
    return b"fieldsync join 1" + invite + secret + key

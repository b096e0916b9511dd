"""The requests client: one pinned server, signed requests, resuming. Nothing is sent before the certificate is the pinned one."""

import base64
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util import SKIP_HEADER

from fieldsync import errors
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.crypto.slots import Slots
from fieldsync.store.contract import Server
from fieldsync.sync import budgets, epochs, heal, moving, read, relay, renew
from fieldsync.sync import node as nodes
from fieldsync.sync.invites import Invite
from fieldsync.sync.node import Node
from fieldsync.sync.session import Client, Tally, granted, refusal
from fieldsync.wire import messages
from fieldsync.wire.frames import PROTOCOL, Codec, Kind, Reader

NONCE_HEADER = "fieldsync-nonce"
CONNECT_SECONDS, READ_SECONDS = 10, 60
BUSY_SECONDS = 10  # for a server that says it is busy, and not for how long
_BUSY, _CUT = (429, 503), (408, 499)
_CHUNK = 64 * 1024
_PIECE = 4 * 1024  # what is sent at a time: a second and a half at 20 kbit/s
_ON_ITS_WAY = 32 * 1024  # what the system may hold to be sent: more would take a thin line longer than READ_SECONDS
_BARE = {"User-Agent": SKIP_HEADER, "Accept-Encoding": SKIP_HEADER, "Accept": None, "Connection": None}

Progress = Callable[[int, int | None, str], None]
Frames = Callable[[], Iterable[bytes]]  # made anew for each attempt


class _Patient(HTTPSConnection):
    """Waits as long for a line that stalls while it sends as while it reads; urllib3 gives sending the time of connecting."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(READ_SECONDS)


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Patient


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
            *args, **options, assert_fingerprint=self._pin.hex(), assert_hostname=False, ssl_context=context,
            socket_options=[*_Patient.default_socket_options, (socket.SOL_SOCKET, socket.SO_SNDBUF, _ON_ITS_WAY)],
        )  # fmt: skip
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}

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
        for frame in body:
            for start in range(0, len(frame), _PIECE):
                part = frame[start : start + _PIECE]
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
    if answer.status_code in _BUSY:
        asked = answer.headers.get("retry-after", "")
        return errors.Busy(server=address, wait=int(asked) if asked.isdecimal() else BUSY_SECONDS)
    if answer.status_code in _CUT:
        return errors.CutOff(server=address)
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

    def __init__(self, node: Node, server: Server, tally: Tally, progress: Progress | None, budget: int = 0) -> None:
        self.node = node
        self.budget = budget
        self.server = server
        self.tally = tally
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
            counted = more is not None and self.budget  # sent again, it would cost twice what was counted for it
            if fresh is None or not isinstance(refused, errors.StaleNonce) or counted:
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
            self._exchange(None, where=True)
        for attempt in (1, 2):
            with node.store.read() as tx:
                me = tx.device(node.device)
                assert me is not None
                acknowledged = tx.acknowledged(self.server.id, node.device)
                behind = me.head > acknowledged or (client.branch and relay.to_tell(tx, self.server.id))
            if behind:
                with node.store.write() as tx:
                    tx.set_server(self.server.id, unsure=True)
            try:
                more, room = self._spending(behind) if self.budget else (client.commit_frames if behind else None, 0)
                self._exchange(more, budget=room)
                if (client.acked or 0) >= acknowledged or attempt == 2:
                    return  # else it has lost what it had acknowledged, and gets it again
            except errors.StaleNonce:
                if attempt == 2 or not self.budget:
                    raise
            except errors.Gap:  # the server has less than it acknowledged: it says what, and gets it again
                if attempt == 2:
                    raise
                self._exchange(None, where=True)

    def _spending(self, behind: bool) -> tuple[Frames | None, int]:
        """Return the commits, and the bytes that the answer may have, of a request that costs what is left of the budget."""
        client, tally = self.client, self.client.tally
        room = budgets.left(self.budget, tally.bytes_up + tally.bytes_down) - len(client.hello(budget=self.budget))
        frames = list(client.commit_frames(room)) if behind else []
        return ((lambda: frames) if frames else None), max(1, room - sum(map(budgets.cost, frames)))

    def _exchange(self, more: Frames | None, *, where: bool = False, budget: int = 0) -> None:
        client = self.client
        client.ended = None
        try:
            for kind, payload in self.request("/v1/sync", client.hello(where=where, budget=budget), more):
                client.take(kind, payload)
        except errors.OtherDictionary:
            if not client.codec.id:
                raise
            client.codec = Codec()  # the server never had our forms: once more without their dictionary
            self._exchange(more, where=where, budget=budget)
        if self.client.ended is None:
            raise errors.CutOff(server=self.server.address)

    def check(self) -> None:
        """Compare the channels' digests, and mend what differs; where this node knows more than the server that is no fault."""
        differing = self.client.differing()
        for unit in differing:
            healed = self.heal(unit)
            self.tally.healed += healed
            if healed or not self.server.mixed:
                self.tally.differing.append(unit)
        if not differing:
            with self.node.store.write(durable=False) as tx:
                tx.mixed(self.server.id, others=False)

    def heal(self, unit: str) -> int:
        """Find and fetch the records of a channel that differ; return how many."""
        with self.node.store.read() as tx:
            join = epochs.suspected(tx, self.server.id) or (self.server.mixed and not self.client.branch)
        healer = heal.Healer(self.node, unit, partial(relay.unsent, self.client), join=join)
        for ask in healer.asks():
            frame = self.client.codec.pack(Kind.ASK, messages.encode(ask))
            for kind, payload in self.request("/v1/heal", self.client.hello(where=True), partial(iter, [frame])):
                healer.take(kind, payload)
        return healer.healed


def _chained(first: bytes, more: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from more


def sync(
    node: Node,
    server: str | None = None,
    *,
    progress: Progress | None = None,
    tally: Tally | None = None,
    budget: int = 0,
) -> dict[str, Any]:
    """Sync once with a server (by name; default: the one synced last) and return the contract's `sync`.

    With `budget` it takes at most so many bytes, both ways together with all that `tally` has counted before, and says
    in `partial` and `remaining` where that was not enough.
    """
    started = node.clock()
    with node.store.read() as tx:
        chosen = read.server_named(tx, server)
        sent_before = tx.acknowledged(chosen.id, node.device)
    tally = tally or Tally()
    tally.acked = tally.sent_before = sent_before
    talk = _Talk(node, chosen, tally, progress, budget)
    try:
        renewed = renew.run(talk)
        unchecked = bool(budget and talk.client.differing())  # to mend it might cost more
        if not budget:
            talk.check()
    except errors.NoContact as fault:
        with node.store.read() as tx:
            fault.facts["unsent"] = read.unsent(node, tx, chosen)
        raise
    finally:
        talk.line.close()
    with node.store.write(durable=False) as tx:
        tx.set_server(chosen.id, synced=node.clock())
        if not tally.differing and not unchecked:
            epochs.trust(tx, chosen.id)
        remaining = read.unsent(node, tx, chosen)
    ended = talk.client.ended
    left = {"partial": True, "remaining": {"commits": remaining}} if ended is None or ended.partial else {}
    digest = "healed" if tally.differing else "equal"
    return {
        "server": chosen.name,
        "up": {"commits": tally.commits, "bytes": tally.bytes_up},
        "down": {"states": tally.states, "bytes": tally.bytes_down},
        "requests": tally.requests,
        "new_conflicts": tally.new_conflicts,
        "refused": tally.refused,
        "forms": list(tally.forms),
        "left": moving.left(node),
        "digest": "unchecked" if left or unchecked else digest,
        "clock_off_ms": tally.clock_off,
        "seconds": round((node.clock() - started) / 1000, 3),
        **left,
        **({"renewed": renewed} if renewed else {}),
    }


# --- joining ----------------------------------------------------------------------------------------------------------


def join(invite: Invite, home: Path, fill: Callable[[Slots, bytes], None]) -> None:
    """Enrol this computer with an invite: the device's key is made here and stays here. StoreExists, InviteInvalid, WrongServer."""
    if (home / nodes.SLOTS).exists():
        raise errors.StoreExists(home=str(home))
    from fieldsync.crypto import age

    key = DeviceKey.generate()
    identity = age.new_identity()
    told = enrol(invite, key, age.recipient(identity))

    def write(tx: Any) -> None:
        nodes.write_identity(
            tx, key, kind="laptop", org=told.org, letters=told.letters, person=told.person, grants=granted(told.grants),
            texts=told.schema, now=nodes.wall_clock(), identity=identity,
        )  # fmt: skip
        for unit, _ in told.grants:
            tx.channel_number(unit)
        tx.add_server(Server(told.server, told.server_name, invite.address, invite.pin, told.nonce, False, None))
        if told.age:
            tx.set_age(told.server, told.age)

    nodes.create_store(home, fill, write)


def enrol(invite: Invite, key: DeviceKey, recipient: str) -> messages.JoinAnswer:
    """Show an invite with a device's key to the server that made it. InviteInvalid, WrongServer, NoContact."""
    signature = key.sign(join_message(invite.id, invite.secret, key.public))
    request = messages.JoinRequest(PROTOCOL, invite.id, invite.secret, key.public, signature, recipient)
    line = Line(invite.address, invite.pin, Tally())
    try:
        answer = line.post("/v1/join", messages.encode(request), {})
        (_, payload), *_ = line.frames(answer, Codec()) or ((Kind.JOINED, b""),)
    finally:
        line.close()
    return messages.decode(messages.JoinAnswer, payload)


def join_message(invite: bytes, secret: bytes, key: bytes) -> bytes:
    """Return what a device signs to prove that the key which it enrols is its own."""
    return b"fieldsync join 1" + invite + secret + key

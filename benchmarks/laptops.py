"""A laptop's side of one sync without the laptop: what it would send lies ready, and its answer is kept for later.

It keeps to the rules of protocol/sync_once.py and protocol/retry.py: signed requests, first asking where the server stands after
one that failed, pauses with jitter, and the same number of tries.
"""

import asyncio
import hashlib
import ssl
import time
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from fieldsync import errors
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.environment import SYSTEM
from fieldsync.protocol import http_client, retry
from fieldsync.wire import messages
from fieldsync.wire.frames import HEAD, FrameCodec, FrameKind
from fieldsync.wire.messages import NONCE_HEADER, from_base64, to_base64
from fieldsync.wire.protocols import PROTOCOL


class Laptop(NamedTuple):
    """What a laptop has ready: who it is, its server, its hellos, its commits as frames, its last commit."""

    number: int
    key: bytes
    server: bytes
    pin: bytes
    nonce: bytes
    where: bytes
    hello: bytes
    frames: tuple[bytes, ...]
    head: int


def fresh(laptop: Laptop, now: int) -> Laptop:
    """Return the laptop with hellos of this moment: those of another would say that its clock is off."""
    codec, hellos = FrameCodec(), []
    for frame in (laptop.where, laptop.hello):
        _, plain = codec.unpack_payload(frame[0], frame[HEAD:])
        hello = msgspec.structs.replace(messages.decode_message(messages.Hello, plain), now=now)
        hellos.append(codec.pack_frame(FrameKind.HELLO, messages.encode(hello)))
    return laptop._replace(where=hellos[0], hello=hellos[1])


class Evening(NamedTuple):
    """How one laptop's evening went, and the answer that it got."""

    number: int
    head: int
    seconds: float
    tries: int
    carried: int
    failed: str
    answer: bytes


class _Refused(Exception):
    def __init__(self, status: int, wait: int, fresh: str | None) -> None:
        super().__init__(status)
        self.status, self.wait, self.fresh = status, wait, fresh


class _Talk:
    """One laptop's requests, over one connection while it lasts."""

    def __init__(self, port: int, laptop: Laptop) -> None:
        self.port, self.laptop = port, laptop
        self.key = DeviceKey.from_bytes(laptop.key)
        self.nonce = laptop.nonce
        self.bytes = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.met = False

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            async with asyncio.timeout(http_client.CONNECT_SECONDS):
                number = self.laptop.number  # from an address of its own, as at home
                mine = f"127.1.{number // 250}.{1 + number % 250}", 0
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context, local_addr=mine)
            found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            assert hashlib.sha256(found).digest() == self.laptop.pin
            self._streams = reader, writer
            self.met = True
        return self._streams

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def post(self, frames: Sequence[bytes]) -> bytes:
        """Send one signed request and return its answer's frames; again at once where only the nonce was old."""
        for attempt in (1, 2):
            try:
                return await self._once(frames)
            except _Refused as refused:
                if refused.fresh is not None:
                    self.nonce = from_base64(refused.fresh)
                if attempt == 2 or refused.status != 401 or refused.fresh is None:
                    raise
        raise AssertionError

    async def _once(self, frames: Sequence[bytes]) -> bytes:
        reader, writer = await self._connect()
        asked = chain.SignedRequest("POST", "/v2/sync", "", self.nonce, frames[0])
        signature = self.key.sign(chain.signed_request(PROTOCOL, self.laptop.server, asked))
        proof = f"{to_base64(self.key.device)}.{to_base64(self.nonce)}.{to_base64(signature)}"
        head = f"POST /v2/sync HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: FS {proof}\r\n"
        if len(frames) == 1:
            sent = f"{head}Content-Length: {len(frames[0])}\r\n\r\n".encode() + frames[0]
        else:
            chunks = b"".join(f"{len(one):x}\r\n".encode() + one + b"\r\n" for one in frames)
            sent = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"
        writer.write(sent)
        self.bytes += len(sent)
        async with asyncio.timeout(http_client.READ_SECONDS):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            self.bytes += sum(map(len, lines)) + 2 * len(lines)
            status = int(lines[0].split(" ")[1])
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines[1:])}
            if "content-length" in headers:
                body = await reader.readexactly(int(headers["content-length"]))
            else:
                body = await _chunked(reader)
        self.bytes += len(body)
        if headers.get("connection") == "close":
            self.close()
        fresh = headers.get(NONCE_HEADER)
        if status != 200:
            wait = headers.get("retry-after", "")
            raise _Refused(status, int(wait) if wait.isdecimal() else http_client.BUSY_SECONDS, fresh)
        if fresh is not None:
            self.nonce = from_base64(fresh)
        return body


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


async def sync(port: int, laptop: Laptop) -> Evening:
    """Sync as `fieldsync sync` would, and return how it went."""
    began, tries, unsure, acked = time.perf_counter(), 0, False, False
    talk = _Talk(port, laptop)
    while True:
        tries += 1
        busy, fault = 0, ""
        try:
            if unsure:
                acked = _acknowledged(await talk.post([laptop.where])) == laptop.head
            answer = await talk.post([laptop.hello, *(() if acked else laptop.frames)])
        except _Refused as refused:
            busy, fault = (refused.wait, "busy") if refused.status in (429, 503) else (0, str(refused.status))
            if not busy and refused.status not in (408, 499):
                return Evening(laptop.number, laptop.head, time.perf_counter() - began, tries, talk.bytes, fault, b"")
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            fault = "cut" if talk.met else "unreachable"
        else:
            talk.close()
            return Evening(laptop.number, laptop.head, time.perf_counter() - began, tries, talk.bytes, "", answer)
        talk.close()
        unsure = True
        limit = retry.BUSY_TRIES if busy else retry.TRIES if talk.met else 1
        if tries >= limit:
            return Evening(laptop.number, laptop.head, time.perf_counter() - began, tries, talk.bytes, fault, b"")
        await asyncio.sleep(busy + retry.backoff(tries, SYSTEM))


def _acknowledged(answer: bytes) -> int:
    """How far the server holds our commits: its first frame says so, whose dictionary is not needed if it is small."""
    length = int.from_bytes(answer[1:HEAD], "big")
    try:
        _, plain = FrameCodec().unpack_payload(answer[0], answer[HEAD : HEAD + length])
        return messages.decode_message(messages.Ack, plain).head
    except errors.FieldsyncError:
        return -1

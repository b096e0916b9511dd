"""The HTTP face of a replica: who asks, frames in, frames out, errors as statuses. Never SQL."""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import msgspec
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from fieldsync import errors
from fieldsync.crypto import age, chain
from fieldsync.crypto.keys import device_id, verify
from fieldsync.server import bodies
from fieldsync.server.connections import Unproved
from fieldsync.server.metrics import Metrics
from fieldsync.server.pace import Pace
from fieldsync.server.turns import MOST_TOGETHER, Turns
from fieldsync.store import Tx
from fieldsync.store.contract import Device, sees
from fieldsync.sync import heal, hints, past, quarantine, relay, renew
from fieldsync.sync import node as nodes
from fieldsync.sync.batches import Batch
from fieldsync.sync.node import Node
from fieldsync.sync.serving import Serving
from fieldsync.wire import messages
from fieldsync.wire.frames import OLDEST, PROTOCOL, Codec, Kind, Reader
from fieldsync.wire.messages import NONCE_HEADER, b64, unb64

SYNC = "/v1/sync"
HELLO_SECONDS = 30
BODY_SECONDS = 120  # between two pieces of a body
MAX_JOIN = 4_096
MOST_WAITING = 4  # frames that are read ahead of the store
MOST_AT_ONCE = 16 * 1024  # bytes of an answer that are made by turn
MOST_ANSWERING = 2  # longer answers that are made at the same moment
TIDY_SECONDS = 2
TIDY_ANYHOW = 60  # seconds after which the store is tidied although many still come
_TAG = 8


class Nonces:
    """Nonces that need no table: the moment of issue, and a tag that only this server can make."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, device: bytes, after: int) -> bytes:
        """Return a new nonce for a device, later than the last one it used."""
        issued = max(time.time_ns() // 1000, after + 1).to_bytes(8, "big")
        return issued + self._tag(device, issued)

    def moment(self, device: bytes, nonce: bytes) -> int | None:
        """Return when a nonce was issued to this device (microseconds), or None if it never was."""
        issued, tag = nonce[:8], nonce[8:]
        return int.from_bytes(issued, "big") if hmac.compare_digest(tag, self._tag(device, issued)) else None

    def _tag(self, device: bytes, issued: bytes) -> bytes:
        return hmac.digest(self._key, device + issued, hashlib.sha256)[:_TAG]


class App:
    """The routes over one open node."""

    def __init__(self, node: Node, unproved: Unproved | None = None) -> None:
        self.node = node
        self._unproved = Unproved() if unproved is None else unproved
        self.metrics = Metrics()
        with node.store.read() as tx:
            self._nonces = Nonces(tx.get("nonce_key"))
        self._plain = Codec()  # for hellos; they are read on the event loop's own thread
        self._codecs: tuple[bytes, dict[bytes, Codec]] = b"", {}
        self._turns = Turns(node.store)
        self.pace = Pace()
        self._answering = CapacityLimiter(MOST_ANSWERING)
        self._tidying: asyncio.Task[None] | None = None
        self.asgi = Starlette(
            routes=[
                Route(SYNC, self.sync, methods=["POST"]),
                Route("/v1/heal", self.heal, methods=["POST"]),
                Route("/v1/join", self.join, methods=["POST"]),
                Route(renew.PATH, self.renew, methods=["POST"]),
                Route("/health", self.health),
                Route("/metrics", self.show_metrics),
            ],
            exception_handlers={errors.FieldsyncError: self._refuse, ClientDisconnect: _gone, TimeoutError: _slow},  # type: ignore[dict-item]  # our own
        )

    # --- who asks ---

    def _admit(
        self, tx: Tx, method: str, path: str, query: str, authorization: str, hello: bytes
    ) -> tuple[Device, bytes]:
        """Return the device that signed this request, and its next nonce. UnknownDevice, BadSignature, Revoked, StaleNonce."""
        scheme, _, proof = authorization.partition(" ")
        parts = proof.split(".")
        if scheme != "FS" or len(parts) != 3:
            raise errors.BadSignature
        try:
            device, nonce, signature = map(unb64, parts)
        except ValueError as fault:
            raise errors.BadSignature from fault
        known = tx.device(device)
        if known is None or known.key is None:
            raise errors.UnknownDevice
        if not verify(known.key, chain.request_message(method, path, query, nonce, hello), signature):
            raise errors.BadSignature
        if known.state == "forked" and path != renew.PATH:
            raise errors.Forked(device=device.hex(), seq=known.head)
        if known.state not in ("enrolled", "forked"):
            raise errors.Revoked
        issued = self._nonces.moment(device, nonce)
        if issued is not None and tx.use_nonce(device, issued, self.node.clock()):
            return known, self._nonces.issue(device, issued)
        stale = errors.StaleNonce()
        stale.nonce = self._nonces.issue(device, tx.last_nonce(device))  # type: ignore[attr-defined]
        raise stale

    async def _opened(
        self, request: Request, frames: AsyncIterator[tuple[int, bytes, bytes]]
    ) -> tuple[Device, bytes, Serving]:
        async with asyncio.timeout(HELLO_SECONDS):
            tag, payload, whole = await _next(frames)
        kind, plain = self._plain.unpack(tag, payload)
        if kind is not Kind.HELLO:
            raise errors.BadFrame(reason="no hello")
        url = request.url
        proof = request.headers.get("authorization", "")
        # by turn, on the writer's connection: a reader's has to decrypt all anew after each write
        device, nonce = await self._turns.take(
            lambda tx: self._admit(tx, request.method, url.path, url.query, proof, whole)
        )
        self._proved(request)
        request.state.nonce = nonce  # a refusal from here on hands it out, too
        hello = messages.decode(messages.Hello, plain)

        def meet(tx: Tx) -> Serving:
            serving = Serving(self.node, device, hello, self._codec(tx, hello.dictionary))
            if url.path == SYNC:
                serving.meet(tx)
            return serving

        return device, nonce, await self._turns.take(meet, ahead=True)

    def _proved(self, request: Request) -> None:
        """Have a connection counted no more among those of strangers."""
        if request.client is not None:
            self._unproved.proved((request.client.host, request.client.port))

    def _codec(self, tx: Tx, dictionary: bytes) -> Codec:
        """Return the codec with the dictionary that a hello names: of our forms, present or past. OtherDictionary."""
        forms = tx.get(nodes.FORMS)
        if forms != self._codecs[0]:  # at the start, and when somebody published beside us
            self.node.renew(tx)
            self._codecs = forms, {name: Codec(known) for name, known in past.dictionaries(tx).items()}
        known = self._codecs[1].get(dictionary)
        if known is None:
            raise errors.OtherDictionary
        return known

    # --- routes ---

    async def sync(self, request: Request) -> Response:
        """Frames up, acknowledgement and frames down."""
        started = time.monotonic()
        frames = _frames(request)
        async with contextlib.aclosing(frames):
            _, nonce, serving = await self._opened(request, frames)
            await self._take(serving, frames)
        self.metrics.synced(serving.kept, serving.refused)
        task = BackgroundTask(self._after, started) if serving.kept else None
        turns = self._turns
        start, more = await turns.take(
            lambda tx: serving.begin(tx, MOST_AT_ONCE, compare=not turns.crowded), ahead=True
        )
        if more is None:
            return Response(start, headers={NONCE_HEADER: b64(nonce)}, background=task)
        return self._streamed(itertools.chain([start], _gathered(more)), nonce, task)

    def _streamed(self, frames: Iterator[bytes], nonce: bytes, task: BackgroundTask | None = None) -> Response:
        body = self._in_threads(frames)
        return StreamingResponse(body, headers={NONCE_HEADER: b64(nonce)}, background=task, media_type=None)

    async def _in_threads(self, frames: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Make an answer's pieces in threads: a few, as more would only stand in each other's way."""
        while (piece := await to_thread.run_sync(next, frames, None, limiter=self._answering)) is not None:
            yield piece

    async def _take(self, serving: Serving, frames: AsyncIterator[tuple[int, bytes, bytes]]) -> None:
        """Take the request's frames: while the store is at work, those that come next are read, and then taken together."""
        work: asyncio.Future[None] | None = None
        waiting: list[Batch] = []

        def turn(batches: list[Batch]) -> asyncio.Future[None]:
            weight = sum(len(batch.commits) for batch in batches)
            return asyncio.ensure_future(self._turns.take(lambda tx: serving.take_in(tx, batches), weight))

        try:
            async for tag, payload, _ in frames:
                batch = await run_in_threadpool(_read, serving, tag, payload)
                wait = self.pace.wait(batch.commits[0].device, len(batch.commits)) if batch.commits else 0
                if wait:  # what came before is taken meanwhile; nothing is acknowledged, nothing lost
                    if work is not None:
                        await work
                    if waiting:
                        work, waiting = turn(waiting), []
                    await asyncio.sleep(wait)
                waiting.append(batch)
                if work is not None and (work.done() or len(waiting) == MOST_WAITING):
                    await work
                    work = None
                if work is None:
                    work, waiting = turn(waiting), []
        finally:  # what came whole is kept, however the rest of the body ended
            if work is not None:
                await work
            if waiting:
                await turn(waiting)

    async def _after(self, started: float) -> None:
        self.metrics.seconds.observe(time.monotonic() - started)
        if self._tidying is None:
            self._tidying = asyncio.create_task(self._tidy())

    async def _tidy(self) -> None:
        """Compare what has arrived, and tidy the store, once those who come together have had their turns."""
        try:
            for _ in range(TIDY_ANYHOW // TIDY_SECONDS):
                await asyncio.sleep(TIDY_SECONDS)
                if self._turns.at_rest:
                    break
            while await self._turns.take(lambda tx: hints.compare_arrivals(self.node, tx), MOST_TOGETHER):
                pass  # a turn for each few: who comes meanwhile is served between them
            while await self._turns.take(lambda tx: quarantine.judge_due(self.node, tx), MOST_TOGETHER):
                pass
            await run_in_threadpool(self.node.store.tidy)
        finally:
            self._tidying = None

    async def heal(self, request: Request) -> Response:
        """Compare ranges of a channel's digests, and send what differs."""
        frames = _frames(request)
        async with contextlib.aclosing(frames):
            device, nonce, serving = await self._opened(request, frames)
            tag, payload, _ = await _next(frames)
        kind, plain = serving.codec.unpack(tag, payload)
        if kind is not Kind.ASK:
            raise errors.BadFrame(reason="no ask")
        ask = messages.decode(messages.Ask, plain)
        if device.pending:
            raise errors.DevicePending
        if not sees(device.grants, ask.unit):
            raise errors.UnitRefused(unit=ask.unit)
        self.metrics.heals.inc()
        return self._streamed(heal.answer(self.node, ask, serving.codec, contexts=serving.contexts), nonce)

    async def renew(self, request: Request) -> Response:
        """Enrol the device that a copied store goes on as."""
        frames = _frames(request)
        device, nonce, serving = await self._opened(request, frames)
        tag, payload, _ = await _next(frames)
        kind, plain = serving.codec.unpack(tag, payload)
        if kind is not Kind.RENEW:
            raise errors.BadFrame(reason="no renewal")
        asked = messages.decode(messages.RenewRequest, plain)
        letters, common = await run_in_threadpool(renew.enrol, self.node, device, asked)
        first = self._nonces.issue(device_id(asked.key), 0) if asked.key else b""
        answer = messages.RenewAnswer(letters, common, first, self.node.clock())
        frame = serving.codec.pack(Kind.RENEWED, messages.encode(answer))
        return Response(frame, headers={NONCE_HEADER: b64(nonce)})

    async def join(self, request: Request) -> Response:
        """Enrol a device that brings an invite."""
        body = b""
        async with asyncio.timeout(HELLO_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MAX_JOIN:
                    raise errors.TooLarge(what="request", limit=MAX_JOIN)
        answer = await run_in_threadpool(self._join, messages.decode(messages.JoinRequest, body))
        self._proved(request)
        return Response(Codec().pack(Kind.JOINED, messages.encode(answer)))

    def _join(self, asked: messages.JoinRequest) -> messages.JoinAnswer:
        if not OLDEST <= asked.protocol <= PROTOCOL:
            raise errors.BadVersion(what="protocol", theirs=asked.protocol, ours=PROTOCOL)
        if not verify(asked.key, chain.join_message(asked.invite, asked.secret, asked.key), asked.signature):
            raise errors.BadSignature
        if asked.age and not age.is_recipient(asked.age):
            raise errors.BadFrame(reason="age")
        now = self.node.clock()
        device = device_id(asked.key)
        with self.node.store.write() as tx:
            found = tx.invite(asked.invite)
            if found is None or not hmac.compare_digest(found[0], hashlib.sha256(asked.secret).digest()):
                raise errors.InviteInvalid(reason="unknown")
            _, person, grants, expires, used = found
            known = tx.device(device)
            if used is not None and used != device:
                raise errors.InviteInvalid(reason="used")
            if known is not None and known.state == "revoked":
                raise errors.Revoked
            if used is None:
                if now > expires:
                    raise errors.InviteInvalid(reason="expired")
                if known is not None and known.key is not None:
                    raise errors.InviteInvalid(reason="enrolled")
                tx.use_invite(asked.invite, now, device)
                first = relay.enrol(tx, asked, person, grants, now)
                tx.set_enrolled_by(device, self.node.device)
            else:  # the answer was lost
                assert known is not None
                first, grants = tx.get(f"lettered {device.hex()}") or 0, known.grants
            letters = getattr(tx.device(device), "letters", "")
            name, org = relay.own_name(self.node, tx), tx.get("org")
            schema = msgspec.json.decode(tx.get("schema_texts"), type=dict[str, str])
            own = age.recipient(tx.get("age"))
        self.metrics.joins.inc()
        return messages.JoinAnswer(
            org, self.node.serving_key.device, name, letters, person, tuple((g.unit, g.role) for g in grants),
            self._nonces.issue(device, 0), now, schema, first, own,
        )  # fmt: skip

    async def health(self, _request: Request) -> Response:
        """Say that the server is there and its store answers."""

        def look() -> int:
            with self.node.store.read() as tx:
                return len(tx.channels())

        await run_in_threadpool(look)
        return JSONResponse({"status": "ok", "protocol": PROTOCOL, "now": self.node.clock()})

    async def show_metrics(self, _request: Request) -> Response:
        """Figures for Prometheus."""
        return PlainTextResponse(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def _refuse(self, request: Request, error: errors.FieldsyncError) -> Response:
        if isinstance(error, errors.StoreBusy):
            error = errors.Busy()  # whoever asked may come again
        self.metrics.refusals.labels(error.code).inc()
        nonce = getattr(error, "nonce", None) or getattr(request.state, "nonce", None)
        headers = {NONCE_HEADER: b64(nonce)} if nonce is not None else {}
        return JSONResponse({"error": {"code": error.code, "facts": error.facts}}, error.status, headers)


def _read(serving: Serving, tag: int, payload: bytes) -> Batch:
    return serving.read(*serving.codec.unpack(tag, payload))


def _gathered(frames: Iterator[bytes]) -> Iterator[bytes]:
    """Put small frames together: a sync with nothing to do is one piece."""
    held = b""
    for frame in frames:
        held += frame
        if len(held) > 1_024:
            yield held
            held = b""
    if held:
        yield held


async def _frames(request: Request) -> AsyncGenerator[tuple[int, bytes, bytes], None]:
    reader = Reader()
    async with contextlib.aclosing(bodies.pieces(request, BODY_SECONDS)) as pieces:
        async for data in pieces:
            for frame in reader.feed(data):
                yield frame
    if reader.pending:
        raise errors.BadFrame(reason="cut")


async def _next(frames: AsyncIterator[tuple[int, bytes, bytes]]) -> tuple[int, bytes, bytes]:
    async for frame in frames:
        return frame
    raise errors.BadFrame(reason="no frame")


async def _slow(_request: Request, _error: TimeoutError) -> Response:
    return Response(status_code=408)


async def _gone(_request: Request, _error: ClientDisconnect) -> Response:
    return Response(status_code=499)

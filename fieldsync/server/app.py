"""The HTTP face of a replica: authenticates requests, passes frames in and out, maps errors to statuses. Never SQL."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from functools import partial
from typing import Any, NamedTuple

import msgspec
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from fieldsync import errors
from fieldsync.authority import form_texts
from fieldsync.core.grants import may_see_channel
from fieldsync.crypto import chain
from fieldsync.crypto.keys import device_id, verify_signature
from fieldsync.protocol import push_only, range_repair
from fieldsync.protocol.commit_frames import FrameCommits
from fieldsync.protocol.server import SyncServer
from fieldsync.replica import protocol_versions, schema_history
from fieldsync.replica.node import Node
from fieldsync.server import enrolment, request_frames
from fieldsync.server.connections import UnprovedConnections
from fieldsync.server.execution import Execution, ThreadExecution
from fieldsync.server.fleet_metrics import FleetFigures, WaitingWork, read_waiting_work
from fieldsync.server.health import StoreHealth, check_answers, check_writable, is_here
from fieldsync.server.maintenance import Maintenance
from fieldsync.server.metrics import ServerMetrics
from fieldsync.server.nonces import NonceIssuer
from fieldsync.server.rate_limit import RateLimit
from fieldsync.server.request_frames import Frame
from fieldsync.server.write_queue import WriteQueue
from fieldsync.store import Tx
from fieldsync.store.contract import Device
from fieldsync.topology import device_renewal
from fieldsync.topology.fleet import FleetDevice, list_fleet
from fieldsync.wire import messages, routes
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.messages import NONCE_HEADER, from_base64, to_base64
from fieldsync.wire.protocols import OLDEST, PROTOCOL, PULLS

HELLO_SECONDS = 30
MAX_JOIN = 4_096
MOST_WAITING = 4  # frames that are read ahead of the store
MOST_AT_ONCE = 16 * 1024  # bytes of an answer that are made by turn
_VERSION_DIGITS = 9  # of a protocol that a path may name
MOST_ANSWERING = 2  # longer answers that are made at the same moment


class ServerApp:
    """The routes over one open node."""

    def __init__(
        self, node: Node, unproved: UnprovedConnections | None = None, execution: Execution | None = None
    ) -> None:
        self.node = node
        self._execution = execution = execution or ThreadExecution()
        elapsed = node.environment.elapsed
        self._unproved = UnprovedConnections() if unproved is None else unproved
        self.metrics = ServerMetrics()
        with node.store.read() as tx:
            self._nonces = NonceIssuer(tx.settings.nonce_key, node.clock)
        self._plain = FrameCodec()  # for hellos; they are read on the event loop's own thread
        self._codecs: tuple[bytes, dict[bytes, FrameCodec]] = b"", {}
        self._turns = WriteQueue(node.store, execution)
        self.pace = RateLimit(elapsed)
        self._health = StoreHealth(partial(check_answers, node), elapsed, execution)
        self._readiness = StoreHealth(partial(check_writable, node), elapsed, execution)
        self._fleet = FleetFigures(self._look_at_fleet, elapsed)
        self._answering = CapacityLimiter(MOST_ANSWERING)
        self._maintenance = Maintenance(node, self._turns, execution)
        handlers: dict[Any, Any] = {  # each gets errors of its own kind, which Starlette's types do not say
            errors.FieldsyncError: self._refuse_request,
            ClientDisconnect: _gone_response,
            TimeoutError: _timeout_response,
        }
        self.asgi = Starlette(
            routes=[
                *self._routes(),
                Route("/v{version}/{request}", _other_version, methods=["POST"]),
                Route("/health", self.health),
                Route("/ready", self.ready),
                Route("/metrics", self.show_metrics),
            ],
            exception_handlers=handlers,
        )
        self.asgi.router.redirect_slashes = False  # there is one path for each request

    def _routes(self) -> Iterator[Route]:
        ends = {routes.SYNC: self.sync, routes.HEAL: self.heal, routes.JOIN: self.join, routes.RENEW: self.renew}
        for protocol in range(OLDEST, PROTOCOL + 1):
            for name, end in ends.items():
                yield Route(routes.request_path(name, protocol), end, methods=["POST"])

    # --- who asks ---

    def _admit_device(self, tx: Tx, asked: chain.SignedRequest, authorization: str) -> tuple[Device, bytes]:
        """Return the device that signed this request, and its next nonce. UnknownDevice, BadSignature, Revoked, StaleNonce."""
        scheme, _, proof = authorization.partition(" ")
        parts = proof.split(".")
        if scheme != "FS" or len(parts) != 3:
            raise errors.BadSignature
        try:
            device, nonce, signature = map(from_base64, parts)
        except ValueError as fault:
            raise errors.BadSignature from fault
        known = tx.device(device)
        if known is None or known.key is None:
            raise errors.UnknownDevice
        protocol, name = routes.parse_path(asked.path)
        signed = asked._replace(nonce=nonce)
        if not verify_signature(
            known.key, chain.signed_request(protocol, self.node.serving_key.device, signed), signature
        ):
            raise errors.BadSignature
        if known.state == "forked" and name != routes.RENEW:
            raise errors.Forked(device=device.hex(), seq=known.head)
        if known.state not in ("enrolled", "forked"):
            raise errors.Revoked
        issued = self._nonces.issue_time(device, nonce)
        if issued is not None and tx.use_nonce(device, issued, self.node.clock()):
            return known, self._nonces.issue_nonce(device, issued)
        stale = errors.StaleNonce()
        stale.nonce = self._nonces.issue_nonce(device, tx.last_nonce(device))  # type: ignore[attr-defined]
        raise stale

    async def _open_request(self, request: Request, frames: AsyncIterator[Frame]) -> "_OpenRequest":
        """Authenticate a request. Only a sync may have several frames after the hello: they are read as they arrive."""
        protocol, name = routes.parse_path(request.url.path)
        async with asyncio.timeout(HELLO_SECONDS):
            tag, payload, whole = await request_frames.first_frame(frames)
            rest = None if name == routes.SYNC else await request_frames.last_frame(frames)
        kind, plain = self._plain.unpack_payload(tag, payload)
        if kind is not FrameKind.HELLO:
            raise errors.BadFrame(reason="no hello")
        asked = chain.SignedRequest(
            request.method, request.url.path, request.url.query, b"", whole, None if rest is None else rest[2]
        )
        proof = request.headers.get("authorization", "")
        # by turn, on the writer's connection: a reader's has to decrypt all anew after each write
        device, nonce = await self._turns.run_work(lambda tx: self._admit_device(tx, asked, proof))
        self._note_proved(request)
        request.state.nonce = nonce  # a refusal from here on hands it out, too
        request.state.device = device.id.hex()  # for the log, as all that follows
        hello = messages.decode_message(messages.Hello, plain)

        def meet(tx: Tx) -> SyncServer:
            serving = SyncServer(self.node, device, hello, self._codec_of(tx, hello.dictionary))
            if serving.protocol != protocol:
                raise errors.BadFrame(reason="protocol")
            if name == routes.SYNC:
                serving.meet_device(tx)
            return serving

        serving = await self._turns.run_work(meet, ahead=True)
        return _OpenRequest(device, nonce, serving, None if rest is None else rest[:2])

    def _note_proved(self, request: Request) -> None:
        """Have a connection counted no more among those of strangers."""
        if request.client is not None:
            self._unproved.proved((request.client.host, request.client.port))

    def _codec_of(self, tx: Tx, dictionary: bytes) -> FrameCodec:
        """Return the codec with the dictionary that a hello names: of our forms, present or past. OtherDictionary."""
        forms = tx.settings.forms
        if forms != self._codecs[0]:  # at the start, and when somebody published beside us
            self.node.load_current_forms(tx)
            self._codecs = (
                forms,
                {name: FrameCodec(known) for name, known in schema_history.compression_dictionaries(tx).items()},
            )
        known = self._codecs[1].get(dictionary)
        if known is None:
            raise errors.OtherDictionary
        return known

    # --- routes ---

    async def sync(self, request: Request) -> Response:
        """Frames up, acknowledgement and frames down."""
        started = self.node.environment.elapsed()
        frames = request_frames.request_frames(request)
        async with contextlib.aclosing(frames):
            opened = await self._open_request(request, frames)
            serving, nonce = opened.serving, opened.nonce
            await self._take_frames(serving, frames)
        self.metrics.count_sync(serving.kept, serving.refused)
        request.state.commits, request.state.quarantined = serving.kept, serving.refused
        if serving.protocol < PULLS and await self._turns.run_work(
            lambda tx: push_only.has_nothing_to_hear(tx, serving)
        ):
            raise push_only.update_refusal(serving.protocol)
        task = BackgroundTask(self._after_sync, started) if serving.kept else None
        turns = self._turns
        start, more = await turns.run_work(
            lambda tx: serving.begin_answer(tx, MOST_AT_ONCE, compare=not turns.crowded), ahead=True
        )
        if more is None:
            return Response(start, headers={NONCE_HEADER: to_base64(nonce)}, background=task)
        return self._stream_response(itertools.chain([start], _join_small(more)), nonce, task)

    def _stream_response(self, frames: Iterator[bytes], nonce: bytes, task: BackgroundTask | None = None) -> Response:
        body = self._in_threads(frames)
        return StreamingResponse(body, headers={NONCE_HEADER: to_base64(nonce)}, background=task, media_type=None)

    async def _in_threads(self, frames: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Produce an answer's pieces in a few threads; more would only compete."""
        while (piece := await self._execution.run(next, frames, None, limiter=self._answering)) is not None:
            yield piece

    async def _take_frames(self, serving: SyncServer, frames: AsyncIterator[Frame]) -> None:
        """Take the request's frames: while the store is at work, those that come next are read, and then taken together."""
        work: asyncio.Future[None] | None = None
        waiting: list[FrameCommits] = []

        def turn(batches: list[FrameCommits]) -> asyncio.Future[None]:
            weight = sum(len(batch.commits) for batch in batches)
            return asyncio.ensure_future(self._turns.run_work(lambda tx: serving.take_commits_in(tx, batches), weight))

        try:
            async for tag, payload, _ in frames:
                batch = await self._execution.run(_read_frame, serving, tag, payload)
                wait = self.pace.waiting_seconds(batch.commits[0].device, len(batch.commits)) if batch.commits else 0
                if wait:  # what came before is taken meanwhile; nothing is acknowledged, nothing lost
                    if work is not None:
                        await work
                    if waiting:
                        work, waiting = turn(waiting), []
                    await self._execution.sleep(wait)
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

    async def _after_sync(self, started: float) -> None:
        self.metrics.seconds.observe(self.node.environment.elapsed() - started)
        self._maintenance.start()

    async def heal(self, request: Request) -> Response:
        """Compare ranges of a channel's digests, and send what differs."""
        frames = request_frames.request_frames(request)
        async with contextlib.aclosing(frames):
            opened = await self._open_request(request, frames)
        if opened.serving.protocol < PULLS:
            raise push_only.update_refusal(opened.serving.protocol)
        ask = messages.decode_message(messages.Ask, opened.only_frame(FrameKind.ASK, "no ask"))
        range_repair.check_question(ask)
        if opened.device.pending:
            raise errors.DevicePending
        if not may_see_channel(opened.device.grants, ask.unit):
            raise errors.UnitRefused(unit=ask.unit)
        self.metrics.heals.inc()
        answer = range_repair.answer_question(self.node, ask, opened.serving.codec, contexts=opened.serving.contexts)
        return self._stream_response(answer, opened.nonce)

    async def renew(self, request: Request) -> Response:
        """Enrol the successor of a copied store."""
        frames = request_frames.request_frames(request)
        async with contextlib.aclosing(frames):
            opened = await self._open_request(request, frames)
        asked = messages.decode_message(messages.RenewRequest, opened.only_frame(FrameKind.RENEW, "no renewal"))
        serving = opened.serving
        letters, common = await self._execution.run(
            device_renewal.enrol_successor, self.node, opened.device, asked, serving.protocol, serving.hello.grants
        )
        first = self._nonces.issue_nonce(device_id(asked.key), 0) if asked.key else b""
        answer = messages.RenewAnswer(letters, common, first, self.node.clock())
        frame = serving.codec.pack_frame(FrameKind.RENEWED, messages.encode(answer))
        return Response(frame, headers={NONCE_HEADER: to_base64(opened.nonce)})

    async def join(self, request: Request) -> Response:
        """Enrol a device that brings an invite."""
        body = b""
        async with asyncio.timeout(HELLO_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MAX_JOIN:
                    raise errors.TooLarge(what="request", limit=MAX_JOIN)
        asked = messages.decode_message(messages.JoinRequest, body)
        if (
            routes.parse_path(request.url.path)[0] != PROTOCOL
        ):  # who joins has a line and the office at hand: update first
            raise errors.PeerOutdated(what="protocol", theirs=asked.protocol, ours=PROTOCOL)
        answer = await self._execution.run(enrolment.enrol_device, self.node, asked)
        self.metrics.joins.inc()
        request.state.device = device_id(asked.key).hex()
        self._note_proved(request)
        codec = FrameCodec()
        told = msgspec.structs.replace(answer, schema={}, forms=True)
        joined = codec.pack_frame(FrameKind.JOINED, messages.encode(told))
        frames = itertools.chain([joined], form_texts.form_frames(codec, answer.schema))
        return StreamingResponse(self._in_threads(frames), media_type=None)

    async def health(self, request: Request) -> Response:
        """Report that the server is up and its store answers."""
        await self._slow_strangers(request)
        await self._health.check_store()
        return JSONResponse({"status": "ok", "protocol": PROTOCOL, "now": self.node.clock()})

    async def ready(self, request: Request) -> Response:
        """Report that the server can take a sync, for a load balancer: 503 or 507 where its store takes no writes."""
        await self._slow_strangers(request)
        await self._readiness.check_store()
        return JSONResponse({"status": "ready", "protocol": PROTOCOL})

    def _look_at_fleet(self) -> tuple[list[FleetDevice], WaitingWork]:
        with self.node.store.read() as tx:
            waiting = read_waiting_work(tx)
        return list_fleet(self.node), waiting

    async def _slow_strangers(self, request: Request) -> None:
        """Have strangers who ask without end wait."""
        seconds = self._health.waiting_seconds(request.client.host) if request.client is not None else 0
        if seconds:
            await self._execution.sleep(seconds)

    async def show_metrics(self, request: Request) -> Response:
        """Figures for Prometheus."""
        await self._slow_strangers(request)
        here = request.client is None or is_here(request.client.host)
        fleet = await self._execution.run(partial(self._fleet.to_text, each=here))
        return PlainTextResponse(self.metrics.to_text() + fleet, media_type="text/plain; version=0.0.4")

    async def _refuse_request(self, request: Request, error: errors.FieldsyncError) -> Response:
        if isinstance(error, errors.StoreBusy):
            error = errors.Busy()  # whoever asked may come again
        if isinstance(error, errors.Outdated):
            error = error.for_other_side()
        self.metrics.refusals.labels(error.code).inc()
        request.state.code = error.code
        nonce = getattr(error, "nonce", None) or getattr(request.state, "nonce", None)
        headers = {NONCE_HEADER: to_base64(nonce)} if nonce is not None else {}
        return JSONResponse({"error": {"code": error.code, "facts": error.facts}}, error.status, headers)


class _OpenRequest(NamedTuple):
    """An authenticated request; `rest` is the one frame after its hello, if it is not a sync."""

    device: Device
    nonce: bytes
    serving: SyncServer
    rest: tuple[int, bytes] | None

    def only_frame(self, kind: FrameKind, otherwise: str) -> bytes:
        """Return that frame's content; BadFrame if it is of another kind."""
        found, plain = self.serving.codec.unpack_payload(*self.rest or (0, b""))
        if found is not kind:
            raise errors.BadFrame(reason=otherwise)
        return plain


def _read_frame(serving: SyncServer, tag: int, payload: bytes) -> FrameCommits:
    return serving.read_frame(*serving.codec.unpack_payload(tag, payload))


def _join_small(frames: Iterator[bytes]) -> Iterator[bytes]:
    """Put small frames together: a sync with nothing to do is one piece."""
    held = b""
    for frame in frames:
        held += frame
        if len(held) > 1_024:
            yield held
            held = b""
    if held:
        yield held


async def _other_version(request: Request) -> Response:
    version = request.path_params["version"]
    if version.isascii() and version.isdecimal() and len(version) <= _VERSION_DIGITS:
        protocol_versions.check_protocol(int(version), oldest=OLDEST)
    return Response(status_code=404)


async def _timeout_response(_request: Request, _error: TimeoutError) -> Response:
    return Response(status_code=408)


async def _gone_response(_request: Request, _error: ClientDisconnect) -> Response:
    return Response(status_code=499)

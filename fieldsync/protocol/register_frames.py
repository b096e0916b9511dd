"""REGISTER frames: the trust register on its way down, proposals on their way up."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device, KnownServer
from fieldsync.topology.trust import exchange
from fieldsync.topology.trust.exchange import take_proposals
from fieldsync.trust.entries import Proposal, RegisterNews
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameCodec, FrameKind
from fieldsync.wire.protocols import TELLS_REGISTER

__all__ = ["answer_frames", "proposal_frames", "read_proposals", "register_position", "take_frame", "take_proposals"]


class _Exchange(Protocol):
    node: Node
    protocol: int
    codec: FrameCodec


class AskingClient(_Exchange, Protocol):
    """The side that asks."""

    server: KnownServer
    bundled: bool


class AnsweringServer(_Exchange, Protocol):
    """The side that answers."""

    device: Device
    hello: messages.Hello
    reading: Callable[[], AbstractContextManager[ReadTx]]
    writing: Callable[[], AbstractContextManager[Tx]]


def register_position(client: AskingClient, tx: ReadTx) -> tuple[int, int, int] | None:
    """Return how far the register is here, for a hello; None where the server does not tell it."""
    tells = client.protocol >= TELLS_REGISTER
    return exchange.position(tx, client.server.id) if tells else None


def proposal_frames(client: AskingClient) -> Iterator[bytes]:
    """Yield the proposals that wait here."""
    if client.protocol < TELLS_REGISTER or client.bundled:
        return
    with client.node.store.read() as tx:
        proposals = exchange.proposals_up(tx, client.server.id)
    if proposals is not None:
        yield client.codec.pack_frame(FrameKind.REGISTER, messages.encode(proposals), large=True)


def take_frame(client: AskingClient, news: RegisterNews) -> None:
    """Take a frame of the register."""
    with client.node.store.write() as tx:
        exchange.take_news(tx, client.server.id, news, client.node.clock())


def read_proposals(payload: bytes) -> tuple[Proposal, ...]:
    """Return the proposals of a frame that came up. BadFrame."""
    return messages.decode_message(RegisterNews, payload).proposals


def answer_frames(serving: AnsweringServer) -> Iterator[bytes]:
    """Yield what the device lacks of the register."""
    asked = serving.hello.register
    if asked is None or serving.protocol < TELLS_REGISTER or serving.device.pending:
        return
    with serving.writing() as tx:
        head = exchange.current_head(tx, serving.node.clock())
    if head is None:
        return
    with serving.reading() as tx:
        news = list(exchange.news_for(tx, serving.device, asked, head))
    for one in news:
        yield serving.codec.pack_frame(FrameKind.REGISTER, messages.encode(one), large=True)

"""The answer to an older program: how far the server holds its commits, and nothing to read.

Signatures of protocol 1 name no server, so the answering server cannot know for whom they were made. The reasons for this answer
to 0.1 programs: docs/decisions/0036-older-versions.md.
"""

from collections.abc import Collection, Iterator

from fieldsync import errors
from fieldsync.core.grants import covering_grant
from fieldsync.protocol import ack_frames
from fieldsync.protocol.answering import DeviceAnswer
from fieldsync.store import ReadTx
from fieldsync.store.contract import Device
from fieldsync.topology import upstream
from fieldsync.wire import messages
from fieldsync.wire.frames import FrameKind
from fieldsync.wire.protocols import PROTOCOL

_PART = 200
_UNREADABLE = {"update.toml": "update = 2"}  # forms that make a program of 0.1 say in its status: update, then sync
_NO_CHANNEL = 0, -1  # a digest and count that no channel has, so that it asks to compare: that request can be refused


def update_refusal(protocol: int) -> errors.PeerOutdated:
    """Return the error that asks the other side to update."""
    return errors.PeerOutdated(what="protocol", theirs=protocol, ours=PROTOCOL)


def has_nothing_to_hear(tx: ReadTx, serving: DeviceAnswer) -> bool:
    """Return whether there is nothing to report on a laptop's commits, so that only the update notice is left."""
    hello = serving.hello
    if serving.relays or hello.where or serving.kept:
        return False
    return hello.receipt == tx.log_head(serving.device.id) and not tx.verdicts_since(hello.refused, serving.device.id)


def answer_push(serving: DeviceAnswer, carried: Collection[bytes], epoch: bytes, *, by_stick: bool) -> Iterator[bytes]:
    """Yield how far the commits are held and which are quarantined; for a branch also its devices' and their revocations."""
    hello, codec = serving.hello, serving.codec
    with serving.reading() as tx:
        device = tx.device(serving.device.id)
        assert device is not None
        judged = tx.verdicts_since(hello.refused, device.id)
        parts = list(_branch_parts(tx, device, hello, carried, by_stick=by_stick)) if serving.relays else []
    refused = tuple((seq, code, facts) for _, _, seq, code, facts in judged)
    ack = messages.Ack(
        serving.node.clock(), device.head, (device.chain or b"")[:8], refused,
        schema=_UNREADABLE if by_stick else None, epoch=epoch if epoch != hello.epoch else b"",
    )  # fmt: skip
    for frame in ack_frames.ack_frames(codec, ack, [arrival for arrival, *_ in judged]):
        yield frame
        if hello.budget:
            break
    for part in parts:
        yield codec.pack_frame(FrameKind.PEER, messages.encode(part))
    yield codec.pack_frame(FrameKind.END, messages.encode(_end_frame(hello, by_stick=by_stick)))


def _end_frame(hello: messages.Hello, *, by_stick: bool) -> messages.End:
    """Return an END that moves no cursor: with one channel of another digest, or partial if there is none."""
    if hello.where:
        return messages.End()
    still = [(unit, taken) for unit, taken, whole in hello.cursors if taken == whole]
    if hello.budget or by_stick or not still:
        return messages.End(partial=True, ahead=hello.ahead)
    unit, taken = still[0]
    return messages.End((messages.Summary(unit, taken, *_NO_CHANNEL),))


def _branch_parts(
    tx: ReadTx, branch: Device, hello: messages.Hello, carried: Collection[bytes], *, by_stick: bool
) -> Iterator[messages.Peer]:
    """Yield the data that keeps a branch from sending twice, and its revoked devices."""
    within = [
        one
        for one in tx.devices()
        if one.key is not None
        and one.id != branch.id
        and (
            one.id in carried or (one.grants and all(covering_grant(branch.grants, grant.unit) for grant in one.grants))
        )
    ]
    locked = [
        messages.Enrolment(one.id, one.key or b"", one.letters or "", "", (), one.state, 0, 0)
        for one in within
        if one.state != "enrolled"
    ]
    asked = [one for one in within if hello.where or by_stick or one.id in carried]
    told = {one.id for one in asked}
    refused = [(one, seq, code, facts) for _, one, seq, code, facts in tx.verdicts_since(hello.judged) if one in told]
    heads = list(upstream.heads_of(tx, asked, tx.peer_settings(branch.id).carried))
    parted = tuple(
        (one.id, after, last, link[:8])
        for one in asked
        if one.state != "enrolled"
        for _, after, last, link in tx.other_histories(one.id)
    )
    for start in range(0, len(locked), _PART):
        yield messages.Peer(tuple(locked[start : start + _PART]))
    for start in range(0, len(heads), _PART):
        yield messages.Peer(heads=tuple(heads[start : start + _PART]))
    if parted:
        yield messages.Peer(parted=parted)
    for start in range(0, len(refused), _PART):
        yield messages.Peer(refused=tuple(refused[start : start + _PART]))
    yield messages.Peer(mark=tx.peer_settings(branch.id).mark)

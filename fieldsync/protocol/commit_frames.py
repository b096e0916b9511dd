"""Decoding of a request's COMMITS frame: its commits with the bytes that were signed. Needs no store."""

from collections.abc import Container

from msgspec import Struct

from fieldsync import errors
from fieldsync.core.commit import MAX_BODY, Commit, OpaqueCommit
from fieldsync.core.commit import decode_stored as read_body
from fieldsync.trust.entries import Proposal
from fieldsync.wire import messages, row_batches
from fieldsync.wire.protocols import CARRIES_UNREAD, FILLS_FRAMES

MOST_COMMITS = 2_000
"""Commits in one frame of a device's own, from protocol 2 on."""
MOST_BEFORE = 4_096
"""The same of protocol 1, and of a branch: it passes on what laptops of release 0.1 sealed as one."""

Read = Commit | OpaqueCommit


class FrameCommits(Struct, frozen=True):
    """A frame's commits with their bytes and seal: read, and not yet checked against the store."""

    commits: list[Read]
    bodies: list[bytes]
    seal: bytes
    peer: messages.Peer | None = None
    forms: messages.Forms | None = None
    proposals: tuple[Proposal, ...] = ()


def read_batch(
    payload: bytes, sender: bytes, *, relays: bool, protocol: int, bundled: bool, former: Container[bytes] = ()
) -> FrameCommits:
    """Return a frame's commits: one device's, contiguous, the sender's own unless it `relays`. BadFrame, TooLarge.

    `bundled` commits may be older than any limit; `former` are the former identities of the sender.
    """
    message = messages.decode_message(messages.OpaqueCommits, payload)
    own = message.device == sender
    most = (
        row_batches.MAX_ROWS
        if bundled
        else MOST_COMMITS
        if own and not relays and protocol >= FILLS_FRAMES
        else MOST_BEFORE
    )
    found, bodies = _commits_with_bodies(message, most, opaque=protocol >= CARRIES_UNREAD)
    if not found or not (own or relays or message.device in former) or any(c.device != message.device for c in found):
        raise errors.BadFrame(reason="device")
    seqs = [c.seq for c in found]
    if seqs != list(range(seqs[0], seqs[0] + len(seqs))):
        raise errors.BadFrame(reason="not contiguous")
    return FrameCommits(found, bodies, message.seal)


def _commits_with_bodies(message: messages.OpaqueCommits, most: int, *, opaque: bool) -> tuple[list[Read], list[bytes]]:
    """Return a frame's commits and their bytes, those that cannot be read at their places among the others."""
    known, bodies = row_batches.unpack_bodies(message.rows, most) if message.rows else ([], [])
    if not message.opaque or not opaque:
        return list(known), bodies
    if len(known) + len(message.opaque) > most:
        raise errors.TooLarge(what="rows", limit=most)
    found: dict[int, tuple[Read, bytes]] = {c.seq: (c, body) for c, body in zip(known, bodies, strict=True)}
    for seq, body in message.opaque:
        if len(body) > MAX_BODY:
            raise errors.TooLarge(what="commit", limit=MAX_BODY)
        if seq in found or seq < 1 or read_body(body) is not None:  # what can be read has one way to come
            raise errors.BadFrame(reason="opaque")
        found[seq] = OpaqueCommit.from_body(message.device, seq, body), body
    ordered = [found[seq] for seq in sorted(found)]
    return [one for one, _ in ordered], [body for _, body in ordered]

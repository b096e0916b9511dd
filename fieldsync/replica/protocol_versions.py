"""The protocol version of each server: remembered and never lowered (docs/decisions/0036-older-versions.md)."""

from fieldsync import errors
from fieldsync.store import ReadTx, Tx
from fieldsync.wire.protocols import OLDEST, PROTOCOL


def newest_spoken(tx: ReadTx, node: bytes) -> int | None:
    """Return the newest protocol that this node has ever spoken with another one; None before the first exchange."""
    return tx.peer_settings(node).protocol


def remember_protocol(tx: Tx, node: bytes, protocol: int) -> None:
    """Store another node's protocol; it is never lowered."""
    if protocol > (newest_spoken(tx, node) or 0):
        tx.peer_settings(node).protocol = protocol


def check_protocol(theirs: int, *, oldest: int = OLDEST) -> None:
    """Refuse a protocol that this server does not speak: BadVersion where it is newer, PeerOutdated where it is older."""
    if theirs > PROTOCOL:
        raise errors.BadVersion(what="protocol", theirs=theirs, ours=PROTOCOL)
    if theirs < oldest:
        raise errors.PeerOutdated(what="protocol", theirs=theirs, ours=PROTOCOL)


def common_protocol(theirs: int) -> int:
    """Return the protocol for a server that states its newest. PeerOutdated."""
    check_protocol(min(theirs, PROTOCOL))
    return min(theirs, PROTOCOL)

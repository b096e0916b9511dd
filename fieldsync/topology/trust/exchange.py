"""The trust register between two nodes: what a server tells, what its devices believe of it, and proposals that go up.

A server tells whole entries up to headquarters' signed head; a node that finds a fault in them keeps what it had and says so.
"""

from collections.abc import Iterator, Sequence

from fieldsync.core.grants import is_branch
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device
from fieldsync.store.node_notes import RegisterFault
from fieldsync.topology.trust import device_certificates
from fieldsync.topology.trust import register as trust_register
from fieldsync.trust import entries
from fieldsync.trust.bodies import Kind
from fieldsync.trust.entries import Proposal, RegisterHead, RegisterNews, SignedEntry, SignedHead

_AT_ONCE = 256
"""Entries in one frame: fewer than 256 KiB."""

_MOST_PROPOSALS = 256


def position(tx: ReadTx, server: bytes) -> tuple[int, int, int] | None:
    """Return how far this node holds the register, for a hello to a server; None where it knows no organisation."""
    if not tx.settings.organisation:
        return None
    known = read_head(tx)
    number = tx.peer_settings(server).register_cursor if tx.settings.kind == "laptop" else tx.trust_count()
    return (0, number, 0) if known is None else (known.epoch, number, known.at)


def read_head(tx: ReadTx) -> RegisterHead | None:
    """Return headquarters' last word on the register that this node has verified."""
    kept = tx.settings.register_head
    return entries.decode_head(kept[0]) if kept is not None else None


def current_head(tx: Tx, now: int) -> SignedHead | None:
    """Return the head that this server tells: its own at headquarters, which certifies what changed; else the one it was told."""
    if trust_register.orders(tx):
        device_certificates.certify_changes(tx, now)
        return trust_register.current_head(tx, now)
    kept = tx.settings.register_head
    return None if kept is None else SignedHead(*kept)


def news_for(tx: ReadTx, device: Device, asked: tuple[int, int, int], signed: SignedHead) -> Iterator[RegisterNews]:
    """Yield the head and the entries that a device lacks, in frames; a branch gets all kinds, others those that everybody holds.

    A device that lacks none gets a head once an hour.
    """
    head = entries.decode_head(signed.head)
    if asked[:2] == (head.epoch, head.count) and head.at < asked[2] + trust_register.HEAD_MS:
        return
    kinds = None if is_branch(device.grants) else (*trust_register.FULLY_HELD,)
    number = asked[1]
    while found := tx.trust_entries_from(number, _AT_ONCE, kinds):
        yield RegisterNews(None, tuple(SignedEntry(one.entry, one.signature) for one in found))
        number = found[-1].number + 1
    own = () if kinds is None else tx.trust_entries_about(Kind.DEVICE, device.id)[:1]
    yield RegisterNews(signed, tuple(SignedEntry(one.entry, one.signature) for one in own if one.number >= asked[1]))


def take_news(tx: Tx, server: bytes, news: RegisterNews, now: int) -> None:
    """Verify and keep what a server tells of the register, or note what is wrong with it. BadFrame."""
    laptop = tx.settings.kind == "laptop"
    fault = trust_register.take_entries(tx, news.entries, all_kinds=not laptop)
    if fault is not None:
        tx.settings.register_fault = RegisterFault(server, fault.number, fault.reason, now)
        return
    if news.head is None:
        return
    head, known = entries.decode_head(news.head.head), read_head(tx)
    if known is not None and (head.epoch, head.count, head.at) < (known.epoch, known.count, known.at):
        return  # from an older answer: nothing in it is news
    reason = _check_head(tx, news.head, all_kinds=not laptop)
    if reason is not None:
        tx.settings.register_fault = RegisterFault(server, tx.trust_count(), reason, now)
        return
    tx.settings.register_head = (news.head.head, news.head.signature)
    tx.peer_settings(server).register_cursor = head.count
    tx.settings.register_fault = None


def _check_head(tx: ReadTx, signed: SignedHead, *, all_kinds: bool) -> str | None:
    """Return what is wrong with a head: headquarters has not signed it, or this node's entries are not those that it names."""
    head = entries.decode_head(signed.head)
    register = trust_register.open_register(tx, head.at)
    if register is None:
        return "gap"
    if not entries.is_head_signed(tx.settings.organisation, signed, register.state.headquarters):
        return "signature"
    held, named = tx.trust_hashes(), dict(head.last)
    kinds = tuple(Kind) if all_kinds else trust_register.FULLY_HELD
    return None if all(held.get(kind) == named.get(kind) for kind in kinds) else "gap"


def proposals_up(tx: ReadTx, server: bytes) -> RegisterNews | None:
    """Return the proposals that wait here for headquarters, as a frame going up; none to a server that tells no register."""
    found = tx.trust_proposals()[:_MOST_PROPOSALS] if tx.peer_settings(server).register_cursor else []
    return RegisterNews(proposals=tuple(entries.decode_proposal(one.proposal) for one in found)) if found else None


def take_proposals(tx: Tx, proposals: Sequence[Proposal], now: int) -> None:
    """Order the proposals of a device, or keep them for headquarters; those that no known key signed are passed over."""
    register = trust_register.open_register(tx, now)
    if register is None:
        return
    for one in proposals[:_MOST_PROPOSALS]:
        signers = entries.signers_of(tx.settings.organisation, one)
        if any(register.knows_key(key) for key in signers):
            trust_register.take_proposal(tx, one, now)

"""The last contact with each device and its report then: stored by its server, and passed on to the upstream servers.

A branch tells of a contact until the upstream server says that it has taken it; a server takes from a branch what is about devices that
are the branch's business.
"""

from collections.abc import Iterator

from fieldsync.replica.node import Node
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device
from fieldsync.store.node_notes import Contact
from fieldsync.topology import enrolments
from fieldsync.wire.messages import Hello, Peer
from fieldsync.wire.node_reports import ReportBelow

_PART = 100  # reports in one frame, each of the longest


def note_contact(tx: Tx, device: bytes, hello: Hello, skew: int, now: int) -> None:
    """Record a contact with a device whose clock is `skew` milliseconds ahead."""
    _keep_contact(tx, device, Contact(0, now, skew, hello.report), now)


def _keep_contact(tx: Tx, device: bytes, contact: Contact, now: int) -> None:
    number = max(tx.settings.last_contact + 1, now)  # later than any number that a store had which was restored
    tx.settings.last_contact = number
    tx.set_contacted(device, number)
    tx.peer_settings(device).contact = Contact(number, contact.at, contact.skew, contact.report, contact.via)


def report_frames(tx: ReadTx, node: Node, server: bytes) -> Iterator[Peer]:
    """Yield contacts with devices below this branch that an upstream server has not acknowledged."""
    told = tx.peer_settings(server).reported_cursor
    fresh = []
    for device in tx.devices_contacted(told):
        contact = tx.peer_settings(device).contact
        if contact is not None and device not in (node.device, server) and tx.device(device) is not None:
            fresh.append(ReportBelow(contact.number, device, contact.at, contact.skew, contact.report))
    for start in range(0, len(fresh), _PART):
        yield Peer(reports=tuple(fresh[start : start + _PART]))


def note_reported(tx: Tx, server: bytes, number: int) -> None:
    """Record how many of these reports an upstream server has stored; a number that this store never gave counts as 0."""
    tx.peer_settings(server).reported_cursor = number if number <= tx.settings.last_contact else 0


def take_reports(tx: Tx, branch: Device, peer: Peer, now: int) -> None:
    """Store a branch's reports on devices in its units, or whose commits it has brought; the later contact counts."""
    if not peer.reports:
        return
    settings = tx.peer_settings(branch.id)
    brought = settings.carried
    for said in peer.reports:
        device = tx.device(said.device)
        if device is None or not (said.device in brought or enrolments.is_within(branch, device)):
            continue
        at, before = min(said.at, now), tx.peer_settings(said.device).contact
        if before is None or before.at < at:
            _keep_contact(tx, said.device, Contact(0, at, said.skew, said.report, branch.id), now)
    settings.reports_taken = peer.reports[-1].number

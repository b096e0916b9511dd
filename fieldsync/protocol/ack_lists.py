"""The lists in an acknowledgement, and how a device stores them."""

from typing import Protocol

from fieldsync.protocol.tally import SyncTally
from fieldsync.replica.node import Node
from fieldsync.store import Tx
from fieldsync.store.contract import KnownServer
from fieldsync.topology import clock_skew, duplicate_hints, reserved_entries, server_verdicts
from fieldsync.wire import messages


class AckingClient(Protocol):
    """One exchange with one server."""

    node: Node
    server: KnownServer
    tally: SyncTally
    branch: bool


def apply_lists(client: AckingClient, tx: Tx, ack: messages.Ack) -> None:
    """Store the lists of an acknowledgement, and its position."""
    node, known = client.node, tx.peer_settings(client.server.id)
    if ack.reserved:
        reserved_entries.store_entries(tx, reserved_entries.DOWN, ack.reserved, node.clock())
        known.reserved_cursors[reserved_entries.DOWN] = ack.reserved[-1].number
    if ack.clocks:
        clock_skew.apply_notes(tx, node, ack.clocks)
        known.clocks_cursor = ack.clocks[-1][0]
    if ack.elsewhere or ack.pairs:
        client.tally.elsewhere += duplicate_hints.note_hints(tx, ack.elsewhere)
    if ack.pairs:
        known.pairs_cursor = ack.pairs
    if ack.units is not None:
        known.units = ack.units
    for seq, code, facts in ack.refused:
        server_verdicts.take_verdict(node, tx, client.server.id, seq, code, facts)
    client.tally.refused += sum(bool(code) for _, code, _ in ack.refused)
    client.tally.taken_after_all += sum(not code for _, code, _ in ack.refused)
    if ack.refusals:
        known.refused_cursor = ack.refusals
    for _, device, letters, person, units in ack.devices:
        tx.name_device(device, letters, person, units)
    if ack.devices and not client.branch:  # a branch gets them whole, in a frame of their own
        known.devices_cursor = ack.devices[-1][0]
    if ack.receipts:
        saved = tx.log_head(node.device)
        for _, server, seq, at in ack.receipts:
            if seq <= saved:  # nobody has what was never saved
                tx.set_acknowledged(server, node.device, seq, at)
        known.receipts_cursor = ack.receipts[-1][0]

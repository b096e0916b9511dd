"""Release by a branch: a record that left its units is deleted once the upstream holds all writes to it and all laptops know.

Until then a late edit finds its record, and a syncing laptop is instructed to release it.
"""

from collections.abc import Container, Mapping, Sequence

from fieldsync.core.commit import state_of
from fieldsync.core.grants import may_see_channel
from fieldsync.core.units import LEFT
from fieldsync.replica import commit_writer, merge_arrivals
from fieldsync.replica.apply import apply_states
from fieldsync.replica.lookup import RelatedRecords
from fieldsync.replica.node import Node
from fieldsync.store import Tx
from fieldsync.store.contract import RecordQuery, Row
from fieldsync.topology import upstream
from fieldsync.topology.accepted_upstream import apply_accepted
from fieldsync.topology.sender import Sender
from fieldsync.topology.server_verdicts import GRANT_CODES, OPEN_CODES
from fieldsync.wire import messages


def release_departed(sender: Sender, tx: Tx) -> None:
    """Purge records that no device here needs any more; quarantined commits of records elsewhere are judged by the upstream server."""
    channels = tx.channels()
    hidden = {one.n for one in channels if not may_see_channel(sender.grants, one.unit)}
    unsent: set[bytes] | None = None
    lowest: dict[str, int] | None = None
    units = {one.n: one.unit for one in channels}
    for channel in channels:
        if channel.n not in hidden or not channel.records:
            continue
        if unsent is None or lowest is None:
            unsent, lowest = upstream.unsent_records(sender, tx), _arrivals_taken(sender, tx, list(units.values()))
        rows = [
            row
            for row in tx.select_rows(RecordQuery(channel=channel.n))
            if hidden.issuperset(row.channels)
            and row.state.record not in unsent
            and all(lowest.get(units[n], arrival) >= arrival for n, arrival in tx.departure_entries(row.n))
        ]
        _note_departures(tx, rows)
        _purge_rows(tx, rows)
    _accept_unnamed(sender, tx)


def _note_departures(tx: Tx, rows: Sequence[Row]) -> None:
    """Keep which channels records left: a laptop may get them again from the upstream server, which has not heard of it yet."""
    left: dict[int, list[bytes]] = {}
    for row in rows:
        for channel, _ in tx.departure_entries(row.n):
            left.setdefault(channel, []).append(row.state.record)
    for channel, records in left.items():
        tx.note_unheld(channel, records)


def _accept_unnamed(sender: Sender, tx: Tx) -> None:
    """Accept commits quarantined here that the upstream server, having sent all its refusals, holds without one."""
    for device, seqs in tx.waiting_commits().items():
        held = tx.acknowledged_seq(sender.server.id, device)
        codes = {seq: code for seq, code, _ in tx.refusals(device)}
        told = [seq for seq in seqs if seq <= held and codes.get(seq) not in OPEN_CODES]
        unnamed = {seq for seq in told if codes.get(seq) in GRANT_CODES}
        unnamed.update(_seqs_outside(sender, tx, device, [seq for seq in told if seq not in unnamed]))
        for seq in sorted(unnamed):
            tx.accept_commit(device, seq)
        apply_accepted(sender.node, tx, {device: sorted(unnamed)})


def _seqs_outside(sender: Sender, tx: Tx, device: bytes, seqs: Sequence[int]) -> list[int]:
    """Return those of a device's commits whose records are in none of this branch's units: these get no state from above."""
    about = {one.seq: one.record for seq in seqs for one in tx.commits_behind(device, seq - 1, 1)}
    inside = {one.n for one in tx.channels() if may_see_channel(sender.grants, one.unit)} if about else set()
    here = {record for record, row in tx.rows(set(about.values())).items() if not inside.isdisjoint(row.channels)}
    return [seq for seq, record in about.items() if record not in here]


def release_from_laptop(node: Node, tx: Tx, rows: Sequence[Row], unit: str | None = None) -> None:
    """Delete records that left a laptop's units; those with unapplied commits stay, outside all channels, until that changes.

    The names of deleted records are kept in memory only, for one message: the store keeps none.
    """
    kept = tx.unapplied_records() if rows else set()
    gone = [row for row in rows if row.state.record not in kept]
    tx.note_departed(gone, unit)
    related = RelatedRecords(node, tx)
    node.departed_names.update((row.state.record, related.name_of(row)) for row in gone)
    tx.release_records(row for row in rows if row.state.record in kept and row.channels != [tx.departed_channel])
    _purge_rows(tx, gone)
    if gone:
        tx.settings.purges += 1
    commit_writer.forget_replaced_values(tx, [row.state.record for row in gone])
    merge_arrivals.reopen_after_release(tx, kept)


def _purge_rows(tx: Tx, rows: Sequence[Row]) -> None:
    tx.purge_records(rows)
    merge_arrivals.reopen_after_release(tx, [row.state.record for row in rows])


def take_returned(node: Node, tx: Tx, rows: Mapping[bytes, Row], before: Container[bytes]) -> None:
    """Restore to records that are new here (not `before`) the local data that was deleted with them."""
    new = {record: row for record, row in rows.items() if record not in before}
    heads = {device.id: device.head for device in tx.devices_with_commits()} if new else {}
    if not heads:
        return  # nothing is new, or nothing was ever written here
    rejoin_logged(node, tx, new)
    for row in new.values():  # what made it came through here: its author has released it too
        base = row.state.base
        if base is not None and base.seq <= heads.get(base.device, 0):
            tx.add_gone_entry(tx.channel_number(LEFT), row.n)


def rejoin_logged(node: Node, tx: Tx, rows: Mapping[bytes, Row]) -> None:
    """Join records with their applied commits in the log: a restored upstream server may still lack some."""
    quarantined = {dot for record in rows for dot in tx.verdicts_on_record(record)}
    found = (one for record in rows for one in tx.commits_of(record, refused=False))
    logged = (one.commit() for one in found if (one.device, one.seq) not in quarantined)
    states = [node.rules.upgrade_state(state_of(said)) for said in logged if said is not None]
    if states:
        apply_states(tx, node.rules, states, index=node.is_laptop, known=dict(rows))


def _arrivals_taken(sender: Sender, tx: Tx, units: list[str]) -> dict[str, int]:
    """Return the sequence number of each unit that all devices have reached, by their last contacts.

    A device that never synced here has nothing from here; a revoked one gets nothing any more.
    """
    lowest: dict[str, int] = {}
    for device in tx.devices_with_hello():
        told = tx.last_hello(device.id)
        if told is None or device.state != "enrolled" or device.id in (sender.node.device, sender.server.id):
            continue
        taken = {unit: arrival for unit, arrival, _ in messages.decode_message(messages.Hello, told).cursors}
        for unit in units:
            if may_see_channel(device.grants, unit):
                lowest[unit] = min(taken.get(unit, 0), lowest.get(unit, 1 << 63))
    return lowest

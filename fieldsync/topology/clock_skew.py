"""Clock skew: a server notices wrong clocks at each contact and marks the commits stamped by one.

The marks travel down, and every node that has them sends ties with these commits to review.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from fieldsync.core import stamp
from fieldsync.core.commit import Commit, OpaqueCommit
from fieldsync.core.settle import candidate_heads
from fieldsync.replica import merge_arrivals
from fieldsync.replica.apply import device_facts, settle_row
from fieldsync.replica.node import Node
from fieldsync.replica.placement import Touched
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Device, Row
from fieldsync.topology import enrolments

_MOST = 1 << 53
Heard = tuple[bytes, int, int, int]  # a note as a branch tells it, without the number
Note = tuple[
    int, bytes, int, int, int
]  # number, device, its first and last commit, milliseconds that its clock was ahead


def clock_skew(theirs: int, ours: int) -> int:
    """Return how far a clock is ahead of ours (milliseconds), clamped to the storable range."""
    return max(-_MOST, min(_MOST, theirs - ours))


def skew_of_bundle(made: int, heard: int, now: int) -> int:
    """Return how far off the clock that stamped a bundle is known to be, 0 where nothing is known: its way may have taken weeks.

    `heard`: the newest server time that its sender knows; one ahead of our own time proves nothing.
    """
    if made - now > stamp.TOLERANCE_MS:
        return clock_skew(made, now)
    return clock_skew(made, heard) if made + stamp.TOLERANCE_MS < heard <= now else 0


def note_skew(tx: Tx, fresh: Sequence[Commit | OpaqueCommit], off: int, now: int) -> None:
    """Note which of a device's new commits cannot be trusted: all, when its clock is `off`; or those stamped in time to come."""
    wrong = abs(off) > stamp.TOLERANCE_MS
    for one in fresh:
        ahead = stamp.milliseconds(one.stamp) - now
        if wrong or ahead > stamp.TOLERANCE_MS:
            tx.note_clock(one.device, one.seq, off if wrong else ahead)


def from_branch(tx: ReadTx, branch: Device, notes: Sequence[Heard], brought: Mapping[bytes, int]) -> Iterator[Heard]:
    """Yield a branch's notes as far as they are about commits that are here, of devices within its units or such as it has brought."""
    for one, first, last, off_by in notes:
        device = tx.device(one)
        if device is None:
            continue
        end = min(last, device.head if enrolments.is_within(branch, device) else brought.get(one, 0))
        if 0 < first <= end:
            yield one, first, end, off_by


def take_notes_from_above(tx: Tx, node: Node, notes: Sequence[Heard]) -> None:
    """Take over notes of commits that are here."""
    about = {record for device, first, last, _ in notes for record in tx.records_by(device, first, last)}
    apply_notes(tx, node, [(0, *one) for one in notes], tx.rows(about).values())


def apply_notes(tx: Tx, node: Node, notes: Sequence[Note], about: Iterable[Row] | None = None) -> None:
    """Store another server's clock notes, and settle again the records with ties concerned (all records, if not given)."""
    for _, device, first, last, off_by in notes:
        tx.note_clock(device, first, clock_skew(off_by, 0), last)
    facts = device_facts(tx)
    told = {device for _, device, _, _, _ in notes}
    changed: Touched = {}
    for row in tx.select_rows() if about is None else about:
        heads_of = {name: candidate_heads(register) for name, register in row.state.fields.items()}
        tied = [name for name, heads in heads_of.items() if len(heads) > 1]
        heads = (head for name in tied for head in heads_of[name])
        if not any(head.device in told and facts.off(head) for head in heads):
            continue
        before = set(row.conflicts)
        settle_row(row, node.rules.type_rules(row.state.type), tied, facts)
        if set(row.conflicts) != before:
            changed[row.state.record] = row, set[str]()
    if changed:
        merge_arrivals.reopen_merges(tx, changed)
        tx.save_rows(changed)
        merge_arrivals.note_merges(tx, changed)


def newest_time_from(tx: ReadTx, server: bytes) -> int:
    """Return the newest time (milliseconds) received from a server, 0 if none."""
    return tx.peer_settings(server).newest_time


def corrected_stamp(last: int, now: int, ahead: int) -> int:
    """Return our last stamp, unless a server reports our clock `ahead`: a clock that once ran ahead is not followed for ever."""
    if abs(ahead) <= stamp.TOLERANCE_MS < stamp.milliseconds(last) - now:
        return now << stamp.COUNTER_BITS
    return last

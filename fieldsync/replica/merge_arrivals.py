"""Merges in arriving states: a merge into a record removed elsewhere opens a question; the table `same` follows the registers.

If the surviving record is not on this node, the upstream tells whether there is a question, and nothing else about that record.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from fieldsync.core import record_ids
from fieldsync.core.merges import NOT_SAME, SAME_AS
from fieldsync.core.register import Head, Value
from fieldsync.core.settle import DECIDED, REVIEW, Person, candidate_heads, settle
from fieldsync.core.state import State, field_of, register_of
from fieldsync.replica.edit_coverage import person_of
from fieldsync.replica.placement import Touched
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Row


def merged_into(tx: ReadTx, record: bytes) -> list[str]:
    """Return the records (UUIDs) merged into a record, sorted, as a deletion records them: those that name it, and those behind them.

    A record that was itself merged into another one has the former only.
    """
    me = record_ids.id_text(record)
    direct = {record_ids.id_text(one) for one in tx.merged_into([me])}
    return sorted(direct | {gave for gave, root in tx.merge_targets.items() if root == me} - {me})


def reopen_merges(tx: Tx, touched: Touched) -> dict[bytes, int]:
    """Open a question about records merged into one that was removed by somebody who did not know of the merge.

    Until it is decided such a record stands for itself. Rows that this concerns and that were not touched are added; returned is
    how many open conflicts each of them had.
    """
    concerned: dict[bytes, Row] = {}
    settled = []
    for record, (row, names) in touched.items():
        if names is None or "_deleted" in names:
            settled.append(record)
        if SAME_AS in row.doc:
            concerned[record] = row
    if settled:
        concerned |= {record: row for record, row in _records_merged_into(tx, settled).items() if record not in touched}
    return _reopen(tx, touched, concerned)


def _records_merged_into(tx: Tx, records: Iterable[bytes]) -> dict[bytes, Row]:
    return tx.rows(tx.merged_into(record_ids.id_text(record) for record in records))


def _reopen(tx: Tx, touched: Touched, concerned: Mapping[bytes, Row]) -> dict[bytes, int]:
    added: dict[bytes, int] = {}
    person = person_of(tx)
    for record, row in concerned.items():
        before, count = SAME_AS in row.conflicts, len(row.conflicts)
        if _is_disputed(row, person) or _is_reopened(tx, row, touched):
            row.conflicts.setdefault(SAME_AS, None)
        else:
            row.conflicts.pop(SAME_AS, None)
        if (SAME_AS in row.conflicts) is not before:
            if record not in touched:
                touched[record] = row, set()
                added[record] = count
            names = touched[record][1]
            if names is not None:
                names.update({SAME_AS} & row.state.fields.keys())  # its child records are announced with it
    return added


def _is_disputed(row: Row, person: Person) -> bool:
    """Return whether people disagree on a merge itself."""
    if row.doc.get(SAME_AS) in row.doc.get(NOT_SAME, ()):
        return True  # one person merged what another, unaware of it, called two
    return settle(register_of(row.state, SAME_AS), REVIEW, person=person).look


def _is_reopened(tx: Tx, row: Row, touched: Touched) -> bool:
    """Return whether the surviving record of a merge was removed without a decision about the merged one."""
    if tx.questioned_merges.get(row.state.record) == _name_heads(register_of(row.state, SAME_AS).heads):
        return True  # as the upstream server says, who knows records that are not here, or that have left
    try:
        target = record_ids.from_text(str(row.doc.get(SAME_AS)))
    except ValueError:
        return False
    other = touched[target][0] if target in touched else tx.row(target)
    if other is None or "_deleted" not in other.doc:
        return False
    deletions = candidate_heads(register_of(other.state, "_deleted"))
    return not _knew_merge(row, deletions) and not _decided_since(row, deletions)


def _knew_merge(row: Row, deletions: Iterable[Head]) -> bool:
    me = record_ids.id_text(row.state.record)
    told = (head.value.get("same") for head in deletions if isinstance(head.value, dict))
    return any(isinstance(same, list) and me in same for same in told)


def _decided_since(row: Row, deletions: Iterable[Head]) -> bool:
    decisions = register_of(row.state, f"{DECIDED}/{SAME_AS}").heads
    heads = register_of(row.state, SAME_AS).heads
    last = max((head.stamp for head in deletions), default=0)
    if len(decisions) != 1 or decisions[0].value is None:  # it was undone
        return False
    return [h.dot for h in heads] == [h.dot for h in decisions] and decisions[0].stamp > last


def _name_heads(heads: Iterable[Head]) -> str:
    return " ".join(sorted(f"{head.device.hex()}:{head.seq}" for head in heads))


def note_questioned_above(tx: Tx, states: Sequence[State], asked: Collection[bytes]) -> list[bytes]:
    """Keep which merges among states the upstream server asks about; return the records for which that is new."""
    told = [state for state in states if SAME_AS in state.fields]
    return tx.set_questioned_merges(
        {one.record: _name_heads(one.fields[SAME_AS].heads) if one.record in asked else None for one in told}
    )


def reopen_stored(tx: Tx, records: Iterable[bytes]) -> int:
    """Ask again about the merges of records that are stored already; return how many conflicts that opens."""
    return _reopen_rows(tx, tx.rows(records))


def reopen_after_release(tx: Tx, records: Collection[bytes]) -> None:
    """Check merges into released records again, as their former data no longer counts."""
    if records:
        _reopen_rows(tx, _records_merged_into(tx, records))


def _reopen_rows(tx: Tx, rows: Mapping[bytes, Row]) -> int:
    touched: Touched = {}
    _reopen(tx, touched, {record: row for record, row in rows.items() if SAME_AS in row.doc})
    if touched:
        tx.save_rows(touched)
        note_merges(tx, touched)
    return sum(SAME_AS in row.conflicts for row, _ in touched.values())


def note_merges(tx: Tx, touched: Touched) -> None:
    """Store changed merges and rejected pairs."""
    gave_way: dict[str, Value] = {}
    undecided = set()
    for record, (row, names) in touched.items():
        doc = row.doc
        told: Iterable[str] = doc if names is None else set(map(field_of, names))
        apart = NOT_SAME in told
        if SAME_AS in doc or (names is not None and (apart or SAME_AS in told)):
            me = record_ids.id_text(record)
            gave_way[me] = doc.get(SAME_AS)
            if SAME_AS in row.conflicts:
                undecided.add(me)
        if apart:
            tx.set_distinct(record, doc.get(NOT_SAME, ()))
    if gave_way:
        tx.set_merged(gave_way, undecided)


def reopen_settled(tx: Tx, rows: Mapping[bytes, Row]) -> None:
    """Ask again of rows whose conflicts were settled anew without their neighbours."""
    reopen_merges(tx, {record: (row, None) for record, row in rows.items() if SAME_AS in row.doc})

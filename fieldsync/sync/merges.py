"""Merges as states arrive: a merge into a record that was removed elsewhere asks a person; the table `same` follows the registers."""

import uuid
from collections.abc import Iterable, Mapping

from fieldsync.core.merges import NOT_SAME, SAME_AS
from fieldsync.core.register import Head, Value
from fieldsync.core.settle import DECIDED, REVIEW, candidates, settle
from fieldsync.core.state import field_of, register_of
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Row

Touched = dict[bytes, tuple[Row, set[str] | None]]


def merged_into(tx: ReadTx, record: bytes) -> list[str]:
    """Return the records (UUIDs) that a record stands for, sorted: a deletion says that it knew of them."""
    me = str(uuid.UUID(bytes=record))
    return sorted(gave for gave, root in tx.roots.items() if root == me != gave)


def ask(tx: Tx, touched: Touched) -> dict[bytes, int]:
    """Have a person look at what gave way to a record that was removed, by somebody who did not know of the merge.

    Until it is decided such a record stands for itself. Rows that this concerns and that were not touched are added; returned is
    how many open conflicts each of them had.
    """
    added: dict[bytes, int] = {}
    removed = []
    concerned: dict[bytes, Row] = {}
    for record, (row, names) in touched.items():
        if "_deleted" in (row.doc if names is None else names):
            removed.append(record)
        if SAME_AS in row.doc:
            concerned[record] = row
    if removed:
        others = tx.gave_way_to(str(uuid.UUID(bytes=record)) for record in removed)
        concerned |= tx.rows(record for record in others if record not in touched)
    for record, row in concerned.items():
        before, count = SAME_AS in row.conflicts, len(row.conflicts)
        if _disagreed(row) or _asks(tx, row, touched):
            row.conflicts.setdefault(SAME_AS, None)
        else:
            row.conflicts.pop(SAME_AS, None)
        if record not in touched and (SAME_AS in row.conflicts) is not before:
            touched[record] = row, set()
            added[record] = count
    return added


def _disagreed(row: Row) -> bool:
    """Say whether people disagree on a merge itself."""
    if row.doc.get(SAME_AS) in row.doc.get(NOT_SAME, ()):
        return True  # one person merged what another, unaware of it, called two
    return settle(register_of(row.state, SAME_AS), REVIEW).look


def _asks(tx: Tx, row: Row, touched: Touched) -> bool:
    """Say whether the record that a record gave way to was removed, and nobody has said that it goes with it."""
    try:
        target = uuid.UUID(str(row.doc.get(SAME_AS))).bytes
    except ValueError:
        return False
    other = touched[target][0] if target in touched else tx.rows([target]).get(target)
    if other is None or "_deleted" not in other.doc:
        return False
    deletions = candidates(register_of(other.state, "_deleted"))
    return not _knew(row, deletions) and not _decided_since(row, deletions)


def _knew(row: Row, deletions: Iterable[Head]) -> bool:
    me = str(uuid.UUID(bytes=row.state.record))
    told = (head.value.get("same") for head in deletions if isinstance(head.value, dict))
    return any(isinstance(same, list) and me in same for same in told)


def _decided_since(row: Row, deletions: Iterable[Head]) -> bool:
    decisions = register_of(row.state, f"{DECIDED}/{SAME_AS}").heads
    heads = register_of(row.state, SAME_AS).heads
    last = max((head.stamp for head in deletions), default=0)
    return len(decisions) == 1 and [h.dot for h in heads] == [h.dot for h in decisions] and decisions[0].stamp > last


def note(tx: Tx, touched: Touched) -> None:
    """Keep who gave way to whom, and who are two, where that changed."""
    gave_way: dict[str, Value] = {}
    undecided = set()
    for record, (row, names) in touched.items():
        doc = row.doc
        told: Iterable[str] = doc if names is None else set(map(field_of, names))
        apart = NOT_SAME in told
        if SAME_AS in doc or (names is not None and (apart or SAME_AS in told)):
            me = str(uuid.UUID(bytes=record))
            gave_way[me] = doc.get(SAME_AS)
            if SAME_AS in row.conflicts:
                undecided.add(me)
        if apart:
            tx.set_apart(record, doc.get(NOT_SAME, ()))
    if gave_way:
        tx.set_same(gave_way, undecided)


def again(tx: Tx, rows: Mapping[bytes, Row]) -> None:
    """Ask again of rows whose conflicts were settled anew without their neighbours."""
    ask(tx, {record: (row, None) for record, row in rows.items() if SAME_AS in row.doc})

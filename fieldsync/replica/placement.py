"""Placement: a record is in the unit that it names, or in that of the record it belongs to, wherever this moves."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fieldsync.core import record_ids
from fieldsync.core.settle import candidate_heads
from fieldsync.core.state import register_of
from fieldsync.core.units import ABOVE, BELOW, LEFT, SHARED, home_unit, top_of
from fieldsync.replica.merge_rules import Rules
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import NOWHERE_ELSE, Row

Touched = dict[bytes, tuple[Row, set[str] | None]]
NOWHERE = "_"  # the unit of a record that came without one
DEEPEST = 8  # household → person → case → follow-up, and room


def place_rows(tx: Tx, rules: Rules, touched: Touched, unit: str | None) -> None:
    """Give every touched row its channel, and move what belongs to a record that moved or has just arrived.

    That goes from owners to what is theirs, and calls itself nowhere: somebody may have hung a thousand records onto one another.
    """
    places = _OwnerPlaces({}, {})
    of_owner: dict[bytes, list[bytes]] = {}
    placed = Counter[bytes]()
    fresh = touched.copy()
    while fresh:
        moved = _place_fresh(tx, rules, touched, fresh, places, unit)
        if not moved:
            return
        for record, (row, _) in fresh.items():
            if row.owner is not None and record not in placed:
                of_owner.setdefault(row.owner, []).append(record)
        placed.update(fresh.keys())
        again = (record for one in moved for record in of_owner.get(one, ()) if record not in fresh)
        followers = _rows_moved_along(tx, touched, moved)
        touched.update(followers)
        # what came in before its owner was known to move; in a ring each moves the next for ever
        fresh = followers | {record: touched[record] for record in again if placed[record] < DEEPEST}


class _OwnerPlaces(NamedTuple):
    """The placement of owners that were not changed themselves."""

    elsewhere: dict[bytes, int]
    also: dict[bytes, Mapping[int, int]]


def _rows_moved_along(tx: Tx, touched: Touched, moved: Sequence[bytes]) -> Touched:
    """Return what belongs to records that moved, and was not touched."""
    followers = [record for record in tx.ids_owned_by(moved) if record not in touched] if moved else []
    found = tx.rows(followers) if followers else {}
    if (
        found and tx.departed_channel and tx.settings.kind == "laptop"
    ):  # what it keeps as no server has applied it follows nobody
        found = {record: row for record, row in found.items() if row.channel != tx.departed_channel}
    return {record: (row, set()) for record, row in found.items()}


def _place_fresh(
    tx: Tx, rules: Rules, touched: Touched, fresh: Touched, places: _OwnerPlaces, unit: str | None
) -> list[bytes]:
    """Give rows among those touched their channels, and return those that others may follow and that moved."""
    owners = set()
    for row, _ in fresh.values():
        row.owner = owner_of(row, rules)
        if row.owner is not None and row.owner not in touched:
            owners.add(row.owner)
    elsewhere, also = places
    if owners:
        elsewhere.update(tx.channels_of(owners))
        also.update(tx.further_channels_of(owners))
    numbers: dict[str, int] = {}

    def number(name: str) -> int:
        if name not in numbers:
            numbers[name] = tx.channel_number(name)
        return numbers[name]

    # no recursion: a function that names itself is a cycle, and would keep the whole batch until garbage is collected
    def place_of(row: Row) -> tuple[int, Iterable[int]]:
        top = row
        for _ in range(DEEPEST):
            if top.owner is None or top.owner not in touched:
                break
            top = touched[top.owner][0]
        owner = top.owner
        if owner is not None and owner in elsewhere:
            return elsewhere[owner], also.get(owner, ())
        if owner is not None and top.channel is not None:
            return top.channel, top.also
        if owner is not None and unit is not None:
            return number(unit), ()
        if unit is None and tx.departed_channel and top.channel == tx.departed_channel:
            return (
                tx.departed_channel,
                (),
            )  # what is written to it here follows it; only the upstream server brings it back
        if unit is not None and unit.endswith(SHARED):
            return number(unit), ()  # it has no unit here, or is of the one that it is shared with
        if rules.type_rules(top.state.type).type is None and unit is not None and unit.endswith(BELOW):
            return number(unit), ()  # a type that is news here: it stays where it came by
        end = BELOW if rules.type_rules(top.state.type).below else ""
        shown = number(home_unit(str(top.doc.get("_unit") or unit or NOWHERE)) + end)
        register = top.state.fields.get("_unit")
        if register is None or (len(register.heads) == 1 and isinstance(register.heads[0].value, str)):
            return shown, ()
        # two moved it to two places: it is in both, until somebody settles that
        return shown, [number(head.value + end) for head in candidate_heads(register) if isinstance(head.value, str)]

    raised = {}  # records that only those above may have, and what belongs to them: once their owners have their places
    for record, (row, _) in fresh.items():
        lifted = _raised_record(row, touched, rules) if rules.raised_types else None
        if lifted is None:
            row.channel, others = place_of(row)
            row.also = dict.fromkeys(set(others) - {row.channel}, 0) if others else NOWHERE_ELSE
        else:
            raised[record] = lifted
    for record, lifted in raised.items():
        row = touched[record][0]
        row.also = NOWHERE_ELSE
        if unit is None and tx.departed_channel and lifted.channel == tx.departed_channel:
            continue
        row.channel = _channel_above(tx, rules, lifted, touched, elsewhere, also, unit)
    owning = rules.owner_types
    return [record for record, (row, _) in fresh.items() if row.state.type in owning and is_elsewhere(row)]


def is_elsewhere(row: Row) -> bool:
    """Return whether a row is in other channels than it was stored in."""
    return row.channel != row.old_channel or row.also.keys() != row.old_also.keys()


def _raised_record(row: Row, touched: Touched, rules: Rules) -> Row | None:
    """Return the record, or its owner, whose type is for units above only."""
    for _ in range(DEEPEST):
        if rules.type_rules(row.state.type).above:
            return row
        if row.owner is None or row.owner not in touched:
            return None
        row = touched[row.owner][0]
    return None


def _channel_above(
    tx: Tx,
    rules: Rules,
    row: Row,
    touched: Touched,
    elsewhere: Mapping[bytes, int],
    also: Mapping[bytes, Mapping[int, int]],
    unit: str | None,
) -> int:
    """Return the channel of a record that is for those above its owner; where there is any doubt who these are, the topmost."""
    named = register_of(row.state, rules.type_rules(row.state.type).belongs_to or "")
    if len(named.heads) == 1 and row.owner is not None:
        owner = touched[row.owner][0] if row.owner in touched else None
        channel = elsewhere.get(row.owner) if owner is None else owner.channel
        several = also.get(row.owner) if owner is None else owner.also
        if channel is not None and not several:
            name = tx.channel(channel).unit
            return channel if name == LEFT else tx.channel_number(home_unit(name) + ABOVE)
    if unit is not None and unit.endswith((ABOVE, SHARED)):
        return tx.channel_number(unit)
    return tx.channel_number(top_of(str(row.doc.get("_unit") or unit or NOWHERE)) + ABOVE)


def owner_of(row: Row, rules: Rules) -> bytes | None:
    """Return the id of the record that a record belongs to, as its document names it."""
    field = rules.type_rules(row.state.type).belongs_to
    return record_ids.parse_id(row.doc.get(field)) if field is not None else None


def owners_of(tx: ReadTx, row: Row) -> Iterator[Row]:
    """Yield the record that a record belongs to, that which this belongs to, and so on, as far as they are here."""
    for _ in range(DEEPEST):
        found = tx.row(row.owner)
        if found is None:
            return
        yield found
        row = found

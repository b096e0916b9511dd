"""Transfer of a record to another unit, with all records that belong to it; and records that have left this node."""

from msgspec import UNSET, Struct, UnsetType

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.grants import CASEWORKER, PARTNER, SUPERVISOR, covering_grant
from fieldsync.core.settle import candidate_heads
from fieldsync.core.units import ABOVE, home_unit
from fieldsync.replica.commit_writer import commit_drafts
from fieldsync.replica.edit_coverage import EditContexts, edit_of_register
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.replica.placement import owners_of
from fieldsync.replica.record_units import check_known_unit, unit_of, units_of
from fieldsync.replica.save import draft_edit
from fieldsync.store import ReadTx
from fieldsync.store.contract import Row


class MovePlan(Struct, frozen=True, rename={"from_unit": "from"}):
    """The effect of a move.

    moves: the number of records of each type that would move; none if the record is there already.
    still_seen: whether the user would still see it afterwards.
    """

    record: str
    code: str | None
    type: str
    from_unit: str | None
    to: str
    moves: dict[str, int]
    still_seen: bool
    dry_run: bool = True


class DepartedRecord(Struct, frozen=True):
    """A record that left this node.

    unit: its new unit, if this node knows it.
    above: true if it went to the units above that one; else absent.
    name: its name, if it is still known; else absent.
    """

    record: str
    code: str | None
    type: str
    unit: str | None
    above: bool | UnsetType = UNSET
    name: str | UnsetType = UNSET


def transfer_record(node: Node, ref: str, unit: str, *, note: str | None = None) -> bytes:
    """Save that a record lives in another unit from now on, with all that belongs to it; return its id.

    NoRecord, IllegalValue, BelongsTo, UnitRefused, RoleRefused.
    """
    with node.store.write() as tx:
        row = _find_transferable(node, tx, ref, unit)
        if row.doc.get("_unit") != unit or "_unit" in row.conflicts:
            kind = node.schema.type(row.state.type)
            commit_drafts(node, tx, [draft_edit(node, row, kind, {"_unit": unit}, note=note)])
    return row.state.record


def plan_transfer(node: Node, ref: str, unit: str) -> MovePlan:
    """Return the effect of a move; same errors as moving.

    Nothing moves when the record lives there already. What a head that stands against the move names, is seen as before.
    """
    with node.store.read() as tx:
        row = _find_transferable(node, tx, ref, unit)
        here = unit_of(tx, row)
        moves: dict[str, int] = {}
        for one in (row, *_rows_belonging_to(tx, row)) if here != unit else ():
            moves[one.state.type] = moves.get(one.state.type, 0) + 1
        seen = any(covering_grant(node.grants, one) is not None for one in (unit, *_conflicting_units(node, tx, row)))
        return MovePlan(
            record_ids.id_text(row.state.record), row.code, row.state.type, here, unit, moves, still_seen=seen
        )


def list_departed(node: Node) -> list[DepartedRecord]:
    """Return what left this node since it was last asked, and is not back, owners first."""
    with node.store.write(durable=False) as tx:
        found = tx.departed_records()
        tx.forget_departed()
    names = dict(node.departed_names)
    node.departed_names.clear()
    found.sort(key=lambda one: node.rules.type_rules(one.type).belongs_to is not None)
    return [
        DepartedRecord(
            record_ids.id_text(one.record), one.code, one.type, one.unit and home_unit(one.unit),
            above=True if one.unit and one.unit.endswith(ABOVE) else UNSET, name=names.get(one.record) or UNSET,
        )
        for one in found
    ]  # fmt: skip


def _find_transferable(node: Node, tx: ReadTx, ref: str, unit: str) -> Row:
    row = find_row(tx, ref)
    check_known_unit(node, tx, unit)
    if row.owner is not None:
        raise errors.BelongsTo(type=row.state.type, owner=_top_owner(tx, row))
    if node.may_write(*units_of(tx, row)).role == PARTNER:
        raise errors.RoleRefused(role=PARTNER, needs=[CASEWORKER, SUPERVISOR])
    return row


def _conflicting_units(node: Node, tx: ReadTx, row: Row) -> list[str]:
    """Return the units that a move would leave in conflict: of the heads that it does not cover."""
    over = edit_of_register(node.rules.type_rules(row.state.type), row.state, "_unit")
    covers = EditContexts(node, tx).coverage_of(row.state.record, row.state.type, "_unit", over)
    gone = {head.dot for head in covers.heads}
    return (
        [] if covers.everything else [str(one.value) for one in candidate_heads(over.register) if one.dot not in gone]
    )


def _top_owner(tx: ReadTx, row: Row) -> str:
    """Return the code of the record that a chain of owners ends in, or the id of the first that is not here."""
    for top in owners_of(tx, row):
        row = top
    return record_ids.id_text(row.owner) if row.owner is not None else row.code or record_ids.id_text(row.state.record)


def _rows_belonging_to(tx: ReadTx, row: Row) -> list[Row]:
    """Return all that belongs to a record, and what belongs to that."""
    found: dict[bytes, Row] = {}
    owners = [row.state.record]
    while owners:
        below = tx.rows(
            record for record in tx.ids_owned_by(owners) if record not in found and record != row.state.record
        )
        found |= below
        owners = list(below)
    return list(found.values())

"""Saving: a user's changes become a commit, logged, chained and applied in one transaction.

Four steps: normalise (`value_reader`, `composite_fields.expand_changes`, `validate.normalise_changes`), keep changes that differ from
the values shown (`differing_values`), check (`save_checks`), commit (`commit_writer`).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.deletion import deletion_value
from fieldsync.core.grants import CASEWORKER, DECIDERS, PARTNER, SUPERVISOR
from fieldsync.core.register import EMPTY, Value
from fieldsync.core.state import State, register_of, registers
from fieldsync.core.units import check_unit, shared_with
from fieldsync.replica import composite_fields, form_drafts, merge_arrivals
from fieldsync.replica.changes import Changes, Draft, Fields, NewRecord
from fieldsync.replica.commit_writer import commit_drafts, next_code
from fieldsync.replica.edit_coverage import edit_of_register
from fieldsync.replica.extensions import registered_extensions
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.replica.placement import NOWHERE
from fieldsync.replica.record_units import home_of, units_of
from fieldsync.replica.save_checks import SaveChecks, check_authority
from fieldsync.schema import validate
from fieldsync.schema.equality import equal_stored
from fieldsync.schema.model import Type
from fieldsync.schema.validate import STATE
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Row

# --- add --------------------------------------------------------------------------------------------------------------


def add_record(node: Node, type: str, changes: Changes, *, unit: str | None = None, note: str | None = None) -> bytes:
    """Save a new record and return its id. UnknownType, UnknownField, IllegalValue, Incomplete, UnitRefused, RoleRefused."""
    return add_records(node, [NewRecord(type, changes)], unit=unit, note=note)[0]


def add_records(
    node: Node,
    wanted: Sequence[NewRecord],
    *,
    unit: str | None = None,
    note: str | None = None,
    unfinished: str | None = None,
) -> list[bytes]:
    """Save new records together, all of them or none, owners first; return their ids. Raises as `add_record` does.

    `unfinished` is the name of the form's draft that they were, which is then forgotten.
    """
    with node.store.write() as tx:
        made = drafts_of_new(node, tx, wanted, unit=unit, note=note)
        commit_drafts(node, tx, made)
        form_drafts.drop_draft(tx, unfinished)
    return [one.record for one in made]


def drafts_of_new(
    node: Node,
    tx: Tx,
    wanted: Sequence[NewRecord],
    *,
    unit: str | None = None,
    note: str | None = None,
    after: int = 0,
    checks: SaveChecks | None = None,
) -> list[Draft]:
    """Return the drafts of new records, owners first, as `draft_new` does, with those that are saved with them.

    `checks` are those of the transaction, where this is one call of many.
    """
    checks = checks or SaveChecks(node, tx)
    made: list[Draft] = []
    units: dict[bytes, str] = {}
    for one in wanted:
        owner = node.schema.type(one.type).belongs_to
        named = one.changes.set.get(owner) if owner else None
        place = unit or (units.get(record_ids.from_text(named)) if isinstance(named, str) and is_id(named) else None)
        draft = draft_new(node, tx, one, unit=place, note=note, after=after + len(made), checks=checks)
        checks.references.note_new(draft.record, draft.type)
        units[draft.record] = str(draft.fields["_unit"])
        made += registered_extensions().with_companions(node, tx, draft)
    return made


def draft_add(
    node: Node, tx: Tx, type: str, changes: Changes, *, unit: str | None = None, note: str | None = None
) -> Draft:
    """Return the draft of a new record, as `draft_new` does."""
    return draft_new(node, tx, NewRecord(type, changes), unit=unit, note=note)


def draft_new(
    node: Node,
    tx: Tx,
    new: NewRecord,
    *,
    unit: str | None = None,
    note: str | None = None,
    after: int = 0,
    checks: SaveChecks | None = None,
) -> Draft:
    """Return the draft of a new record, its unit that of its owner or the person's own; the same errors.

    `after` as many commits of the same save come before it.
    """
    kind = node.schema.type(new.type)
    fields = new_fields(node, tx, kind, new.changes, after=after, checks=checks)
    unit = check_unit(unit) if unit else _home_unit(node, tx, kind, fields)
    check_authority(kind, fields, {}, node.may_write(unit, shared_with(unit)).role, new=True)
    fields |= {"_unit": unit, "_code": new.code or next_code(node, tx, unit)[0]}
    return Draft(
        new.record or node.new_id(), new.type, kind.version, dict(sorted(fields.items())), {}, _clean_note(note)
    )


def new_fields(
    node: Node, tx: ReadTx, kind: Type, changes: Changes, *, after: int = 0, checks: SaveChecks | None = None
) -> Fields:
    """Return a new record's registers, checked, without empty ones."""
    if kind.retired:
        raise errors.RetiredType(type=kind.name)
    parts = composite_fields.expand_changes(kind, changes, None, _entry_author(node, tx, changes, after))
    plain = validate.normalise_changes(kind, changes.set)
    (checks or SaveChecks(node, tx)).check_values(kind, plain, {}, parts)
    if kind.lifecycle is not None and plain.get(STATE) is None and STATE in kind.fields:
        plain[STATE] = kind.lifecycle.initial_state
    return {name: as_json(value) for name, value in plain.items() if value is not None} | parts.registers


def _entry_author(node: Node, tx: ReadTx, changes: Changes, after: int = 0) -> composite_fields.EntryAuthor:
    """Return the author of counts and log entries of a save that follows `after` others of its transaction."""
    device = tx.device(node.device) if changes.say else None
    return composite_fields.EntryAuthor(node.device, 0 if device is None else device.head + after + 1)


def _home_unit(node: Node, tx: Tx, kind: Type, fields: Fields) -> str:
    """A record that belongs to another starts in its owner's unit, any other in the person's own."""
    owner = fields.get(kind.belongs_to) if kind.belongs_to else None
    if isinstance(owner, str) and is_id(owner):
        found = home_of(node, tx, record_ids.from_text(owner))
        if found is not None:
            return found
    return node.grants[0].unit if node.grants else NOWHERE


def save_new(
    node: Node, tx: Tx, type: str, changes: Changes, *, unit: str | None = None, note: str | None = None
) -> Row:
    """Save a new record within a transaction and return it; raises as `add_record` does."""
    draft = draft_add(node, tx, type, changes, unit=unit, note=note)
    return commit_drafts(node, tx, [draft]).rows[draft.record]


# --- edit -------------------------------------------------------------------------------------------------------------


def edit_record(
    node: Node,
    ref: str,
    changes: Changes,
    *,
    note: str | None = None,
    based_on: State | None = None,
    unfinished: str | None = None,
    beside: Sequence[NewRecord] = (),
) -> bytes:
    """Save a user's changes of a record, with new records `beside` it; return its id.

    `based_on` is the state that a form was filled from: values that are still the form's old ones are no change, and a
    field that somebody changed meanwhile is not overwritten but becomes a conflict.
    """
    with node.store.write() as tx:
        row = find_row(tx, ref)
        draft = draft_change(node, tx, row, changes, note=note, based_on=based_on)
        made = [*([draft] if draft is not None else []), *drafts_of_new(node, tx, beside, note=note)]
        if made:  # what is alone has been read already
            commit_drafts(node, tx, made, known={row.state.record: row} if made == [draft] else None)
        form_drafts.drop_draft(tx, unfinished)
    return row.state.record


def draft_change(
    node: Node,
    tx: Tx,
    row: Row,
    changes: Changes,
    *,
    system: Mapping[str, Value] = MappingProxyType({}),
    note: str | None = None,
    based_on: State | None = None,
) -> Draft | None:
    """Return the draft of a user's changes of a record, None without changes; same errors as saving.

    `system` are registers of the program's own that change with it.
    """
    grant = node.may_write(*units_of(tx, row))
    kind = node.schema.type(row.state.type)
    steps_on = STATE in row.conflicts and STATE in {*changes.set, *changes.unset} and grant.role not in DECIDERS
    if steps_on and not any(head.device == node.device for head in register_of(row.state, STATE).heads):
        raise errors.OpenConflict(field=STATE)  # from which of them would it lead on?
    changes = composite_fields.drop_merged_members(tx, kind, row, changes)
    parts = composite_fields.expand_changes(kind, changes, row, _entry_author(node, tx, changes))
    before = _shown_before(node, row)
    old = before if based_on is None else {n: r.heads[-1].value for n, r in registers(based_on).items() if r.heads}
    changed = differing_values(
        kind, validate.normalise_changes(kind, {**changes.set, **dict.fromkeys(changes.unset)}), old
    )
    doc = row.doc if before is row.doc else {**row.doc, STATE: before.get(STATE)}
    SaveChecks(node, tx).check_values(
        kind, changed, doc, parts, unseen=registered_extensions().hidden_fields(node.role, kind)
    )
    fields: Fields = {**changed, **parts.registers, **system}
    check_authority(kind, fields, row.doc, grant.role)
    return draft_edit(node, row, kind, fields, note=note, based_on=based_on) if fields else None


def save_change(
    node: Node,
    tx: Tx,
    row: Row,
    changes: Changes,
    *,
    system: Mapping[str, Value] = MappingProxyType({}),
    note: str | None = None,
) -> None:
    """Save a user's changes of a record within a transaction, if any; same errors as `draft_change`."""
    draft = draft_change(node, tx, row, changes, system=system, note=note)
    if draft is not None:
        commit_drafts(node, tx, [draft])


def differing_values(kind: Type, given: Mapping[str, object], shown: Mapping[str, object]) -> Fields:
    """Return the stored values that differ from those shown."""
    return {n: as_json(value) for n, value in given.items() if not equal_stored(kind.fields[n], value, shown.get(n))}


def draft_edit(
    node: Node,
    row: Row,
    kind: Type,
    fields: Fields,
    *,
    note: str | None = None,
    based_on: State | None = None,
    decides: bool = False,
) -> Draft:
    """Return the draft of an edit: each field covers heads by `core/edit_context.py`, or all heads as a decision."""
    state = row.state if based_on is None else based_on
    type_rules = node.rules.type_rules(row.state.type)
    seen = {
        name: edit_of_register(type_rules, state, name, decides=decides, fresh=based_on is None)
        for name in fields
        if register_of(state, name) is not EMPTY
    }
    return Draft(row.state.record, row.state.type, kind.version, dict(sorted(fields.items())), seen, _clean_note(note))


def _shown_before(node: Node, row: Row) -> Mapping[str, object]:
    """Return the base of an edit: the value shown; in a conflict, this device's own."""
    if not row.conflicts:
        return row.doc
    return row.doc | {
        name: head.value
        for name in row.conflicts
        for head in register_of(row.state, name).heads
        if head.device == node.device
    }


def remove_record(node: Node, ref: str, reason: str) -> bytes:
    """Delete a record with a reason and a context: an unseen write keeps it, and goes to review."""
    with node.store.write() as tx:
        row = find_row(tx, ref)
        commit_drafts(node, tx, [draft_removal(node, tx, row, reason)])
    return row.state.record


def draft_removal(node: Node, tx: Tx, row: Row, reason: str) -> Draft:
    """Return the draft of a record's removal; same errors as removing it."""
    if node.may_write(*units_of(tx, row)).role == PARTNER:
        raise errors.RoleRefused(role=PARTNER, needs=[CASEWORKER, SUPERVISOR])
    if not reason.strip():
        raise errors.IllegalValue(type=row.state.type, field="reason", reason="empty")
    if "_deleted" in row.conflicts:
        raise errors.OpenConflict(field="_deleted")
    merged = merge_arrivals.merged_into(tx, row.state.record)
    fields: Fields = {"_deleted": deletion_value(reason.strip(), row.state, merged)}
    return draft_edit(node, row, node.schema.type(row.state.type), fields)


def _clean_note(note: str | None) -> str | None:
    return note.strip() or None if note else None


def as_json(value: object) -> Value:
    """Return a value that is one of JSON's, for the type checker."""
    return cast("Value", value)

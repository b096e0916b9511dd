"""Saving at the keyboard: what a person changed becomes a commit, logged, chained and applied in one transaction."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, cast

from fieldsync import errors
from fieldsync.casework import partner_sharing
from fieldsync.core import codes, commit, stamp
from fieldsync.core.commit import Commit, state_of
from fieldsync.core.deletion import deletion
from fieldsync.core.grants import DECIDERS, PARTNER, covers
from fieldsync.core.register import EMPTY, Context, Head, Value
from fieldsync.core.settle import present, settle
from fieldsync.core.state import State, register_of, registers
from fieldsync.core.units import ABOVE, SHARED, home_unit, shared_with
from fieldsync.crypto import chain
from fieldsync.replica import composite_fields, form_drafts, merge_arrivals, protocol_versions
from fieldsync.replica.apply import Applied, apply
from fieldsync.replica.edit_coverage import Contexts, Covering, covering
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.replica.placement import NOWHERE
from fieldsync.replica.references import References
from fieldsync.schema import validate, write_roles
from fieldsync.schema.equality import same
from fieldsync.schema.expressions import stored_expressions
from fieldsync.schema.expressions.functions import NOW
from fieldsync.schema.model import Type
from fieldsync.schema.validate import STATE
from fieldsync.schema.values import is_id
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Logged, Row

Fields = dict[str, Value]
_SMALL = 60 * 1024  # bytes that fit a frame however they are packed
_SEALED = bytes(1_024)  # room for what stands beside a commit in its frame


@dataclass
class Changes:
    """What a person changed: plain fields, emptied fields, members of sets, counts and log entries."""

    set: Mapping[str, object] = field(default_factory=dict)
    unset: Sequence[str] = ()
    put: Mapping[str, Sequence[object]] = field(default_factory=dict)
    drop: Mapping[str, Sequence[object]] = field(default_factory=dict)
    count: Mapping[str, int] = field(default_factory=dict)
    say: Mapping[str, str] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether a new record of it would say nothing."""
        told = [*self.set.values(), *self.put.values(), *self.count.values(), *self.say.values()]
        return all(value is None or value in ("", [], ()) for value in told)


class Draft(NamedTuple):
    """A commit that lacks only its number and time: fields by name in order, and what each is written over, or had seen."""

    record: bytes
    type: str
    form: int
    fields: Fields
    seen: Mapping[str, Covering | Context]
    note: str | None = None


def _check_size(tx: Tx, one: Commit, body: bytes) -> None:
    """Refuse (TooLarge) a save that no server would take, or no frame hold: it would keep back all that comes after it."""
    from fieldsync.wire import frames, row_batches

    if len(body) > commit.MAX_BODY:
        raise errors.TooLarge(what="commit", limit=commit.MAX_BODY)
    older = any(protocol_versions.spoken(tx, server.id) == 1 for server in tx.servers())
    frames.Codec().pack(frames.Kind.COMMITS, row_batches.pack_commits([one]) + _SEALED, large=not older)


def commit_drafts(node: Node, tx: Tx, drafts: Sequence[Draft], *, known: dict[bytes, Row] | None = None) -> Applied:
    """Number, stamp, chain and apply drafts: the only way in which this node writes anything of its own.

    Of an edit that leaves a conflict open, nothing is written of a field that this device says already.
    `known` are the stored rows of these records where the caller has looked them up (a record that is not there is new).
    """
    node.renew(tx)
    me = node.device
    device = tx.device(me)
    assert device is not None
    assert device.chain is not None
    if tx.get("letters") != node.letters:  # a sync in another process found that this store is a copy
        node.reload_from(tx)
        raise errors.Forked(device=me.hex(), seq=device.head)
    now, at, seq = node.clock(), tx.get("last"), device.head
    commits: list[Commit] = []
    contexts = Contexts(node, tx)
    for draft in drafts:
        fields, seen = _resolved(contexts, draft)
        if not fields and draft.fields:
            continue
        seq += 1
        at = stamp.tick(at, now)
        whose = draft.type, draft.form, draft.record, draft.note, fields
        commits.append(Commit(commit.FORMAT, me, seq, at, node.person, *whose, seen))
    if not commits:
        return Applied({}, 0)
    bodies = [commit.encode(c) for c in commits]
    for one, body in zip(commits, bodies, strict=True):
        if not commit.is_sound(one):
            raise errors.Unexpected(where="commit")  # no server would take it, nor anything after it
        if len(body) > _SMALL:
            _check_size(tx, one, body)
    links = chain.extend(device.chain, bodies)
    tx.append(me, Logged.of(commits, bodies, links))
    tx.put("last", at)
    applied = apply(tx, node.rules, [state_of(c) for c in commits], index=node.is_laptop, known=known)
    if not node.is_laptop:
        from fieldsync.topology import serial_numbers

        serial_numbers.give(node, tx, applied.rows.values())
    return applied


def _resolved(contexts: Contexts, draft: Draft) -> tuple[Fields, tuple[commit.Context, ...]]:
    """Return what a draft writes, and the contexts of these fields."""
    if not draft.seen:
        return draft.fields, ()
    fields = dict(draft.fields)
    seen: dict[str, Context] = {}
    for name, over in draft.seen.items():
        if not isinstance(over, Covering):
            seen[name] = over
            continue
        covers = contexts.covers(draft.record, draft.type, name, over)
        if (
            covers.heads
            and not covers.everything
            and all(over.policy.equal(h.value, fields[name]) for h in covers.heads)
        ):
            del fields[name]  # in a conflict, what is said already
        else:
            seen[name] = covers.context
    return fields, commit.contexts(seen)


def next_code(node: Node, tx: Tx, unit: str, *, count: int = 1) -> list[str]:
    """Return the next record codes of this device, unique without asking anybody."""
    last = int(tx.get("number"))
    tx.put("number", last + count)
    return [codes.make(unit, node.letters, last + i) for i in range(1, count + 1)]


# --- add --------------------------------------------------------------------------------------------------------------


class New(NamedTuple):
    """A record to be added; with an id of its own where others of the same save name it."""

    type: str
    changes: Changes
    record: bytes | None = None


def add(node: Node, type: str, changes: Changes, *, unit: str | None = None, note: str | None = None) -> bytes:
    """Save a new record and return its id. UnknownType, UnknownField, IllegalValue, Incomplete, UnitRefused, RoleRefused."""
    return add_all(node, [New(type, changes)], unit=unit, note=note)[0]


def add_all(
    node: Node,
    wanted: Sequence[New],
    *,
    unit: str | None = None,
    note: str | None = None,
    unfinished: str | None = None,
) -> list[bytes]:
    """Save new records together, all of them or none, owners first; return their ids. Raises as `add` does.

    `unfinished` is the name of the form's draft that they were, which is then forgotten.
    """
    with node.store.write() as tx:
        made = _drafts_new(node, tx, wanted, unit, note)
        commit_drafts(node, tx, made)
        form_drafts.drop(tx, unfinished)
    return [one.record for one in made]


def _drafts_new(node: Node, tx: Tx, wanted: Sequence[New], unit: str | None, note: str | None) -> list[Draft]:
    made: list[Draft] = []
    units: dict[bytes, str] = {}
    for one in wanted:
        owner = node.schema.type(one.type).belongs_to
        named = one.changes.set.get(owner) if owner else None
        place = unit or (units.get(uuid.UUID(named).bytes) if isinstance(named, str) and is_id(named) else None)
        draft = draft_add(node, tx, *one[:2], unit=place, note=note, record=one.record, after=len(made))
        units[draft.record] = str(draft.fields["_unit"])
        made += completed(node, tx, draft)
    return made


def completed(node: Node, tx: Tx, draft: Draft) -> list[Draft]:
    """Return a new record with what is to be written beside it."""
    if draft.type != "household_event":
        return [draft]
    from fieldsync.casework import household_events  # it saves by what is here

    return household_events.completed(node, tx, draft)


def draft_add(
    node: Node,
    tx: Tx,
    type: str,
    changes: Changes,
    *,
    unit: str | None = None,
    note: str | None = None,
    record: bytes | None = None,
    after: int = 0,
) -> Draft:
    """Return the draft of a new record, its unit that of its owner or the person's own; the same errors.

    `record` is its id where others of the same save name it; `after` as many of these come before it.
    """
    kind = node.schema.type(type)
    fields = new_fields(node, tx, kind, changes)
    unit = unit or _home_unit(node, tx, kind, fields)
    grant = node.may_write(unit, shared_with(unit))
    write_roles.check(kind, fields, {}, grant.role)
    fields["_unit"] = unit
    fields["_code"] = next_code(node, tx, unit)[0]
    if grant.role == PARTNER:
        partner_sharing.check_partner(type, fields, new=True)
    composite_fields.counts(node, kind, changes, fields, None)
    composite_fields.logs(node, tx, kind, changes, fields, after=after)
    return Draft(record or node.new_id(), type, kind.version, dict(sorted(fields.items())), {}, _note(note))


def new_fields(node: Node, tx: ReadTx, kind: Type, changes: Changes) -> Fields:
    """Return a new record's checked fields: plain ones, and sets as lists; what is empty is left out."""
    if kind.retired:
        raise errors.RetiredType(type=kind.name)
    sets: Fields = {}
    for name, members in changes.put.items():
        sets[name] = sorted({str(m) for m in composite_fields.checked(kind, name, members)})
    known = {**sets, **_said(changes), NOW: node.moment()}
    fields = validate.check(kind, dict(changes.set), known, node.today(), sets=sets)
    if kind.lifecycle is not None and fields.get("state") is None and "state" in kind.fields:
        fields["state"] = kind.lifecycle.initial
    References(tx).check(kind, {**sets, **fields})
    stored_expressions.check(node.schema, kind, fields)
    return {name: as_json(value) for name, value in {**sets, **fields}.items() if value not in (None, [])}


def _said(changes: Changes) -> dict[str, object]:
    """Return what this very save adds to logs: a step that asks for an entry may be taken with it."""
    return {name: [text] for name, text in changes.say.items()}


def _home_unit(node: Node, tx: Tx, kind: Type, fields: Fields) -> str:
    """A record that belongs to another starts in its owner's unit, any other in the person's own."""
    owner = fields.get(kind.belongs_to) if kind.belongs_to else None
    if isinstance(owner, str) and is_id(owner):
        found = home_of(node, tx, uuid.UUID(owner).bytes)
        if found is not None:
            return found
    return node.grants[0].unit if node.grants else NOWHERE


def home_of(node: Node, tx: Tx, owner: bytes) -> str | None:
    """Return the unit for what is added to a record: where that lives, or as its unit is in conflict, one of this node's."""
    row = tx.rows([owner]).get(owner)
    if row is None:
        return None
    units = [unit.removesuffix(SHARED) for unit in units_of(tx, row)]
    return next((unit for unit in units if covers(node.grants, unit)), units[0])


# --- edit -------------------------------------------------------------------------------------------------------------


def edit(
    node: Node,
    ref: str,
    changes: Changes,
    *,
    note: str | None = None,
    based_on: State | None = None,
    unfinished: str | None = None,
    beside: Sequence[New] = (),
) -> bytes:
    """Save what a person changed of a record, and nothing else but new records `beside` it; return its id.

    `based_on` is the state that a form was filled from: values that are still the form's old ones are no change, and a
    field that somebody changed meanwhile is not overwritten but becomes a conflict.
    """
    with node.store.write() as tx:
        row = find_row(tx, ref)
        draft = draft_change(node, tx, row, changes, note=note, based_on=based_on)
        made = [*([draft] if draft is not None else []), *_drafts_new(node, tx, beside, None, note)]
        if made:  # what is alone has been read already
            commit_drafts(node, tx, made, known={row.state.record: row} if made == [draft] else None)
        form_drafts.drop(tx, unfinished)
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
    """Return the draft of what a person changed of a record, None where that is nothing; the same errors.

    `system` are registers of the program's own that change with it.
    """
    grant = node.may_write(*units_of(tx, row))
    kind = node.schema.type(row.state.type)
    steps_on = STATE in row.conflicts and STATE in {*changes.set, *changes.unset} and grant.role not in DECIDERS
    if steps_on and not any(head.device == node.device for head in register_of(row.state, STATE).heads):
        raise errors.OpenConflict(field=STATE)  # from which of them would it lead on?
    fields = _edited(node, tx, row, kind, changes, based_on)
    write_roles.check(kind, fields, row.doc, grant.role)
    composite_fields.logs(node, tx, kind, changes, fields)
    fields |= system
    if grant.role == PARTNER:
        partner_sharing.check_partner(kind.name, fields, new=False)
    return draft_edit(node, row, kind, fields, note=note, based_on=based_on) if fields else None


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
    """Return the draft of a change to a record: each field covers what `core/edit_context.py` says, or as a decision all heads."""
    state = row.state if based_on is None else based_on
    type_rules = node.rules.of(row.state.type)
    seen = {
        name: covering(type_rules, state, name, decides=decides, fresh=based_on is None or based_on is row.state)
        for name in fields
        if register_of(state, name) is not EMPTY
    }
    return Draft(row.state.record, row.state.type, kind.version, dict(sorted(fields.items())), seen, _note(note))


def _edited(node: Node, tx: Tx, row: Row, kind: Type, changes: Changes, based_on: State | None) -> Fields:
    state = row.state
    changes = composite_fields.dropped_whole(tx, kind, row, changes)
    wanted = {**changes.set, **dict.fromkeys(changes.unset)}
    sets = {name: composite_fields.after(kind, name, row, changes) for name in {*changes.put, *changes.drop}}
    unseen = partner_sharing.unseen(kind) if node.role == PARTNER else ()
    before = _shown_before(node, row)
    known = {**row.doc, STATE: before.get(STATE), **_said(changes), **sets, NOW: node.moment()}
    checked = validate.check(kind, wanted, known, node.today(), sets=sets, unseen=unseen)
    References(tx).check(kind, {**sets, **checked}, row.doc)
    stored_expressions.check(node.schema, kind, checked)
    old = before if based_on is None else {n: r.heads[-1].value for n, r in registers(based_on).items() if r.heads}
    fields: Fields = {n: as_json(value) for n, value in checked.items() if not same(kind.fields[n], value, old.get(n))}
    for put, dropped in ((True, changes.drop), (False, changes.put)):
        for name, members in dropped.items():
            for member in composite_fields.checked(kind, name, members, new=not put):
                register = register_of(state, f"{name}/{member}")
                if present(register) is put:
                    fields[f"{name}/{member}"] = not put
    composite_fields.counts(node, kind, changes, fields, state)
    return fields


def _shown_before(node: Node, row: Row) -> Mapping[str, object]:
    """Return what an edit starts from: what is shown; in a conflict, what this device has said."""
    return row.doc | {
        name: head.value
        for name in row.conflicts
        for head in register_of(row.state, name).heads
        if head.device == node.device
    }


def remove(node: Node, ref: str, reason: str) -> bytes:
    """Delete a record, with a reason and what was seen of it: a write that was not seen keeps it, and a person looks."""
    with node.store.write() as tx:
        row = find_row(tx, ref)
        if node.may_write(*units_of(tx, row)).role == PARTNER:
            raise errors.RoleRefused(role=PARTNER, needs=["caseworker", "supervisor"])
        if not reason.strip():
            raise errors.IllegalValue(type=row.state.type, field="reason", reason="empty")
        if "_deleted" in row.conflicts:
            raise errors.OpenConflict(field="_deleted")
        kind = node.schema.type(row.state.type)
        merged = merge_arrivals.merged_into(tx, row.state.record)
        fields: Fields = {"_deleted": deletion(reason.strip(), row.state, merged)}
        commit_drafts(node, tx, [draft_edit(node, row, kind, fields)])
    return row.state.record


def unit_of(tx: ReadTx, row: Row) -> str:
    """Return the unit that a record lives in."""
    assert row.channel is not None
    return home_unit(tx.channel(row.channel).unit)


def units_of(tx: ReadTx, row: Row) -> list[str]:
    """Return the units from which a record may be changed: those that it is in, and those that it left: an edit follows it.

    What is for those above may still be changed here by who made it, until it has been sent.
    """
    names = [tx.channel(n).unit for n in dict.fromkeys([*row.channels, *tx.channels_left(row.n)])]
    made = row.doc.get("_unit") if any(name.endswith(ABOVE) for name in names) else None
    return [home_unit(name) for name in names] + ([made] if isinstance(made, str) else [])


def shown_head(node: Node, state: State, name: str) -> Head | None:
    """Return the head that people see of a field."""
    return settle(register_of(state, name), node.rules.of(state.type).of(name).policy).head


def _note(note: str | None) -> str | None:
    return note.strip() or None if note else None


def as_json(value: object) -> Value:
    """Return a value that is one of JSON's, for the type checker."""
    return cast("Value", value)

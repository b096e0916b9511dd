"""The one way in: states from the keyboard, the network or a bundle are joined, settled and stored in one transaction.

Follow one save through: commands/laptop.py → sync/save.py → here → sync/session.py → server/app.py, which ends here again.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from fieldsync.core import stamp
from fieldsync.core.deletion import DELETED, unseen
from fieldsync.core.register import Head, Value
from fieldsync.core.settle import (
    DECIDED,
    REOPENED,
    Person,
    candidates,
    counted,
    device_itself,
    present,
    settle,
    trusts_all,
)
from fieldsync.core.state import State, field_of, merge, register_of
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import (
    ABOVE,
    BELOW,
    LEFT,
    NOWHERE_ELSE,
    SHARED,
    Row,
    home_unit,
    place_key,
    record_key,
    sibling_key,
    state_key,
    top_of,
)
from fieldsync.sync import known_contexts, merges, sharing
from fieldsync.sync.persons import person_of
from fieldsync.sync.rules import Rules, TypeRules

Touched = dict[bytes, tuple[Row, set[str] | None]]
_SETTLED = {str, int, float, bool, type(None)}  # values that say nothing but themselves
_BY_TIME = itemgetter(2, 0, 1)  # a head's stamp, then its dot
NOWHERE = "_"  # the unit of a record that came without one


class DeviceFacts(NamedTuple):
    """What a node knows of devices: of a head whether its clock is known to have been off, and whose a device is."""

    off: Callable[[Head], bool] = trusts_all
    person: Person = device_itself


NO_FACTS = DeviceFacts()


class Applied(NamedTuple):
    """What an apply did: the rows it changed, by record id, and how many conflicts it opened."""

    rows: dict[bytes, Row]
    new_conflicts: int


def apply(
    tx: Tx,
    rules: Rules,
    states: Sequence[State],
    *,
    unit: str | None = None,
    index: bool,
    known: dict[bytes, Row] | None = None,
) -> Applied:
    """Join states into the store; `unit` is the channel they came by, `index` keeps full text (laptops).

    `known` are the rows of these records where the caller has read them already.
    """
    if rules.renames:
        states = [rules.upgraded(state) for state in states]
    if known is None:
        known = tx.rows(dict.fromkeys(state.record for state in states))
    touched: Touched = {}
    conflicts: dict[bytes, int] = {}
    searched: set[bytes] = set()  # records whose full-text words change
    linked: set[bytes] = set()  # and those whose blocks may
    for state in states:
        row = known.get(state.record)
        if row is None:
            row = known[state.record] = Row(0, state, {}, {})
            touched[state.record] = row, None
            conflicts[state.record] = 0
            searched.add(state.record)
            if rules.of(state.type).linked:
                linked.add(state.record)
            continue
        merged, changed = merge(row.state, state)
        based = merged.base != row.state.base
        if not changed and not based:
            continue
        already = touched.get(state.record, (row, set[str]()))[1]
        touched[state.record] = row, None if based or already is None else already | changed
        conflicts.setdefault(state.record, len(row.conflicts))
        of_type = rules.of(row.state.type)
        if index and (based or not of_type.searched.isdisjoint(map(field_of, changed))):
            searched.add(state.record)
        if based or (of_type.linked and not of_type.linked.isdisjoint(map(field_of, changed))):
            linked.add(state.record)
        row.state = merged
    facts = device_facts(tx)
    for row, names in touched.values():
        of_type = rules.of(row.state.type)
        if row.state.fields:
            row.state = known_contexts.filled(tx, of_type, row.state, names)
        settle_row(row, of_type, names, facts)
    conflicts |= merges.ask(tx, touched)
    opened = [touched[record][0] for record, n in conflicts.items() if len(touched[record][0].conflicts) > n]
    told = {state.record: state.origins for state in states if state.origins} if opened else {}
    for row in opened:
        _trace(tx, rules, row, told.get(row.state.record, {}))
    _place(tx, rules, touched, unit)
    entered = [] if index else [record for record, (row, _) in touched.items() if _is_elsewhere(row)]
    tx.save(touched)
    rows = {record: row for record, (row, _) in touched.items()}
    if not index:
        sharing.update(tx, rules, rows)
        tx.wake(map(record_key, rows))
        tx.wake(map(sibling_key, rows))
        tx.wake(map(place_key, entered))
        if unit is not None:  # they come from the server above
            tx.wake(map(state_key, known))
    if index:
        tx.unsearched(rows[record].n for record in searched)
    if linked:
        tx.unlinked(rows[record].n for record in linked)
    merges.note(tx, touched)
    return Applied(rows, len(opened))


def _trace(tx: Tx, rules: Rules, row: Row, told: Mapping[str, Value]) -> None:
    """Find the value that a new conflict's heads all started from: as told by a server, or in our own log."""
    for field, origin in row.conflicts.items():
        if origin is None and field in row.state.fields:
            row.conflicts[field] = told.get(field) if field in told else _origin(tx, rules, row.state, field)


def _origin(tx: Tx, rules: Rules, state: State, field: str) -> Value:
    for head in state.fields[field].heads:
        if isinstance(head.value, dict) and REOPENED in head.value:
            return head.value.get("base")  # type: ignore[return-value]  # a JSON value
    of_type = rules.of(state.type)
    known = (of_type.today(one) for logged in tx.commits_of(state.record) if (one := logged.commit()) is not None)
    writes = [commit for commit in known if field in commit.fields]
    heads = {head.dot for head in candidates(state.fields[field])}
    seen_by = [
        dict(next((pairs for names, pairs in commit.context if field in names), ()))
        for commit in writes
        if (commit.device, commit.seq) in heads
    ]
    common = [c for c in writes if seen_by and all(c.seq <= seen.get(c.device, 0) for seen in seen_by)]
    origin = max(common, key=lambda c: (c.stamp, c.device, c.seq)).fields[field] if common else None
    if isinstance(origin, dict) and REOPENED in origin:  # the values chosen from, each decision in the one before
        return origin.get("base")  # type: ignore[return-value]  # a JSON value
    return origin


def device_facts(tx: ReadTx) -> DeviceFacts:
    """Return what this node knows of devices."""
    ranges: dict[bytes, list[tuple[int, int]]] | None = None

    def off(head: Head) -> bool:
        nonlocal ranges
        if ranges is None:  # few records have a tie
            ranges = {}
            for _, device, first, last, _ in tx.clock_notes(0):
                ranges.setdefault(device, []).append((first, last))
        return any(first <= head.seq <= last for first, last in ranges.get(head.device, ()))

    return DeviceFacts(off, person_of(tx))


# --- settling ---------------------------------------------------------------------------------------------------------


def settle_row(row: Row, type_rules: TypeRules, changed: Iterable[str] | None, facts: DeviceFacts = NO_FACTS) -> None:
    """Bring a row's document and open conflicts up to date with its registers; `changed` None means all of them."""
    state = row.state
    if changed is None:
        row.doc = dict(state.values)
        row.conflicts = {}
        changed = state.fields
    fields = dict.fromkeys(map(field_of, changed))
    if "_not_same" in fields:
        fields["_same_as"] = None  # the two are settled together
    if DELETED in state.fields:
        fields[DELETED] = None  # whoever removed the record had seen what has come now, or had not
    for field in fields:
        heads = state.fields[field].heads if field in state.fields else ()
        if len(heads) == 1 and type(heads[0].value) in _SETTLED and type_rules.of(field).kind == "plain":
            row.doc[field] = heads[0].value  # the common case, made short
            if heads[0].value is None:
                del row.doc[field]
            row.conflicts.pop(field, None)
            continue
        look = _settle_field(row, type_rules, field, facts)
        if look or (field == DELETED and any(unseen(state, type_rules.present))):
            row.conflicts.setdefault(field, None)
        else:
            row.conflicts.pop(field, None)
    if "_not_same" in row.doc and row.doc.get("_same_as") in row.doc["_not_same"]:
        row.conflicts.setdefault("_same_as", None)  # one person merged what another, unaware of it, called two
    row.code = row.doc.get("_code")


def _settle_field(row: Row, type_rules: TypeRules, field: str, facts: DeviceFacts) -> bool:
    """Put a field's settled value into the document; return whether a person must look."""
    state, doc = row.state, row.doc
    plain = state.fields.get(field)
    rule = type_rules.of(field, member=plain is None)
    look = False
    value: object
    if field == DECIDED:
        return False
    if rule.kind == "plain":
        settled = settle(register_of(state, field), rule.policy, facts.off, facts.person)
        value, look = settled.value, settled.look
        if field == DELETED and isinstance(value, dict):
            value = value.get("reason")
    else:
        parts = [(name.partition("/")[2], r) for name, r in state.fields.items() if name.startswith(field + "/")]
        if rule.kind == "set":
            implicit = state.values.get(field)
            members = set(implicit) if isinstance(implicit, list) else set()
            value = sorted(members | {member for member, register in parts if present(register)})
        elif rule.kind == "tally":
            value = sum(counted(register) for _, register in parts)
        else:
            heads = sorted([r.heads[-1] for _, r in parts], key=_BY_TIME)
            value = [{"at": stamp.text(h.stamp), "by": h.author, "text": h.value} for h in heads if h.value is not None]
    if value is None or value == []:
        doc.pop(field, None)
    else:
        doc[field] = value
    return look


# --- where a record lives ---------------------------------------------------------------------------------------------


def _place(tx: Tx, rules: Rules, touched: Touched, unit: str | None) -> None:
    """Give every touched row its channel, and move what belongs to a record that moved or has just arrived."""
    owners = set()
    for row, _ in touched.values():
        row.owner = owner_of(row, rules)
        if row.owner is not None and row.owner not in touched:
            owners.add(row.owner)
    elsewhere = tx.channels_of(owners) if owners else {}
    also = tx.also_of(owners) if owners else {}
    numbers: dict[str, int] = {}

    def number(name: str) -> int:
        if name not in numbers:
            numbers[name] = tx.channel_number(name)
        return numbers[name]

    # no recursion: a function that names itself is a cycle, and would keep the whole batch until garbage is collected
    def place(row: Row) -> tuple[int, Iterable[int]]:
        top = row
        for _ in range(_DEEPEST):
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
        if unit is None and tx.left and top.channel == tx.left:
            return tx.left, ()  # what is written to it here follows it; only the server above brings it back
        if unit is not None and unit.endswith(SHARED):
            return number(unit), ()  # it has no unit here, or is of the one that it is shared with
        if rules.of(top.state.type).type is None and unit is not None and unit.endswith(BELOW):
            return number(unit), ()  # a type that is news here: it stays where it came by
        end = BELOW if rules.of(top.state.type).below else ""
        shown = number(home_unit(str(top.doc.get("_unit") or unit or NOWHERE)) + end)
        register = top.state.fields.get("_unit")
        if register is None or (len(register.heads) == 1 and isinstance(register.heads[0].value, str)):
            return shown, ()
        # two moved it to two places: it is in both, until somebody settles that
        return shown, [number(head.value + end) for head in candidates(register) if isinstance(head.value, str)]

    raised = {}  # records that only those above may have, and what belongs to them: once their owners have their places
    for record, (row, _) in touched.items():
        lifted = _lifted(row, touched, rules) if rules.raised else None
        if lifted is None:
            row.channel, others = place(row)
            row.also = dict.fromkeys(set(others) - {row.channel}, 0) if others else NOWHERE_ELSE
        else:
            raised[record] = lifted
    for record, lifted in raised.items():
        row = touched[record][0]
        row.also = NOWHERE_ELSE
        if unit is None and tx.left and lifted.channel == tx.left:
            continue
        row.channel = _above(tx, rules, lifted, touched, elsewhere, also, unit)
    owning = rules.owners
    moved = [record for record, (row, _) in touched.items() if row.state.type in owning and _is_elsewhere(row)]
    followers = [record for record in tx.owned_by(moved) if record not in touched] if moved else []
    found = tx.rows(followers) if followers else {}
    if found and tx.left and tx.get("kind") == "laptop":  # what it keeps as no server has applied it follows nobody
        found = {record: row for record, row in found.items() if row.channel != tx.left}
    if found:
        touched.update({record: (row, set()) for record, row in found.items()})
        _place(tx, rules, touched, unit)


def _is_elsewhere(row: Row) -> bool:
    """Say whether a row is in other channels than it was stored in."""
    return row.channel != row.old_channel or row.also.keys() != row.old_also.keys()


def _lifted(row: Row, touched: Touched, rules: Rules) -> Row | None:
    """Return the record itself, or that among what it belongs to, which only those above may have."""
    for _ in range(_DEEPEST):
        if rules.of(row.state.type).above:
            return row
        if row.owner is None or row.owner not in touched:
            return None
        row = touched[row.owner][0]
    return None


def _above(
    tx: Tx,
    rules: Rules,
    row: Row,
    touched: Touched,
    elsewhere: Mapping[bytes, int],
    also: Mapping[bytes, Mapping[int, int]],
    unit: str | None,
) -> int:
    """Return the channel of a record that is for those above its owner; where there is any doubt who these are, the topmost."""
    named = register_of(row.state, rules.of(row.state.type).belongs_to or "")
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


_DEEPEST = 8  # household → person → case → follow-up, and room


def owner_of(row: Row, rules: Rules) -> bytes | None:
    """Return the id of the record that a record belongs to, as its document names it."""
    field = rules.of(row.state.type).belongs_to
    value = row.doc.get(field) if field is not None else None
    try:
        return uuid.UUID(value).bytes if isinstance(value, str) else None
    except ValueError:
        return None

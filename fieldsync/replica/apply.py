"""The one way in: states from the keyboard, the network or a bundle are joined, settled and stored in one transaction.

Follow one save through: commands/records.py → replica/save.py → here → protocol/client.py → server/app.py, which ends here again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter

from msgspec import Struct

from fieldsync.core import stamp
from fieldsync.core.deletion import DELETED, unseen_by_deletions
from fieldsync.core.register import Head, Value
from fieldsync.core.settle import (
    DECIDED,
    REOPENED,
    Person,
    candidate_heads,
    device_itself,
    settle,
    settle_member,
    settle_tally_part,
    trusts_all,
)
from fieldsync.core.state import State, field_of, join_states, register_of
from fieldsync.replica import known_contexts, merge_arrivals, placement
from fieldsync.replica.edit_coverage import person_of
from fieldsync.replica.extensions import registered_extensions
from fieldsync.replica.merge_rules import Rules, TypeRules
from fieldsync.replica.placement import Touched
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import (
    Row,
    place_key,
    record_key,
    sibling_key,
    state_key,
)

_SETTLED = {str, int, float, bool, type(None)}  # values that say nothing but themselves
_BY_TIME = itemgetter(2, 0, 1)  # a head's stamp, then its dot


class DeviceFacts(Struct, frozen=True):
    """A node's data on devices: whether a head's clock was wrong, and the person of a device."""

    off: Callable[[Head], bool] = trusts_all
    person: Person = device_itself


NO_FACTS = DeviceFacts()


class AppliedStates(Struct, frozen=True):
    """The result of an apply: changed rows by record id, and the number of new conflicts."""

    rows: dict[bytes, Row]
    new_conflicts: int


def apply_states(
    tx: Tx,
    rules: Rules,
    states: Sequence[State],
    *,
    unit: str | None = None,
    index: bool,
    known: dict[bytes, Row] | None = None,
) -> AppliedStates:
    """Join states into the store; `unit` is the channel they came by, `index` keeps full text (laptops).

    `known` are the rows of these records where the caller has read them already.
    """
    if rules.has_renames:
        states = [rules.upgrade_state(state) for state in states]
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
            if rules.type_rules(state.type).linked:
                linked.add(state.record)
            continue
        merged, changed = join_states(row.state, state)
        based = merged.base != row.state.base
        if not changed and not based:
            continue
        already = touched.get(state.record, (row, set[str]()))[1]
        touched[state.record] = row, None if based or already is None else already | changed
        conflicts.setdefault(state.record, len(row.conflicts))
        of_type = rules.type_rules(row.state.type)
        if index and (based or not of_type.searched.isdisjoint(map(field_of, changed))):
            searched.add(state.record)
        if based or (of_type.linked and not of_type.linked.isdisjoint(map(field_of, changed))):
            linked.add(state.record)
        row.state = merged
    facts = device_facts(tx)
    for row, names in touched.values():
        of_type = rules.type_rules(row.state.type)
        if row.state.fields:
            row.state = known_contexts.fill_contexts(tx, of_type, row.state, names)
        settle_row(row, of_type, names, facts)
    conflicts |= merge_arrivals.reopen_merges(tx, touched)
    opened = [touched[record][0] for record, n in conflicts.items() if len(touched[record][0].conflicts) > n]
    told = {state.record: state.origins for state in states if state.origins} if opened else {}
    for row in opened:
        _trace_origins(tx, rules, row, told.get(row.state.record, {}))
    placement.place_rows(tx, rules, touched, unit)
    entered = [] if index else [record for record, (row, _) in touched.items() if placement.is_elsewhere(row)]
    tx.save_rows(touched)
    rows = {record: row for record, (row, _) in touched.items()}
    if not index:
        registered_extensions().update_projections(tx, rules, rows)
        tx.wake_waiting(map(record_key, rows))
        tx.wake_waiting(map(sibling_key, rows))
        tx.wake_waiting(map(place_key, entered))
        if unit is not None:  # they come from the upstream server
            tx.wake_waiting(map(state_key, known))
    if index:
        tx.invalidate_search(rows[record].n for record in searched)
    if linked:
        tx.invalidate_blocks(rows[record].n for record in linked)
    merge_arrivals.note_merges(tx, touched)
    return AppliedStates(rows, len(opened))


def _trace_origins(tx: Tx, rules: Rules, row: Row, told: Mapping[str, Value]) -> None:
    """Find the common former value of a new conflict's heads, from a server or our own log."""
    for field, origin in row.conflicts.items():
        if origin is None and field in row.state.fields:
            row.conflicts[field] = told.get(field) if field in told else _conflict_origin(tx, rules, row.state, field)


def _conflict_origin(tx: Tx, rules: Rules, state: State, field: str) -> Value:
    for head in state.fields[field].heads:
        if isinstance(head.value, dict) and REOPENED in head.value:
            return head.value.get("base")  # type: ignore[return-value]  # a JSON value
    of_type = rules.type_rules(state.type)
    known = (
        of_type.with_present_names(one)
        for logged in tx.commits_of(state.record)
        if (one := logged.commit()) is not None
    )
    writes = [commit for commit in known if field in commit.fields]
    heads = {head.dot for head in candidate_heads(state.fields[field])}
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
    """Return this node's data on devices."""
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
        if len(heads) == 1 and type(heads[0].value) in _SETTLED and type_rules.field_rule(field).kind == "plain":
            row.doc[field] = heads[0].value  # the common case, made short
            if heads[0].value is None:
                del row.doc[field]
            row.conflicts.pop(field, None)
            continue
        look = _settle_field(row, type_rules, field, facts)
        if look or (field == DELETED and any(unseen_by_deletions(state, type_rules.present_name))):
            row.conflicts.setdefault(field, None)
        else:
            row.conflicts.pop(field, None)
    if "_not_same" in row.doc and row.doc.get("_same_as") in row.doc["_not_same"]:
        row.conflicts.setdefault("_same_as", None)  # one person merged what another, unaware of it, called two
    code = row.doc.get("_code")
    row.code = code if isinstance(code, str) else None


def _settle_field(row: Row, type_rules: TypeRules, field: str, facts: DeviceFacts) -> bool:
    """Put a field's settled value into the document; return whether a person must look."""
    state, doc = row.state, row.doc
    plain = state.fields.get(field)
    rule = type_rules.field_rule(field, member=plain is None)
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
            value = sorted(members | {member for member, register in parts if settle_member(register)})
        elif rule.kind == "tally":
            value = sum(settle_tally_part(register) for _, register in parts)
        else:
            heads = sorted([r.heads[-1] for _, r in parts], key=_BY_TIME)
            value = [
                {"at": stamp.stamp_text(h.stamp), "by": h.author, "text": h.value} for h in heads if h.value is not None
            ]
    if value is None or value == []:
        doc.pop(field, None)
    else:
        doc[field] = value
    return look

"""Review: conflicts that need a person, and decisions about them. A decision is an ordinary commit that covers all heads."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from msgspec import UNSET, Struct, UnsetType

from fieldsync import errors
from fieldsync.core import record_ids, stamp
from fieldsync.core.deletion import deletion_value
from fieldsync.core.grants import DECIDERS, covering_grant
from fieldsync.core.merges import SAME_AS
from fieldsync.core.register import Head, Value
from fieldsync.core.settle import DECIDED, REOPENED, candidate_heads, pack_head, settle_member
from fieldsync.core.state import register_of
from fieldsync.core.units import home_unit
from fieldsync.replica import merge_arrivals
from fieldsync.replica.changes import Draft
from fieldsync.replica.commit_writer import commit_drafts
from fieldsync.replica.lookup import RelatedRecords, find_row
from fieldsync.replica.node import Node
from fieldsync.replica.queries import ShownHead, heads_of
from fieldsync.replica.record_units import units_of
from fieldsync.replica.save import draft_edit
from fieldsync.review.asked_questions import AskedQuestion, open_questions, settle_questions
from fieldsync.review.conflict_filter import EVERYTHING, ConflictFilter
from fieldsync.schema import validate
from fieldsync.schema.text_cleaning import plain_digits
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Progress, RecordQuery, Row

T = TypeVar("T")
Missing = object()
_PART = 250  # decisions between two words of how far it has got
_MOST_KEPT = 200  # heads that a decision keeps, to be taken back to


class OpenConflict(Struct, frozen=True):
    """A field in conflict.

    record: its id.
    title: its name, or the person or family that it is about.
    unit: its unit; of several, one of this node's.
    base: the value before the heads.
    heads: the conflicting values.
    since: when the second of them was written.
    questions: questions to the authors of the values; absent if there are none.
    """

    record: str
    code: str | None
    type: str
    unit: str
    field: str
    base: Value
    heads: list[ShownHead]
    since: str
    title: str
    questions: list[AskedQuestion] | UnsetType = UNSET


def list_conflicts(
    node: Node, narrowed: ConflictFilter = EVERYTHING, *, progress: Progress | None = None
) -> list[OpenConflict]:
    """Return the open conflicts, the oldest first; `progress(done, None, "reading")`."""
    found: list[OpenConflict] = []
    with node.store.read() as tx:
        reader = ConflictReader(node, tx)
        for at, row in enumerate(tx.select_rows(RecordQuery(type=narrowed.type, in_conflict=True))):
            if narrowed.has_unit(tx.channel(n).unit for n in row.channels):
                found += reader.conflicts_in(row, narrowed)
            if progress is not None and at % _PART == 0:
                progress(at, None, "reading")
    return sorted(found, key=lambda item: (item.since, item.record, item.field))


def conflicts_of(node: Node, ref: str) -> list[OpenConflict]:
    """Return one record's open conflicts. NoRecord, Ambiguous."""
    with node.store.read() as tx:
        row = find_row(tx, ref)
        return list(ConflictReader(node, tx, row.state.record).conflicts_in(row))


class ConflictReader:
    """Reads open conflicts, of one record `only` or of all, with their references and questions looked up once."""

    def __init__(self, node: Node, tx: ReadTx, only: bytes | None = None) -> None:
        self._node, self._tx = node, tx
        self._related = RelatedRecords(node, tx)
        self.questions = open_questions(node, tx, only)

    def conflicts_in(self, row: Row, narrowed: ConflictFilter = EVERYTHING) -> Iterator[OpenConflict]:
        """Yield those of a record's open conflicts that belong to a filter, which its unit and type are known to do."""
        for field in sorted(row.conflicts):
            if narrowed.field not in (None, field):
                continue
            item = self.conflict_of(row, field)
            if not narrowed.reads_values or narrowed.has_values(
                (head.by for head in item.heads), item.since, _texts_of(self._node, item), self._node.clock()
            ):
                yield item

    def conflict_of(self, row: Row, field: str) -> OpenConflict:
        """Return one of a record's open conflicts."""
        units = [home_unit(self._tx.channel(n).unit) for n in row.channels]
        unit = next((unit for unit in units if covering_grant(self._node.grants, unit)), units[0])
        heads = chosen_from(row, field)
        stamps = sorted(head.stamp for head in heads)
        record = record_ids.id_text(row.state.record)
        return OpenConflict(
            record=record,
            code=row.code,
            type=row.state.type,
            unit=unit,
            field=field,
            base=row.conflicts[field],
            heads=heads_of(self._tx, heads),
            since=stamp.stamp_text(stamps[1] if len(stamps) > 1 else stamps[0]),
            title=self._related.name_of(row),
            questions=self.questions.get((record, field)) or UNSET,
        )


def _texts_of(node: Node, item: OpenConflict) -> Iterator[str]:
    """Yield the search texts of a conflict: its record's code and name, and its values as stored and as labelled."""
    yield from (item.code or "", item.title)
    kind = node.schema.types.get(item.type)
    field = kind.fields.get(item.field) if kind is not None else None
    for value in (item.base, *(head.value for head in item.heads)):
        yield str(value)
        if field is not None:
            yield from (text for one in field.choices if one.code == value for text in one.label.values())


class Decision(NamedTuple):
    """A decision: one of the heads (`DEVICE:SEQ`), or another value; `seen` are the heads that were shown."""

    record: str
    field: str
    head: str | None = None
    value: Any = Missing
    seen: frozenset[str] = frozenset()


def decide_conflict(
    node: Node, ref: str, field: str, *, head: str | None = None, value: Any = Missing, note: str | None = None
) -> bytes:
    """Decide a conflict for one of its heads (`DEVICE:SEQ`) or another value. NoConflict, NoHead, IllegalValue, RoleRefused."""
    return decide_conflicts(node, [Decision(ref, field, head, value)], note=note)[0]


def decide_conflicts(
    node: Node, decisions: Sequence[Decision], *, note: str | None = None, progress: Progress | None = None
) -> list[bytes]:
    """Decide many conflicts in one save, all of them or none; return the records. Raises as `decide_conflict` does."""
    records: list[bytes] = []
    with node.store.write() as tx:
        for part in _in_parts(decisions, progress):
            rows = [find_row(tx, one.record) for one in part]
            drafts = [_draft_decision(node, tx, row, one, note) for row, one in zip(rows, part, strict=True)]
            drafts += settle_questions(node, tx, [(row, one.field) for row, one in zip(rows, part, strict=True)])
            commit_drafts(node, tx, drafts)
            records += [row.state.record for row in rows]
    return records


def decide_open_conflicts(
    node: Node, decisions: Sequence[Decision], *, note: str | None = None, progress: Progress | None = None
) -> list[Decision]:
    """Decide in one save those that are still as they were looked at; return the others, left alone. Raises as `decide_conflict` does.

    Nobody decides over a value that a sync has brought meanwhile, nor a second time over what somebody else has settled.
    """
    past: list[Decision] = []
    with node.store.write() as tx:
        for part in _in_parts(decisions, progress):
            rows = tx.rows(record_ids.from_text(one.record) for one in part)
            drafts, decided = [], []
            for one in part:
                row = rows.get(record_ids.from_text(one.record))
                if (
                    row is None
                    or one.field not in row.conflicts
                    or names_of(heads_of(tx, chosen_from(row, one.field))) != one.seen
                ):
                    past.append(one)
                else:
                    drafts.append(_draft_decision(node, tx, row, one, note))
                    decided.append((row, one.field))
            if drafts:
                commit_drafts(node, tx, [*drafts, *settle_questions(node, tx, decided)])
    return past


def names_of(heads: Iterable[ShownHead]) -> frozenset[str]:
    """Return the names (`DEVICE:SEQ`) of heads."""
    return frozenset(head.name for head in heads)


def _in_parts(several: Sequence[T], progress: Progress | None) -> Iterator[Sequence[T]]:
    """Yield a long list in parts, with progress: `progress(done, total, "deciding")`."""
    for start in range(0, len(several), _PART):
        yield several[start : start + _PART]
        if progress is not None:
            progress(min(start + _PART, len(several)), len(several), "deciding")


def _draft_decision(node: Node, tx: Tx, row: Row, wanted: Decision, note: str | None) -> Draft:
    field, value = wanted.field, wanted.value
    node.may_decide(*units_of(tx, row))
    if field not in row.conflicts:
        raise errors.NoConflict(field=field)
    heads = chosen_from(row, field)
    kind = node.schema.type(row.state.type)
    chosen: Value
    if wanted.head is not None:
        chosen = _find_head(tx, heads, wanted.head).value
    elif field == SAME_AS and value not in (None, "", Missing, *(head.value for head in heads)):
        chosen = _may_stay(node, tx, row, str(value))
    elif field.startswith("_"):
        chosen = None if value in (None, "", Missing) else value
    else:
        chosen = validate.check_changes(kind, {field: value}, row.doc, node.today(), deciding=True)[field]  # type: ignore[assignment]  # a JSON value
    if field == "_deleted" and chosen is not None:
        chosen = deletion_value(_deletion_reason(chosen), row.state, merge_arrivals.merged_into(tx, row.state.record))
    # of thousands, the newest: a commit has its bounds, and the log has them all
    kept = heads if len(heads) <= _MOST_KEPT else sorted(heads, key=lambda one: one.stamp)[-_MOST_KEPT:]
    over: Value = {"heads": [pack_head(one) for one in kept], "base": row.conflicts[field], "note": note or None}
    fields: dict[str, Value] = {field: chosen, f"{DECIDED}/{field}": over}
    if field == SAME_AS and chosen is not None and settle_member(register_of(row.state, f"_not_same/{chosen}")):
        fields[f"_not_same/{chosen}"] = False
    return draft_edit(node, row, kind, fields, note=note, decides=True)


def _may_stay(node: Node, tx: Tx, row: Row, ref: str) -> str:
    """Return the id of a record that a merge in question is to name instead: the decider must have the right to it, too."""
    other = find_row(tx, ref)
    if other.state.record == row.state.record:
        raise errors.AlreadyOne
    if other.state.type != row.state.type:
        raise errors.TwoTypes(types=[row.state.type, other.state.type])
    node.may_decide(*units_of(tx, other))
    return record_ids.id_text(other.state.record)


def undo_decision(node: Node, ref: str, field: str, *, note: str | None = None) -> bytes:
    """Take a decision back: the conflict is open again, with the heads it had. NoUndo when something else came after it."""
    return undo_decisions(node, [(ref, field)], note=note)[0]


def undo_decisions(
    node: Node, decided: Sequence[tuple[str, str]], *, note: str | None = None, progress: Progress | None = None
) -> list[bytes]:
    """Take many decisions back in one save, all of them or none; return the records. Raises as `undo_decision` does."""
    records: list[bytes] = []
    with node.store.write() as tx:
        for part in _in_parts(decided, progress):
            rows = [find_row(tx, ref) for ref, _ in part]
            drafts = [draft_undo(node, tx, row, field, note) for row, (_, field) in zip(rows, part, strict=True)]
            commit_drafts(node, tx, drafts)
            records += [row.state.record for row in rows]
    return records


def draft_undo(node: Node, tx: Tx, row: Row, field: str, note: str | None) -> Draft:
    """Return the draft by which a decision is taken back. NoUndo, RoleRefused, UnitRefused."""
    node.may_decide(*units_of(tx, row))
    decisions = register_of(row.state, f"{DECIDED}/{field}").heads
    current = register_of(row.state, field).heads
    decided = decisions[0].value if len(decisions) == 1 else None
    if not isinstance(decided, dict) or [h.dot for h in current] != [h.dot for h in decisions]:
        raise errors.NoUndo(field=field)
    fields: dict[str, Value] = {
        field: {REOPENED: decided["heads"], "base": decided.get("base")},
        f"{DECIDED}/{field}": None,
    }
    kind = node.schema.type(row.state.type)
    return draft_edit(node, row, kind, fields, note=note, decides=True)


def chosen_from(row: Row, field: str) -> tuple[Head, ...]:
    """Return the options of a decision: a field's heads, and for a merge also its rejection."""
    heads = candidate_heads(register_of(row.state, field))
    if field != SAME_AS:
        return heads
    said = (register_of(row.state, f"_not_same/{head.value}") for head in heads if isinstance(head.value, str))
    return heads + tuple(one._replace(value=None) for register in said for one in register.heads if one.value is True)


def may_decide_somewhere(node: Node) -> bool:
    """Return whether this person may decide reviews in any unit."""
    return any(covering_grant((grant,), grant.unit) and grant.role in DECIDERS for grant in node.grants)


def _find_head(tx: Tx, heads: tuple[Head, ...], wanted: str) -> Head:
    device, _, seq = plain_digits(wanted).rpartition(":")
    for one in heads:
        known = tx.device(one.device)
        letters = known.letters if known is not None else None
        if str(one.seq) == seq and (
            device == letters or (len(device) >= 4 and one.device.hex().startswith(device.lower()))
        ):
            return one
    raise errors.NoHead(head=wanted, heads=[one.name for one in heads_of(tx, heads)])


def _deletion_reason(value: Value) -> str:
    return str(value.get("reason")) if isinstance(value, dict) else str(value)

"""Duplicate pairs: candidates for one person or household, merged, split again or marked as different.

A merge is an ordinary commit: `_same_as` on the merged record names the surviving one. No value and no reference is
changed, so it can be split at any time; readers follow `_same_as`. "Not the same" is `_not_same/ID` on both of them. Two
supervisors who decide differently make a conflict of `_same_as`, decided in review like any other.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.core.register import Value
from fieldsync.core.settle import settle_member
from fieldsync.core.state import register_of
from fieldsync.core.units import is_within
from fieldsync.linkage import comparison, features
from fieldsync.replica import duplicate_index, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.commit_writer import commit_drafts
from fieldsync.replica.lookup import RelatedRecords, find_row
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record, RecordShaper
from fieldsync.replica.record_units import unit_of, units_of
from fieldsync.replica.save import draft_edit
from fieldsync.review.asked_questions import settle_questions
from fieldsync.review.renewed_pairs import AGAIN, NOT_SAME, is_renewed, undecided_pairs
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import Document, Progress, Row

SAME = "_same_as"


class DuplicatePair(Struct, frozen=True):
    """Two records that may be one.

    a: the id of one.
    b: the id of the other.
    score: the likelihood of a duplicate, from 0 to 1.
    reasons: the evidence for and against it; `again`: new evidence since the pair was rejected.
    """

    a: str
    b: str
    score: float
    reasons: list[str]
    type: str
    a_code: str | None
    b_code: str | None
    a_unit: str
    b_unit: str
    a_title: str
    b_title: str


class ComparedPair(Struct, frozen=True):
    """Two records side by side.

    score: the likelihood of a duplicate, from 0 to 1.
    reasons: the evidence for and against it; `again`: new evidence since the pair was rejected.
    same: whether they were merged.
    not_same: whether the pair was rejected.
    """

    a: Record
    b: Record
    score: float
    reasons: list[str]
    same: bool
    not_same: bool


class DuplicateScan(Struct, frozen=True):
    """The number of newly compared records, and of open pairs."""

    compared: int
    pairs: int


class PossibleDuplicate(Struct, frozen=True):
    """A possible duplicate of a new record."""

    id: str
    code: str | None
    score: float
    reasons: list[str]


class SimilarRecord(NamedTuple):
    """A record that a new one may be a duplicate of, as it is shown before that is saved."""

    id: str
    code: str | None
    type: str
    unit: str | None
    fields: Document
    score: float
    reasons: list[str]
    unsent: bool = False

    def brief(self) -> PossibleDuplicate:
        """Return which record it is, and why."""
        return PossibleDuplicate(self.id, self.code, self.score, self.reasons)


# --- what may be one --------------------------------------------------------------------------------------------------


def scan_duplicates(node: Node, *, progress: Progress | None = None) -> DuplicateScan:
    """Compare everything anew."""
    with node.write_repeatable() as tx:
        tx.invalidate_all_blocks()
        compared, _ = tx.uncompared_counts()
    duplicate_index.update_index(node, compare=True, progress=progress)
    with node.store.read() as tx:
        return DuplicateScan(compared, len(undecided_pairs(tx, comparison.LIKELY)))


def list_pairs(
    node: Node,
    *,
    type: str | None = None,
    unit: str | None = None,
    weak: bool = False,
    progress: Progress | None = None,
) -> list[DuplicatePair]:
    """Return the open pairs in the contract's shape `duplicates list`, the likeliest first; `weak`: the unlikely ones too.

    What came in since the last time is compared now.
    """
    duplicate_index.update_index(node, compare=True, progress=progress)
    least = comparison.WORTH if weak else comparison.LIKELY
    with node.store.read() as tx:
        pairs = undecided_pairs(tx, least, type)
        rows = tx.rows({record for a, b, _, _ in pairs for record in (a, b)})
        related = RelatedRecords(node, tx)
        found = [
            DuplicatePair(
                record_ids.id_text(a), record_ids.id_text(b), score, list(reasons), rows[a].state.type,
                a_code=rows[a].code, b_code=rows[b].code, a_unit=unit_of(tx, rows[a]), b_unit=unit_of(tx, rows[b]),
                a_title=related.title_of(rows[a]), b_title=related.title_of(rows[b]),
            )
            for a, b, score, reasons in pairs
        ]  # fmt: skip
    return [one for one in found if unit is None or any(is_within(place, unit) for place in (one.a_unit, one.b_unit))]


def show_pair(node: Node, a: str, b: str) -> ComparedPair:
    """Return two records side by side, with past decisions."""
    with node.store.read() as tx:
        one, other = _find_two(tx, a, b)
        match = duplicate_index.compare_pair(tx, one.n, other.n)
        shower = RecordShaper(node, tx)
        distinct = _are_distinct(one, other)
        again = distinct and is_renewed(tx, one, other, match.reasons, duplicate_index.shared_contacts(tx))
        return ComparedPair(
            shower.record(one), shower.record(other), match.score, [*match.reasons, *[AGAIN] * again],
            same=_merge_target(tx, one) == _merge_target(tx, other), not_same=distinct,
        )  # fmt: skip


def show_unmerged(node: Node, ref: str) -> Record:
    """Return a record itself, without following a merge."""
    with node.store.read() as tx:
        return RecordShaper(node, tx).record(find_row(tx, ref))


def likely_duplicates(
    node: Node, type: str, changes: Changes, *, progress: Progress | None = None
) -> list[SimilarRecord]:
    """Return the records here that a new one may be a duplicate of, the likeliest first: to be shown before it is saved.

    UnknownField, IllegalValue where the new record itself is not good.
    """
    if type not in features.FIELDS:
        return []
    kind = node.schema.type(type)
    duplicate_index.update_index(node, compare=False, progress=progress)
    with node.store.read() as tx:
        doc: dict[str, Any] = save.new_fields(node, tx, kind, changes)
        owner = doc.get(kind.belongs_to or "")
        found = duplicate_index.find_candidates(
            tx, type, doc, record_ids.from_text(owner) if isinstance(owner, str) else None
        )
        rows = tx.rows([one.record for one in found])
        return [
            SimilarRecord(
                record_ids.id_text(one.record), rows[one.record].code, type, unit_of(tx, rows[one.record]),
                fields={name: value for name, value in rows[one.record].doc.items() if not name.startswith("_")},
                score=one.match.score, reasons=list(one.match.reasons),
            )
            for one in found
        ]  # fmt: skip


# --- what a person says -----------------------------------------------------------------------------------------------


def merge_records(node: Node, a: str, b: str, *, note: str | None = None) -> bytes:
    """Merge record B into A; return A's id. AlreadyOne, TwoTypes, RoleRefused, UnitRefused.

    Earlier merges keep their survivor: the last record of B's chain is merged into the last of A's.
    """
    with node.store.write() as tx:
        return merge_within(node, tx, a, b, note=note).stays


class MergedRecords(NamedTuple):
    """Two merged records: the surviving one, and the one merged into it."""

    stays: bytes
    gave: bytes


def merge_within(node: Node, tx: Tx, a: str, b: str, *, note: str | None = None) -> MergedRecords:
    """Do so within a transaction."""
    one, other = _find_decidable(node, tx, a, b)
    stays, gives = _root_row(tx, one), _root_row(tx, other)
    if stays.state.record == gives.state.record:
        raise errors.AlreadyOne
    _may_decide(node, tx, stays, gives)
    kept = record_ids.id_text(stays.state.record)
    fields: dict[bytes, dict[str, Value]] = {gives.state.record: {SAME: kept}}
    rows = {row.state.record: row for row in (one, other, stays, gives)}
    for left, right in ((one, other), (stays, gives)):
        for row, name in ((left, _not_mergeable(right)), (right, _not_mergeable(left))):
            if settle_member(register_of(row.state, name)):
                fields.setdefault(row.state.record, {})[name] = False
    _write_decisions(node, tx, rows, fields, note, about=[(one, other), (stays, gives)])
    return MergedRecords(stays.state.record, gives.state.record)


def split_records(node: Node, a: str, b: str, *, note: str | None = None) -> bytes:
    """Undo a merge: the merged record of the two is separate again; return its id. NotOne, RoleRefused, UnitRefused."""
    with node.store.write() as tx:
        one, other = _find_decidable(node, tx, a, b)
        if _merge_target(tx, one) != _merge_target(tx, other) or one.state.record == other.state.record:
            raise errors.NotOne
        # B in A's line, A in B's, or both in a third one's: then B leaves
        gave = (
            one if record_ids.id_text(other.state.record) in _merge_chain(tx, one) or SAME not in other.doc else other
        )
        leaving = {gave.state.record: gave}
        stays = _root_row(tx, one)
        if SAME in stays.doc:  # a ring: the one that stands for all of it was merged into one of them, too
            leaving[stays.state.record] = stays
            if stays.state.record == gave.state.record:
                leaving |= {row.state.record: row for row in (one, other)}
        _write_decisions(node, tx, leaving, {record: {SAME: None} for record in leaving}, note)
    return gave.state.record


def part_records(node: Node, gave: Sequence[bytes], *, note: str | None = None) -> None:
    """Split merged records in one save. NotOne where one does already, RoleRefused, UnitRefused."""
    with node.store.write() as tx:
        rows = tx.rows(gave)
        if len(rows) < len(gave) or any(SAME not in row.doc for row in rows.values()):
            raise errors.NotOne
        _may_decide(node, tx, *rows.values())
        _write_decisions(node, tx, rows, {record: {SAME: None} for record in gave}, note)


def mark_distinct(node: Node, a: str, b: str, *, note: str | None = None) -> None:
    """Mark two records as different, so that the pair is not offered again. AlreadyOne (split first), RoleRefused, UnitRefused."""
    with node.store.write() as tx:
        one, other = _find_decidable(node, tx, a, b)
        if _merge_target(tx, one) == _merge_target(tx, other):
            raise errors.AlreadyOne
        rows = {row.state.record: row for row in (one, other)}
        said: tuple[tuple[Row, Row], ...] = ((one, other), (other, one))
        fields: dict[bytes, dict[str, Value]] = {
            row.state.record: {_not_mergeable(second): True} for row, second in said
        }
        _write_decisions(node, tx, rows, fields, note, about=[(one, other)])


def unmark_distinct(node: Node, a: str, b: str, *, note: str | None = None) -> None:
    """Take it back that two records are two: they may be one again. RoleRefused, UnitRefused."""
    with node.store.write() as tx:
        one, other = _find_decidable(node, tx, a, b)
        rows = {row.state.record: row for row in (one, other)}
        said: tuple[tuple[Row, Row], ...] = ((one, other), (other, one))
        _write_decisions(
            node, tx, rows, {row.state.record: {_not_mergeable(second): False} for row, second in said}, note
        )


def _write_decisions(
    node: Node,
    tx: Tx,
    rows: Mapping[bytes, Row],
    fields: Mapping[bytes, dict[str, Value]],
    note: str | None,
    *,
    about: Sequence[tuple[Row, Row]] = (),
) -> None:
    """Write decisions: each covers all heads, like any other in review; questions `about` these pairs are closed."""
    drafts = [
        draft_edit(node, rows[record], node.schema.type(rows[record].state.type), told, note=note, decides=True)
        for record, told in fields.items()
    ]
    decided = {(row.state.record, _not_mergeable(other)): row for a, b in about for row, other in ((a, b), (b, a))}
    asked = settle_questions(node, tx, [(row, field) for (_, field), row in decided.items()])
    commit_drafts(node, tx, [*drafts, *asked])


def _find_two(tx: ReadTx, a: str, b: str) -> tuple[Row, Row]:
    one, other = find_row(tx, a), find_row(tx, b)
    if one.state.type != other.state.type:
        raise errors.TwoTypes(types=[one.state.type, other.state.type])
    return one, other


def _find_decidable(node: Node, tx: Tx, a: str, b: str) -> tuple[Row, Row]:
    one, other = _find_two(tx, a, b)
    if one.state.record == other.state.record:
        raise errors.AlreadyOne
    _may_decide(node, tx, one, other)
    return one, other


def _may_decide(node: Node, tx: Tx, *rows: Row) -> None:
    """Check the decider's permission for both records."""
    for row in rows:
        node.may_decide(*units_of(tx, row))


def _merge_target(tx: ReadTx, row: Row) -> str:
    record = record_ids.id_text(row.state.record)
    return tx.merge_targets.get(record, record)


def _root_row(tx: Tx, row: Row) -> Row:
    """Return the surviving record of one; itself if that is not here."""
    root = record_ids.from_text(_merge_target(tx, row))
    return tx.rows([root]).get(root, row)


def _merge_chain(tx: Tx, row: Row) -> list[str]:
    """Return the chain of records that a record was merged into."""
    found: list[str] = []
    following = row.doc.get(SAME)
    while following and following not in found:
        found.append(following)
        further = tx.rows([record_ids.from_text(following)]).get(record_ids.from_text(following))
        following = None if further is None else further.doc.get(SAME)
    return found


def _not_mergeable(row: Row) -> str:
    return f"{NOT_SAME}/{record_ids.id_text(row.state.record)}"


def _are_distinct(one: Row, other: Row) -> bool:
    return any(
        settle_member(register_of(row.state, _not_mergeable(second))) for row, second in ((one, other), (other, one))
    )

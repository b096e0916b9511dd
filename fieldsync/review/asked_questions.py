"""Questions to the authors of conflicting values or of a pair: child records of the record in question.

A question about a pair has the register that would mark the pair as different, `_not_same/ID`, in place of the field.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct

from fieldsync.core import record_ids, stamp
from fieldsync.core.merges import NOT_SAME
from fieldsync.core.state import newest_write
from fieldsync.replica.changes import Draft
from fieldsync.replica.lookup import RelatedRecords
from fieldsync.replica.node import Node
from fieldsync.replica.save import draft_edit
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import RecordQuery, Row

QUESTION = "question"


class AskedQuestion(Struct, frozen=True):
    """A question about a conflict.

    record: the id of the question.
    code: its code.
    of: the person asked.
    by: the person who asks.
    at: when it was asked.
    answer: null until there is one.
    """

    record: str
    code: str | None
    of: str
    by: str | None
    at: str | None
    question: str
    answer: str | None


Questions = Mapping[tuple[str, str], list[AskedQuestion]]
"""By the record's id and the field."""


def pair_field(other: str) -> str:
    """Return what stands for the field in a question about a pair, given the other record's id."""
    return f"{NOT_SAME}/{other}"


def open_questions(node: Node, tx: ReadTx, only: bytes | None = None) -> Questions:
    """Return the questions about conflicts that are not decided yet, the oldest first; about one record `only`, or all."""
    if QUESTION not in node.schema.types:
        return {}
    related = RelatedRecords(node, tx)
    found = defaultdict(list)
    for row in tx.select_rows(RecordQuery(type=QUESTION, deleted=False)) if only is None else _rows_about(tx, only):
        about, field = row.doc.get("about"), row.doc.get("conflict_in")
        if isinstance(about, str) and isinstance(field, str) and not row.doc.get("decided_on"):
            found[about, field].append(_question_of(related, row))
    return {key: sorted(several, key=lambda one: (one.at or "", one.of)) for key, several in found.items()}


def pair_questions(asked: Questions, a: str, b: str) -> list[AskedQuestion]:
    """Return the questions about a pair of records, the oldest first."""
    found = [*asked.get((a, pair_field(b)), ()), *asked.get((b, pair_field(a)), ())]
    return sorted(found, key=lambda one: (one.at or "", one.of))


def _rows_about(tx: ReadTx, *records: bytes) -> list[Row]:
    owned = tx.rows(tx.ids_owned_by(records))
    return [row for _, row in sorted(owned.items()) if row.state.type == QUESTION and "_deleted" not in row.doc]


def _question_of(related: RelatedRecords, row: Row) -> AskedQuestion:
    made = row.state.base or newest_write(row.state)
    answer = row.doc.get("answer")
    return AskedQuestion(
        record_ids.id_text(row.state.record),
        row.code,
        of=related.worker_name(row.doc.get("asked_of")) or "",
        by=None if made is None else made.author,
        at=None if made is None else stamp.stamp_text(made.stamp),
        question=str(row.doc.get("question", "")),
        answer=None if answer is None else str(answer),
    )


def settle_questions(node: Node, tx: Tx, decided: Iterable[tuple[Row, str]]) -> list[Draft]:
    """Return the drafts that close the questions about decided conflicts (record and field)."""
    kind = node.schema.types.get(QUESTION)
    if kind is None:
        return []
    fields: dict[str, set[str]] = defaultdict(set)
    for row, field in decided:
        fields[record_ids.id_text(row.state.record)].add(field)
    return [
        draft_edit(node, row, kind, {"decided_on": node.today()})
        for row in _rows_about(tx, *map(record_ids.from_text, fields))
        if row.doc.get("conflict_in") in fields[str(row.doc.get("about"))] and not row.doc.get("decided_on")
    ]


def settle_pairs_of(node: Node, tx: Tx, record: bytes) -> list[Draft]:
    """Return the drafts that close the questions about all pairs of a record that is no longer in question."""
    kind, named = node.schema.types.get(QUESTION), record_ids.id_text(record)
    if kind is None:
        return []
    return [
        draft_edit(node, row, kind, {"decided_on": node.today()})
        for row in tx.select_rows(RecordQuery(type=QUESTION, deleted=False))
        if not row.doc.get("decided_on") and _is_about_pair_of(row, named)
    ]


def _is_about_pair_of(row: Row, record: str) -> bool:
    field = str(row.doc.get("conflict_in"))
    return field == pair_field(record) or (row.doc.get("about") == record and field.startswith(pair_field("")))

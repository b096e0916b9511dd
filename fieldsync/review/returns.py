"""Returning a conflict or a pair to its authors with a question; it goes to the end of the queue until answered."""

from collections.abc import Mapping, Sequence

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.replica import save
from fieldsync.replica.changes import Changes, NewRecord
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.replica.queries import Record
from fieldsync.review.asked_questions import QUESTION, AskedQuestion, open_questions, pair_field, pair_questions
from fieldsync.review.decisions import OpenConflict, conflicts_of


def check_forms(node: Node) -> None:
    """Refuse a question where the forms in force are older than questions; UnknownType."""
    if QUESTION not in node.schema.types:
        raise errors.UnknownType(type=QUESTION, known=list(node.schema.types), reason="command")


def open_conflict(node: Node, ref: str, field: str) -> OpenConflict:
    """Return one open conflict. NoRecord, Ambiguous, NoConflict."""
    for item in conflicts_of(node, ref):
        if item.field == field:
            return item
    raise errors.NoConflict(field=field)


def authors_to_ask(node: Node, item: OpenConflict) -> list[str]:
    """Return the authors of a conflict's values, without the asking person."""
    return [name for name in dict.fromkeys(head.by for head in item.heads) if name != node.person]


def return_conflict(
    node: Node, item: OpenConflict, question: str, *, what: str, of: str | None = None
) -> list[AskedQuestion]:
    """Ask one author, or all, about a conflict; `what` describes the values. RoleRefused, IllegalValue."""
    check_forms(node)
    node.may_decide(item.unit)
    if not question.strip():
        raise errors.IllegalValue(type=QUESTION, field=QUESTION, reason="needed")
    asked = [of] if of else authors_to_ask(node, item)
    if not asked:
        raise errors.IllegalValue(type=QUESTION, field="asked_of", reason="needed")
    told = {
        "about": item.record,
        "conflict_in": item.field,
        "what": what,
        "question": question,
        "asked_on": node.today(),
    }
    wanted = [NewRecord(QUESTION, Changes(set={**told, "asked_of": name})) for name in asked]
    made = {record_ids.id_text(record) for record in save.add_records(node, wanted)}
    return [one for one in _questions_about(node, item) if one.record in made]


def _questions_about(node: Node, item: OpenConflict) -> Sequence[AskedQuestion]:
    return next((one.questions or () for one in conflicts_of(node, item.record) if one.field == item.field), ())


def pair_authors(node: Node, a: Record, b: Record) -> list[tuple[Record, str]]:
    """Return the people who registered two records, each with their record, without the asking person."""
    found: dict[str, Record] = {}
    for one in (a, b):
        made = one.created or one.updated
        if made is not None and made.by != node.person:
            found.setdefault(made.by, one)
    return [(record, name) for name, record in found.items()]


def return_pair(
    node: Node, a: Record, b: Record, question: str, *, described: Mapping[str, str]
) -> list[AskedQuestion]:
    """Ask those who registered two records about the pair; `described` names the pair, by the id of the asked person's record.

    RoleRefused, UnitRefused, IllegalValue.
    """
    check_forms(node)
    node.may_decide(str(a.unit))
    node.may_decide(str(b.unit))
    if not question.strip():
        raise errors.IllegalValue(type=QUESTION, field=QUESTION, reason="needed")
    asked = pair_authors(node, a, b)
    if not asked:
        raise errors.IllegalValue(type=QUESTION, field="asked_of", reason="needed")
    wanted = [
        NewRecord(
            QUESTION,
            Changes(
                set={
                    "about": one.id,
                    "conflict_in": pair_field((b if one is a else a).id),
                    "what": described[one.id],
                    "question": question,
                    "asked_on": node.today(),
                    "asked_of": name,
                }
            ),
        )
        for one, name in asked
    ]
    made = {record_ids.id_text(record) for record in save.add_records(node, wanted)}
    with node.store.read() as tx:
        return [one for one in pair_questions(open_questions(node, tx), a.id, b.id) if one.record in made]


def answer_question(node: Node, ref: str, text: str) -> bytes:
    """Answer a question; return its id. NoRecord, Ambiguous, IllegalValue if it is not a question."""
    with node.store.read() as tx:
        row = find_row(tx, ref)
    if row.state.type != QUESTION:
        raise errors.IllegalValue(type=row.state.type, field=QUESTION, reason="wrong_type", to=[QUESTION])
    return save.edit_record(node, row.state.record.hex(), Changes(set={"answer": text}))

"""Review for supervisors: list conflicts, decide one or many, undo."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import bar, opened, settings_of, tables, tell
from fieldsync.commands.records import Note, Record
from fieldsync.commands.support import completion
from fieldsync.commands.support.settings import at_terminal, draws
from fieldsync.core.grants import DECIDERS
from fieldsync.core.register import Value
from fieldsync.replica.queries import ShownHead
from fieldsync.schema import given_names

if TYPE_CHECKING:
    from fieldsync.replica.node import Node
    from fieldsync.review.decisions import OpenConflict

Unit = Annotated[
    str | None, Option(metavar="UNIT", help="Only in this unit and below it.", autocompletion=completion.units)
]
Type = Annotated[
    str | None, Option("--type", metavar="TYPE", help="Only records of this type.", autocompletion=completion.types)
]
Field = Annotated[str | None, Option(metavar="FIELD", help="Only this field.", autocompletion=completion.fields)]
By = Annotated[str | None, Option(metavar="NAME", help="Only conflicts with a value by this person.")]
Older = Annotated[int | None, Option(metavar="DAYS", min=0, help="Only conflicts open for at least so many days.")]
Text = Annotated[
    str | None, Option(metavar="WORDS", help="Only those with these words in the record's name or a value.")
]
OneField = Annotated[str, Argument(metavar="FIELD", help="The field in conflict.", autocompletion=completion.fields)]


class BulkItem(Struct, frozen=True):
    """A conflict that a rule decides.

    record: its id.
    code: its code.
    title: the record's name, or the person or family that it is about.
    value: the value that the rule chooses.
    head: its name, DEVICE:SEQ.
    by: its author.
    over: the values that lose.
    """

    record: str
    code: str | None
    field: str
    value: Value
    head: str
    title: str
    by: str
    over: list[ShownHead]


class BulkDecision(Struct, frozen=True):
    """The result of a bulk decision, or of its dry run.

    decided: the number of conflicts; 0 in a dry run.
    """

    decided: int
    dry_run: bool
    items: list[BulkItem]


def review(
    ctx: typer.Context,
    unit: Unit = None,
    type_: Type = None,
    field: Field = None,
    by: By = None,
    older: Older = None,
    text: Text = None,
) -> None:
    """Decide one conflict after the other: choose, type another value, note, skip, undo, many alike.

    Example: fieldsync review --unit LAT/JBL
    """
    from fieldsync.review import decisions as reviews
    from fieldsync.review.conflict_filter import ConflictFilter

    if settings_of(ctx).json or not at_terminal():
        list_items(ctx, unit, type_, field, by, older, text)
        return
    with opened(ctx, shared=True, lasting=True) as node:  # pairs are looked for while the screen reads on
        if not reviews.may_decide_somewhere(node):
            raise errors.RoleRefused(role=node.role, needs=list(DECIDERS))
        type_, field = _chosen(node, type_, field)
        narrowed = ConflictFilter(unit, type_, field, by, older, text)
        if draws() and not settings_of(ctx).plain:
            from fieldsync.ui.review import review_app

            review_app.run_review(tables(ctx), node, narrowed)
            return
        from fieldsync.ui.review.approval_questions import waiting_besides
        from fieldsync.ui.review.line_review import LineReview

        with bar(ctx) as progress:
            pairs = waiting_besides(node, progress=progress)
        LineReview(tables(ctx), node, narrowed, pairs).run_review()


def list_items(
    ctx: typer.Context,
    unit: Unit = None,
    type_: Type = None,
    field: Field = None,
    by: By = None,
    older: Older = None,
    text: Text = None,
) -> None:
    """List the open conflicts, the oldest first.

    Example: fieldsync review list --type household --older 7
    """
    from fieldsync.review import decisions as reviews
    from fieldsync.review.conflict_filter import ConflictFilter

    with opened(ctx) as node:
        type_, field = _chosen(node, type_, field)
        with bar(ctx) as progress:
            found = reviews.list_conflicts(node, ConflictFilter(unit, type_, field, by, older, text), progress=progress)
        tell(ctx, found, lambda out: out.show_conflict_list(node, found))


def show(ctx: typer.Context, record: Record) -> None:
    """Show one record's conflicts with every value, its author and time.

    Example: fieldsync review show JBL-AK-42
    """
    from fieldsync.review import decisions as reviews

    with opened(ctx) as node:
        found = reviews.conflicts_of(node, record)
        tell(ctx, found, lambda out: out.show_conflicts(node, found))


def take(
    ctx: typer.Context,
    record: Record,
    field: OneField,
    *,
    head: Annotated[
        str | None, Option(metavar="DEVICE:SEQ", help="One of the values, by its device and save number.")
    ] = None,
    value: Annotated[str | None, Option(metavar="VALUE", help="Another value.")] = None,
    note: Note = None,
) -> None:
    """Decide a conflict for one of its values, or for another.

    Example: fieldsync review take JBL-AK-42 location --head AK:17 --note "visited"
    """
    from fieldsync.api import Session
    from fieldsync.replica import value_reader
    from fieldsync.review import decisions as reviews

    if (head is None) == (value is None):
        raise errors.Usage(reason="head_or_value")
    with opened(ctx) as node:
        field = _field_of(node, record, field)
        if head is not None:
            decided = reviews.decide_conflict(node, record, field, head=head, note=note)
        else:
            kind = node.schema.types.get(Session(node).show(record).type)
            spec = kind.fields.get(field) if kind is not None else None
            given: object = value if spec is None else value_reader.reader_for_typing(node).read_value(spec, value)
            decided = reviews.decide_conflict(node, record, field, value=given, note=note)
        found = Session(node).show(decided.hex())
        tell(ctx, found, lambda out: out.saved(node, found))


def undo(ctx: typer.Context, record: Record, field: OneField, note: Note = None) -> None:
    """Undo a decision: the conflict is open again, with its former values.

    Example: fieldsync review undo JBL-AK-42 location
    """
    from fieldsync.api import Session
    from fieldsync.review import decisions as reviews

    with opened(ctx) as node:
        field = _field_of(node, record, field)
        undone = reviews.undo_decision(node, record, field, note=note)
        found = Session(node).show(undone.hex())
        tell(ctx, found, lambda out: out.saved(node, found))


def bulk(
    ctx: typer.Context,
    *,
    newest: Annotated[bool, Option("--newest", help="The newest value wins.")] = False,
    field: Field = None,
    where: Annotated[
        list[str] | None,
        Option(metavar="FIELD=VALUE", help="Only records with this value.", autocompletion=completion.pairs),
    ] = None,
    unit: Unit = None,
    type_: Type = None,
    by: By = None,
    older: Older = None,
    text: Text = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show what would be decided, without deciding anything.")
    ] = False,
    note: Note = None,
) -> None:
    """Decide many conflicts by one rule.

    Example: fieldsync review bulk --newest --field phone --where location=جبلة --dry-run
    """
    from fieldsync.review import decisions as reviews
    from fieldsync.review.conflict_filter import ConflictFilter

    narrowed = ConflictFilter(unit, type_, field, by, older, text)
    if not newest or not (where or narrowed.is_active):
        raise errors.Usage(reason="bulk")
    with opened(ctx) as node:
        type_, field = _chosen(node, type_, field)
        with bar(ctx) as progress:
            several = reviews.list_conflicts(node, replace(narrowed, type=type_, field=field), progress=progress)
            items = _matching(node, several, where or [])
            for place in {item.unit for item in items}:
                node.may_decide(place)
            chosen = [max(item.heads, key=lambda head: head.order) for item in items]
            if not dry_run:
                decisions = [
                    reviews.Decision(item.record, item.field, head.name)
                    for item, head in zip(items, chosen, strict=True)
                ]
                reviews.decide_conflicts(node, decisions, note=note, progress=progress)
        told = BulkDecision(
            decided=0 if dry_run else len(items),
            dry_run=dry_run,
            items=[
                BulkItem(
                    item.record,
                    item.code,
                    item.field,
                    head.value,
                    head.name,
                    item.title,
                    head.by,
                    over=[other for other in item.heads if other != head],
                )
                for item, head in zip(items, chosen, strict=True)
            ],
        )
        tell(ctx, told, lambda out: out.bulk(node, items, chosen, dry_run=dry_run))


def _matching(node: "Node", items: "list[OpenConflict]", where: list[str]) -> "list[OpenConflict]":
    """Keep the items of records that have all these values."""
    from fieldsync.commands.support.change_arguments import pairs
    from fieldsync.replica import queries

    conditions = {name: values[-1] for name, values in pairs(where).items()}
    if not conditions:
        return items
    ids: set[str] = set()
    for kind in {item.type for item in items}:
        ids |= {record.id for record in queries.list_records(node, kind, where=conditions, limit=0)}
    return [item for item in items if item.record in ids]


def chosen_type(node: "Node", given: str | None) -> str | None:
    """Return the record type that somebody asks for, if any. UnknownType."""
    return None if given is None else given_names.type_named(node.schema, given).name


def _chosen(node: "Node", type_: str | None, field: str | None) -> tuple[str | None, str | None]:
    """Return the requested type and field; refuse unknown ones, whose empty list would look like good news."""
    type_ = chosen_type(node, type_)
    kinds = list(node.schema.types.values()) if type_ is None else [node.schema.types[type_]]
    if field is not None and not field.startswith("_"):
        field = given_names.field_name_in(kinds, field)
    return type_, field


def _field_of(node: "Node", record: str, given: str) -> str:
    """Return a named field of a record; the store refuses unknown ones."""
    from fieldsync.api import Session

    kind = node.schema.types.get(Session(node).show(record).type)
    if kind is None or given.startswith("_"):
        return given
    return given_names.field_named(kind, given).name


def send_back(
    ctx: typer.Context,
    record: Record,
    field: OneField,
    question: Annotated[str, Option(metavar="TEXT", help="The question to the authors of the values.")],
    of: Annotated[
        str | None, Option(metavar="NAME", help="The author to ask (default: all authors of a value).")
    ] = None,
) -> None:
    """Return a conflict to the caseworkers who wrote its values, with a question, which appears in their agenda.

    Example: fieldsync review return JBL-AK-42 location --question "Which of the two did you see yourself?"
    """
    from fieldsync.review import returns

    with opened(ctx) as node:
        item = returns.open_conflict(node, record, _field_of(node, record, field))
        words = tables(ctx).conflict_values(node, item)
        asked = returns.return_conflict(node, item, question, what=words, of=of)
        tell(ctx, asked, lambda out: out.asked(asked))


def answer(
    ctx: typer.Context,
    question: Annotated[str, Argument(metavar="QUESTION", help="The question: its code in your agenda, or its id.")],
    text: Annotated[str, Argument(metavar="TEXT", help="The answer.")],
) -> None:
    """Answer a question about a conflict, for the supervisor who decides it.

    Example: fieldsync review answer JBL-AK-77 "I was there on Tuesday, they live in Jableh."
    """
    from fieldsync.api import Session
    from fieldsync.review import returns

    with opened(ctx) as node:
        found = Session(node).show(returns.answer_question(node, question, text).hex())
        tell(ctx, found, lambda out: out.record(node, found))

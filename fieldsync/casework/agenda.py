"""The agenda: tasks that the forms declare as due, for the records on this node, oldest first."""

import datetime
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from fieldsync.core import names, record_ids
from fieldsync.core.grants import covering_grant
from fieldsync.core.units import home_unit
from fieldsync.replica.formula_lookups import RowLookups
from fieldsync.replica.lookup import RelatedRecords
from fieldsync.replica.node import Node
from fieldsync.schema import validate
from fieldsync.schema.expressions import parser
from fieldsync.schema.model import DueRule, Type
from fieldsync.store import ReadTx
from fieldsync.store.contract import RecordQuery, Row

WEEK = 7  # days


class AgendaLine(Struct, frozen=True):
    """A task of the agenda.

    record: the id of the task's record.
    code: that one's code.
    type: that one's type.
    what: the due rule, by its name in the form.
    due: the day.
    days: the number of days overdue; negative while there is time.
    worker: the worker; null if unassigned.
    about: the person or family that it is about.
    """

    record: str
    code: str | None
    type: str
    what: str
    due: str
    days: int
    worker: str | None
    about: str | None
    unit: str


class _AgendaLine(NamedTuple):
    """A line of the agenda before those are looked up whom it names."""

    row: Row
    due: DueRule
    name: str
    on: str


def is_me(node: Node, worker: str | None) -> bool:
    """Return whether a worker is this node's person, by name; spelling is forgiven."""
    return worker is not None and names.name_tokens(worker) == names.name_tokens(node.person)


def list_due(
    node: Node, *, until: str | None = None, worker: str | None = None, everybody: bool = False, unit: str | None = None
) -> list[AgendaLine]:
    """Return the tasks due up to a day (default: a week from today), oldest first.

    Without `everybody` or a `worker`'s name: what this person has to do, and what nobody in
    particular has.
    """
    today = node.today()
    last = until or (datetime.date.fromisoformat(today) + datetime.timedelta(WEEK)).isoformat()
    found: list[AgendaLine] = []
    with node.store.read() as tx:
        units = {channel.n: home_unit(channel.unit) for channel in tx.channels()}
        people = RelatedRecords(node, tx)
        lines = [
            line
            for kind in node.schema.types.values()
            if kind.due
            for line in _agenda_lines(node, tx, kind, last, unit)
        ]
        people.fetch_records(line.row.owner for line in lines if line.row.owner is not None)
        for line in sorted(lines, key=lambda line: (line.on, line.row.n)):
            whose = _worker_of_line(people, line)
            here = units.get(line.row.channel or 0, "")
            if not everybody and not _concerns_worker(node, line.due, whose, here, worker):
                continue
            about = people.subject_of(line.row)
            days = (datetime.date.fromisoformat(today) - datetime.date.fromisoformat(line.on)).days
            found.append(
                AgendaLine(
                    record=record_ids.id_text(line.row.state.record),
                    code=line.row.code,
                    type=line.row.state.type,
                    what=line.name,
                    due=line.on,
                    days=days,
                    worker=whose,
                    about=None if about is None else people.title_of(about),
                    unit=here,
                )
            )
    return found


def _agenda_lines(node: Node, tx: ReadTx, kind: Type, last: str, unit: str | None) -> Iterator[_AgendaLine]:
    today = node.today()
    known = [
        (name, one, parser.compile_expression(one.on), parser.compile_expression(one.when))
        for name, one in kind.due.items()
    ]
    derived = {name for name, field in kind.fields.items() if field.kind == "derived"}
    asks = any(validate.asks_others(kind, name) for *_, on, when in known for name in (on.names | when.names) & derived)
    for row in tx.select_rows(RecordQuery(type=kind.name, deleted=False, standing=True, unit=unit)):
        doc: Mapping[str, object] | None = None
        for name, one, on, when in known:
            if derived.isdisjoint(when.names) and not when.holds_for(row.doc, today):
                continue  # most are done with: nothing has to be worked out for them
            if doc is None and not derived.isdisjoint(on.names | when.names):
                finder = RowLookups(node, tx, row) if asks else None
                doc = {**row.doc, **validate.derive_fields(kind, row.doc, today, finder)}
            full = row.doc if doc is None else doc
            day = on.evaluate(full, today) if when.holds_for(full, today) else None
            if isinstance(day, str) and day <= last:
                yield _AgendaLine(row, one, name, day)


def _worker_of_line(people: RelatedRecords, line: _AgendaLine) -> str | None:
    """Return the name of whose work a line is, where it is somebody's."""
    field, _, beyond = line.due.who.partition(".")
    value: object = line.row.doc.get(field) if field else None
    if beyond:
        row = people.row_of_reference(value)
        value = None if row is None else row.doc.get(beyond)
    return people.worker_name(value)


def _concerns_worker(node: Node, due: DueRule, whose: str | None, unit: str, worker: str | None) -> bool:
    if worker is not None:
        return whose is not None and names.name_tokens(whose) == names.name_tokens(worker)
    if due.by:
        return any(grant.role in due.by and covering_grant((grant,), unit) for grant in node.grants)
    return whose is None or is_me(node, whose)

"""A person's desk: records added with the state they have come to, by the steps that lead there."""

from collections import deque

from fieldsync.core import record_ids
from fieldsync.core.lifecycle import Lifecycle
from fieldsync.replica import commit_writer, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.reports import run
from fieldsync.review import decisions
from fieldsync.review.conflict_filter import ConflictFilter
from fieldsync.schema.model import Field, Schema

OCTOBER = "2026-10"
_FILLED = {"text": "نص", "note": "نص", "date": "2026-10-05", "choice": "", "int": 3, "bool": True, "month": "2026-10"}


def _path(lifecycle: Lifecycle, start: str, end: str) -> list[str]:
    """The shortest way through a lifecycle."""
    ways = deque([[start]])
    while ways:
        way = ways.popleft()
        if way[-1] == end:
            return way[1:]
        ways.extend([*way, step] for step in lifecycle.transitions[way[-1]] if step not in way)
    raise AssertionError(f"no way from {start} to {end}")


def _fits(field: Field, state: str) -> bool:
    """Whether a step demands the field."""
    return f"state = '{state}'" in field.when or (f"state != '{state}'" not in field.when and "state !=" in field.when)


class Desk:
    """Where one node's person works."""

    def __init__(self, node: Node) -> None:
        self.node = node

    @property
    def schema(self) -> Schema:
        return self.node.schema

    def add(self, type: str, unit: str | None = None, **fields: object) -> str:
        """Add a record, step by step to its state; lists are sets, a tally is counted. Returns its id.

        What a form demands and a test does not care about is filled in; what depends on the state comes with the last step.
        """
        kind = self.schema.types[type]
        state = fields.pop("state", None)
        for field in kind.fields.values():
            if field.required == "always" and field.name not in fields and field.type in _FILLED:
                value = field.offered_choices[0].code if field.type == "choice" else _FILLED[field.type]
                fields[field.name] = [value] if field.kind == "set" else value
        late = {
            name
            for name in fields
            if state is not None and "state" in kind.fields[name].when + kind.fields[name].relevant
        }
        plain = {n: v for n, v in fields.items() if kind.fields[n].kind == "plain" and n not in late}
        put = {n: v for n, v in fields.items() if kind.fields[n].kind == "set"}
        count = {n: v for n, v in fields.items() if kind.fields[n].kind == "tally"}
        made = save.add_record(self.node, type, Changes(set=plain, put=put, count=count), unit=unit)
        ref = record_ids.id_text(made)
        steps = [] if state is None else _path(kind.lifecycle, kind.lifecycle.initial_state, state)
        for step in steps[:-1]:
            self.edit(ref, state=step, **{n: fields[n] for n in late if _fits(kind.fields[n], step)})
            late = {n for n in late if not _fits(kind.fields[n], step)}
        if steps:
            self.edit(ref, state=steps[-1], **{n: fields[n] for n in late})
        return ref

    def edit(self, ref: str, **fields: object) -> None:
        """Change a record."""
        save.edit_record(self.node, ref, Changes(set=fields))

    def merge(self, record: str, into: str | None) -> None:
        """Say that a record gives way to another one; or no more."""
        with self.node.store.write() as tx:
            row = find_row(tx, record)
            draft = save.draft_edit(self.node, row, self.schema.types[row.state.type], {"_same_as": into}, note=None)
            commit_writer.commit_drafts(self.node, tx, [draft])

    def report(self, name: str, *, month: str | None = OCTOBER, **given: object) -> dict:
        """Return a report's document."""
        return run.make_report(self.node, name, month=None if "year" in given else month, **given)

    def figures(self, name: str, column: str = "this", key: str | None = None, **given: object) -> dict:
        """Return {key: number} of one column of a report."""
        document = self.report(name, **given)
        key = key or document.columns[0].name
        return {row[key]: row[column] for row in document.rows}

    def decide(self, field: str) -> None:
        """Decide all open conflicts of a field for their newest value."""
        for item in decisions.list_conflicts(self.node, ConflictFilter(field=field)):
            newest = max(item.heads, key=lambda head: head.at)
            decisions.decide_conflict(self.node, item.record, field, head=newest.name)

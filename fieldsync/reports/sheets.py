"""Keeps a server's sheets up to date: which fields they need is read off the queries themselves."""

import re
from collections.abc import Callable, Iterable

from fieldsync.reports import files
from fieldsync.reports.files import Report
from fieldsync.schema.model import Type
from fieldsync.sync.node import Node

# what says "all columns", and does not count or multiply
_ALL = re.compile(r"(?:\bSELECT\s+(?:DISTINCT\s+)?|,\s*)(?:(\w+|\[\w+\])\.)?\*", re.IGNORECASE)
Progress = Callable[[int, int | None, str], None]
_WORD = re.compile(r"\w+")


def catch_up(node: Node, report: Report, progress: Progress | None = None) -> bool:
    """Bring this node's sheets up to date; False where a report is to read the records themselves.

    On laptops there are none: their stores are small. A report of the office's own that asks for all columns needs them all.
    """
    if node.is_laptop or (report.own and _ALL.search(report.sql)):
        return False
    mark = node.forms.hex()
    wanted = _wanted(node, [*files.available(node.home, usable=True).values(), report])
    store = node.store
    with store.read() as tx:
        known = tx.sheets()
    with store.write(durable=False) as tx:
        if known.keys() - wanted.keys():
            tx.drop_sheets()
            known = {}
        changed, went = tx.changed_since_sheets(), tx.went()
        for done, (type_, fields) in enumerate(wanted.items()):
            if progress is not None:
                progress(done, len(wanted), "figures")
            if known.get(type_) != [mark, *(name for name, _ in fields)]:
                tx.make_sheet(type_, fields, mark)
                continue
            if changed:
                tx.refresh_sheet(type_, fields)
            if went:
                tx.purge_sheet(type_)
        tx.sheets_are_current()
    return True


def _wanted(node: Node, reports: Iterable[Report]) -> dict[str, list[tuple[str, bool]]]:
    """Return the fields of each type that any of the reports may mean: those whose names stand in its query."""
    words = {word for report in reports for word in _WORD.findall(report.sql)}
    return {
        name: [(field.name, field.type == "ref") for field in kind.fields.values() if _stored(field.name, kind, words)]
        for name, kind in node.schema.types.items()
        if name in words
    }


def _stored(field: str, kind: Type, words: set[str]) -> bool:
    return field in words and kind.fields[field].kind != "derived"

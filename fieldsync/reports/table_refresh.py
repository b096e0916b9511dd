"""Keeps a server's report tables up to date; the fields they need are read from the queries themselves."""

import re
from collections.abc import Iterable

from fieldsync.replica.node import Node
from fieldsync.reports import definitions
from fieldsync.reports.definitions import Report
from fieldsync.schema.model import Type
from fieldsync.store import ReadTx
from fieldsync.store.contract import Progress

# what says "all columns", and does not count or multiply
_ALL = re.compile(r"(?:\bSELECT\s+(?:DISTINCT\s+)?|,\s*)(?:(\w+|\[\w+\])\.)?\*", re.IGNORECASE)
_REST = 0.1  # seconds; one who waits to write looks so often whether the store is free
Wanted = dict[str, list[tuple[str, bool]]]  # of each type the fields, and whether they refer to records
_WORD = re.compile(r"\w+")


def refresh_tables(node: Node, report: Report, progress: Progress | None = None) -> bool:
    """Bring this node's sheets up to date; False where a report is to read the records themselves.

    On laptops there are none: their stores are small. A report of the office's own that asks for all columns needs them all;
    where reports can read their tables only, these get all columns.
    """
    everything = report.own and _ALL.search(report.sql) is not None
    if node.is_laptop or (everything and not node.store.reports_need_tables):
        return False
    mark = node.forms.hex()
    wanted = _wanted_fields(node, [*definitions.available_reports(node.home, usable=True).values(), report])
    if everything:
        wanted |= _all_fields(node, report)
    while True:
        _make_tables(node, wanted, mark, progress)
        with node.store.write(durable=False) as tx:
            if _missing_tables(tx, wanted, mark):
                continue  # another process, with other forms, has put its own in the place of ours
            changed, went = tx.collect_report_changes(), tx.have_records_departed()
            for type_, fields in wanted.items():
                if changed:
                    tx.refresh_report_table(type_, fields)
                if went:
                    tx.purge_report_table(type_)
            tx.mark_report_tables_current()
        return True


def _make_tables(node: Node, wanted: Wanted, mark: str, progress: Progress | None) -> None:
    """Build missing report tables in slices, so that saves and syncs wait for one slice at most."""
    with node.store.read() as tx:
        lacking = _missing_tables(tx, wanted, mark)
        needless = bool(tx.report_tables().keys() - wanted.keys())
        total = tx.count_of_types(list(wanted) if needless else lacking)
    if needless:
        with node.store.write(durable=False) as tx:
            tx.drop_report_tables()
        lacking = list(wanted)
    done = 0
    for type_ in lacking:
        more: int | None = 0
        while more is not None:
            if progress is not None:
                progress(done, total, "figures")
            started = node.environment.elapsed()
            with node.store.write(durable=False) as tx:
                more = tx.make_report_table(type_, wanted[type_], mark)
            done += more or 0
            if node.environment.elapsed() - started > _REST:
                node.environment.sleep(_REST)


def _missing_tables(tx: ReadTx, wanted: Wanted, mark: str) -> list[str]:
    known = tx.report_tables()
    return [name for name, fields in wanted.items() if known.get(name) != [mark, *(field for field, _ in fields)]]


def _wanted_fields(node: Node, reports: Iterable[Report]) -> Wanted:
    """Return the fields of each type that any report may use: those whose names occur in a query."""
    words = {word for report in reports for word in _WORD.findall(report.sql)}
    return {
        name: [
            (field.name, field.type == "ref") for field in kind.fields.values() if _is_stored(field.name, kind, words)
        ]
        for name, kind in node.schema.types.items()
        if name in words
    }


def _all_fields(node: Node, report: Report) -> Wanted:
    """Return all stored fields of the types that a report names."""
    words = set(_WORD.findall(report.sql))
    return {
        name: [(field.name, field.type == "ref") for field in kind.fields.values() if field.kind != "derived"]
        for name, kind in node.schema.types.items()
        if name in words
    }


def _is_stored(field: str, kind: Type, words: set[str]) -> bool:
    return field in words and kind.fields[field].kind != "derived"

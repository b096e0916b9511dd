"""Header detection: the mapping that a file's first rows suggest, and where its records begin."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fieldsync.exchange.tables import column_mapping
from fieldsync.exchange.tables.column_mapping import ColumnProposal
from fieldsync.exchange.tables.readers import Row, SheetReader, open_sheet
from fieldsync.replica.node import Node
from fieldsync.schema.model import Type

_TOP = 20  # rows among which the header is looked for


def propose_mapping(
    node: Node, path: Path, type: str, given: Mapping[str, str], *, sheet: str | None = None
) -> tuple[list[ColumnProposal], bool]:
    """Return a proposal for each column, and whether a user confirmed it for such a file before. BadFile."""
    kind = node.schema.type(type)
    given = column_mapping.with_field_names(given, kind)
    with open_sheet(path, sheet) as table:
        for _ in without_heads(table, kind, given):
            break
        with node.store.read() as tx:
            before, _ = column_mapping.load_mapping(tx, kind, table.names)
        return column_mapping.propose_columns(table.names, kind, table.tags | before | given), bool(before)


def without_heads(table: SheetReader, kind: Type, given: Mapping[str, str]) -> Iterator[tuple[int, list[Row]]]:
    """Yield a file's rows below its header, without titles above and column notes below it."""
    batches = table.batches()
    if table.headed:
        top: list[tuple[int, list[Row]]] = []
        for batch in batches:
            top.append(batch)
            if sum(len(rows) for _, rows in top) >= _TOP:
                break
        first_rows = [row for _, rows in top for row in rows][:_TOP]
        tops = [table.names, *first_rows]
        names, done = column_mapping.find_header(table.names, first_rows, kind, given)
        table.names = _distinct_headers(names)
        table.tags = column_mapping.fields_by_tags(table.names, tops, kind)
        for first, rows in top:
            if rows[done:]:
                yield first + done, rows[done:]
            done = max(done - len(rows), 0)
    yield from batches


def _distinct_headers(headers: Sequence[str]) -> list[str]:
    """Return headers of which no two are the same: the second Phone is Phone (2)."""
    met: set[str] = set()
    made = []
    for header in headers:
        one, nth = header, 1
        while one and one in met:
            nth += 1
            one = f"{header} ({nth})"
        met.add(one)
        made.append(one)
    return made

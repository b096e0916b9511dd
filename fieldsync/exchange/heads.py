"""The top of a file: what its columns would be taken for, and where its records begin."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from fieldsync.exchange import mapping
from fieldsync.exchange.mapping import Proposal
from fieldsync.exchange.sheets import Row, Sheet, open_sheet
from fieldsync.schema.model import Type
from fieldsync.sync.node import Node


def propose(
    node: Node, path: Path, type: str, given: Mapping[str, str], *, sheet: str | None = None
) -> tuple[list[Proposal], bool]:
    """Return what each column would be taken for, and whether a person said so of such a file before. BadFile."""
    kind = node.schema.type(type)
    with open_sheet(path, sheet) as table:
        for _ in without_heads(table, kind):
            break
        with node.store.read() as tx:
            before, _ = mapping.remembered(tx, kind, table.names)
        return mapping.proposed(table.names, kind, before | dict(given)), bool(before)


def without_heads(table: Sheet, kind: Type) -> Iterator[tuple[int, list[Row]]]:
    """Yield a file's rows, without those on top that are about the columns."""
    whole = not table.headed
    for first, rows in table.batches():
        if whole:
            yield first, rows
            continue
        whole = True
        names, done = mapping.below_header(table.names, rows, kind)
        table.names = list(names)
        if rows[done:]:
            yield first + done, rows[done:]

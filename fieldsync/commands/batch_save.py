"""Several records in one save: new ones that have much in common, or one change to many."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import typer

from fieldsync import errors
from fieldsync.commands import bar, settings_of, tables, tell
from fieldsync.commands.support.settings import at_terminal
from fieldsync.replica import commit_writer, queries, save
from fieldsync.replica.changes import Changes, New
from fieldsync.replica.lookup import find_row
from fieldsync.replica.node import Node
from fieldsync.review import assistance_overlaps, duplicate_pairs, saved_records

if TYPE_CHECKING:
    from fieldsync.ui.views.tables import Tables

Json = dict[str, Any]
_BETWEEN = re.compile("[;؛]")


@contextmanager
def _named(which: object) -> Iterator[None]:
    """Say of an error which of several it is about."""
    try:
        yield
    except errors.FieldsyncError as error:
        error.facts["which"] = which
        raise


def _parted(row: str) -> list[str]:
    words = [part.strip() for part in _BETWEEN.split(row) if part.strip()]
    if not words or not all("=" in word for word in words):
        raise errors.Usage(reason="row")
    return words


def add(
    ctx: typer.Context,
    node: Node,
    type: str,
    rows: Sequence[str],
    made: Callable[[list[str]], Changes],
    *,
    unit: str | None,
    note: str | None,
    anyway: bool,
) -> None:
    """Save new records, all of them or none; who may be registered already is shown first."""
    kind = node.schema.type(type)
    given: list[Changes] = []
    alike: list[duplicate_pairs.SimilarRecord] = []
    with bar(ctx) as progress:
        for at, row in enumerate(rows, 1):
            with _named(f"--row {at}"):
                given.append(made(_parted(row)))
                with node.store.read() as tx:
                    save.new_fields(node, tx, kind, given[-1])
                alike += duplicate_pairs.likely(node, type, given[-1], progress=progress)
    if alike and not anyway and at_terminal() and not settings_of(ctx).json:
        from fieldsync.ui.views import duplicate_view

        out = tables(ctx)
        if not duplicate_view.go_on(out, node, alike):
            out.say("pairs_not_saved")
            return
    told(ctx, node, [one.hex() for one in save.add_all(node, [New(type, one) for one in given], unit=unit, note=note)])


def edit(
    node: Node, refs: Sequence[str], changes: Callable[[queries.Record], Changes], *, note: str | None
) -> list[str]:
    """Save one change to each of these records, all of them or none; return their ids."""
    several = len(refs) > 1
    found: dict[str, tuple[str, Changes]] = {}
    for ref in refs:
        with _named(ref) if several else nullcontext():
            shown = queries.show(node, ref)
            found.setdefault(shown.id, (ref, changes(shown)))
    with node.store.write() as tx:
        drafts = []
        for record, (ref, wanted) in found.items():
            with _named(ref) if several else nullcontext():
                draft = save.draft_change(node, tx, find_row(tx, record), wanted, note=note)
            if draft is not None:
                drafts.append(draft)
        commit_writer.commit_drafts(node, tx, drafts)
    return list(found)


def told(ctx: typer.Context, node: Node, records: Sequence[str]) -> None:
    """Tell what became of several records: a list, and what they have one too many."""
    overlaps = {record: assistance_overlaps.of(node, record) for record in records}
    found = [saved_records.shown(node, record, overlaps=overlaps[record]) for record in records]

    def picture(out: "Tables") -> None:
        out.records(node, found, limit=0)
        out.lacking(node, found)
        for one, hits in zip(found, overlaps.values(), strict=True):
            if hits:
                from fieldsync.ui.views import overlap_view as pictures

                pictures.warned(out, node, one.type, hits)
        out.say("many_saved", n=len(found))

    tell(ctx, found, picture)

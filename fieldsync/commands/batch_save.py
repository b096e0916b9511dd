"""Saving several records at once: new ones with common values, or one change to many."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from fieldsync import errors
from fieldsync.commands import asks, bar, settings_of, tables, tell
from fieldsync.commands.support.settings import at_terminal

if TYPE_CHECKING:
    from fieldsync.api import SavedRecord, Session, SimilarRecord
    from fieldsync.replica.changes import Changes
    from fieldsync.replica.node import Node
    from fieldsync.ui.views.tables import Tables

_BETWEEN = re.compile("[;؛]")


def _split_row(row: str) -> list[str]:
    words = [part.strip() for part in _BETWEEN.split(row) if part.strip()]
    if not words or not all("=" in word for word in words):
        raise errors.Usage(reason="row")
    return words


def asked(
    ctx: typer.Context, session: "Session", type: str, rows: Sequence[str], made: "Callable[[list[str]], Changes]"
) -> "tuple[list[Changes], list[SimilarRecord]]":
    """Return what new records are to say, each checked, and who may be registered already."""
    given: list[Changes] = []
    alike: list[SimilarRecord] = []
    with bar(ctx) as progress:
        for at, row in enumerate(rows, 1):
            with errors.naming_which(f"--row {at}"):
                given.append(made(_split_row(row)))
                session.check(type, given[-1])
                alike += session.duplicates(type, given[-1], progress=progress)
    return given, alike


def may_go_on(ctx: typer.Context, node: "Node", alike: "Sequence[SimilarRecord]") -> bool:
    """Show a person whom new records may be duplicates of, and ask whether to save them all the same."""
    if not alike or not at_terminal() or settings_of(ctx).json:
        return True
    from fieldsync.ui.views import duplicate_view

    out = tables(ctx)
    if duplicate_view.go_on(out, node, alike):
        return True
    out.say("pairs_not_saved")
    return False


def may_use_unit(ctx: typer.Context, node: "Node", unit: str | None, *, yes: bool) -> bool:
    """Say on standard error that a new record's unit is not known here yet, and ask a person, who may have mistyped it. UnitRefused."""
    from fieldsync.core.units import is_unit
    from fieldsync.replica.record_units import similar_to_unknown
    from fieldsync.ui.terminal import output

    if unit is None or not is_unit(unit):  # what is no unit is refused with the record
        return True
    node.may_write(unit)
    with node.store.read() as tx:
        near = similar_to_unknown(node, tx, unit)
    if near is None:
        return True
    out, settings = tables(ctx), settings_of(ctx)
    if settings.json:
        return True
    notice = [out.phrase("unit_new", unit=unit)]
    if near:
        notice.append(out.phrase("unit_similar", near=out.several(near)))
    output.write_stderr(" ".join(notice), settings.language, settings.rtl)
    if not asks(ctx, yes=yes) or out.agrees("unit_new_ask"):
        return True
    out.say("unit_not_saved")
    return False


def show_saved(ctx: typer.Context, node: "Node", found: "Sequence[SavedRecord]") -> None:
    """Tell what became of several records: a list, and what they have one too many."""

    def picture(out: "Tables") -> None:
        out.records(node, found, limit=0)
        out.lacking(node, found)
        for one in found:
            warn_of_overlaps(out, node, one)
        out.say("many_saved", n=len(found))

    tell(ctx, found, picture)


def warn_of_overlaps(out: "Tables", node: "Node", found: "SavedRecord") -> None:
    """Print the overlaps of a record."""
    if not found.overlaps:
        return
    from fieldsync.api import Session
    from fieldsync.ui.views import overlap_view

    overlap_view.warned(out, node, found.type, Session(node).overlaps(found.id))

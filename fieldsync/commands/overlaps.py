"""Overlaps: possible duplicate assistance for a household, and a supervisor's decisions about it."""

from typing import Annotated

import typer
from msgspec import Struct
from typer import Argument, Option

from fieldsync.commands import opened, tell
from fieldsync.commands.records import Note, Record
from fieldsync.commands.review import Type, Unit, chosen_type
from fieldsync.commands.support import completion

Other = Annotated[str, Argument(metavar="B", help="The other record.", autocompletion=completion.codes)]


class BothRight(Struct, frozen=True):
    """Two records marked as both correct, as given."""

    a: str
    b: str
    both: bool


def overlaps(ctx: typer.Context, unit: Unit = None, type_: Type = None) -> None:
    """List overlaps: the same aid in one month, programmes that exclude each other, duplicate entries.

    Example: fieldsync overlaps list --unit LAT/JBL
    """
    from fieldsync.review import assistance_overlaps
    from fieldsync.ui.views import overlap_view as pictures

    with opened(ctx) as node:
        type_ = chosen_type(node, type_)
        found = assistance_overlaps.list_overlaps(node, unit=unit, type=type_)
        tell(ctx, found, lambda out: pictures.listed(out, node, found))


def both(ctx: typer.Context, a: Record, b: Other, note: Note = None) -> None:
    """Mark both as correct: this pair is not offered for review again.

    Example: fieldsync overlaps both JBL-AK-7 JBL-BH-12 --note "half a basket each"
    """
    from fieldsync.review import assistance_overlaps
    from fieldsync.ui.views import overlap_view as pictures

    with opened(ctx) as node:
        assistance_overlaps.keep_both(node, a, b, note=note)
        tell(ctx, BothRight(a, b, both=True), lambda out: pictures.both_right(out, node, a, b))


def drop(
    ctx: typer.Context,
    record: Record,
    *,
    reason: Annotated[str, Option(metavar="TEXT", help="The reason for the cancellation.")],
) -> None:
    """Cancel the entry given in error; it stays in the history.

    Example: fieldsync overlaps drop JBL-BH-12 --reason "entered twice"
    """
    from fieldsync.api import Session
    from fieldsync.review import assistance_overlaps

    with opened(ctx) as node:
        found = Session(node).show(assistance_overlaps.cancel_record(node, record, reason).hex())
        tell(ctx, found, lambda out: out.saved(node, found))

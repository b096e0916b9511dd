"""Transfer of a family: its record changes unit, with all records that belong to it."""

from typing import Annotated

import typer
from typer import Option

from fieldsync.commands import asks, opened, tables, tell
from fieldsync.commands.records import Note, Record, Yes
from fieldsync.commands.support import completion


def move(
    ctx: typer.Context,
    record: Record,
    *,
    unit: Annotated[
        str,
        Option(metavar="UNIT", help="The new unit, such as LAT/QRD.", autocompletion=completion.units),
    ],
    note: Note = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show who would lose and who would gain access, and move nothing.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Move a record to another unit, with everything that belongs to it; on a terminal that is shown first.

    Example: fieldsync move JBL-AK-42 --unit LAT/QRD --note "found a flat there"
    """
    from fieldsync.api import Session
    from fieldsync.ui.views import transfers as pictures

    with opened(ctx) as node:
        session = Session(node)
        if dry_run:
            plan = session.move_plan(record, unit)
            tell(ctx, plan, lambda out: pictures.plan(out, node, plan))
            return
        if asks(ctx, yes=yes):
            out, plan = tables(ctx), session.move_plan(record, unit)
            pictures.plan(out, node, plan)
            if plan.moves and not out.agrees("move_sure"):
                out.say("nothing_moved")
                return
        found = session.move(record, unit, note=note)
        seen = session.move_plan(found.id, unit).still_seen
        tell(ctx, found, lambda out: pictures.moved(out, node, found, still_seen=seen))

"""A family moves: its record changes unit, with everything that belongs to it."""

from typing import Annotated

import typer
from typer import Option

from fieldsync.commands import opened, tell
from fieldsync.commands.records import Note, Record


def move(
    ctx: typer.Context,
    record: Record,
    *,
    unit: Annotated[str, Option(metavar="UNIT", help="Where it lives from now on, such as LAT/QRD.")],
    note: Note = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Say who would lose and who gain it, and move nothing.")] = False,
) -> None:
    """Move a record to another unit, with everything that belongs to it.

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
        found = session.move(record, unit, note=note)
        seen = session.move_plan(found.id, unit).still_seen
        tell(ctx, found, lambda out: pictures.moved(out, node, found, still_seen=seen))

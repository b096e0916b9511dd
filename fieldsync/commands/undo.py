"""Undo of the user's last action."""

from typing import Annotated

import typer
from typer import Option

from fieldsync.commands import asks, opened, tables, tell
from fieldsync.commands.records import Note, Yes


def undo(
    ctx: typer.Context,
    listed: Annotated[
        bool, Option("--list", help="List the actions that can be undone, the newest first, without changing anything.")
    ] = False,
    note: Note = None,
    yes: Yes = False,
) -> None:
    """Undo your last action on this laptop, before or after a sync; run it again for the one before.

    It is a save of its own: both stay in the history. Later changes by others are kept.

    Example: fieldsync undo
    """
    from fieldsync.review import undo as undoing
    from fieldsync.ui.views import undo_view as pictures

    with opened(ctx) as node:
        acts = undoing.list_acts(node)
        if listed:
            tell(ctx, acts, lambda out: pictures.listed(out, node, acts))
            return
        if acts and asks(ctx, yes=yes):
            out = tables(ctx)
            pictures.described(out, node, acts[0])
            if not out.agrees("undo_sure"):
                out.say("undo_left")
                return
        done = undoing.undo_last(node, note=note)
        tell(ctx, done, lambda out: pictures.undone(out, node, done))

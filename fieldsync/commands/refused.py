"""What a server refused of one's own saves: read, written anew as it should be, put aside."""

from typing import Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import opened, tell

Saves = Annotated[list[str] | None, Argument(metavar="SAVE", help="Which, as `refused list` names them.")]


def list_refused(ctx: typer.Context) -> None:
    """List your saves that a server did not apply: about which record, and why. They are safe here.

    Example: fieldsync refused list
    """
    from fieldsync.authority import refused_saves
    from fieldsync.ui.views import quarantine as pictures

    with opened(ctx) as node:
        found = refused_saves.list_refused(node)
        tell(ctx, found, lambda out: pictures.refused(out, node, found))


def clear(
    ctx: typer.Context,
    saves: Saves = None,
    everything: Annotated[bool, Option("--all", help="All that is listed.")] = False,
) -> None:
    """Put refused saves aside once you have read them: `status` speaks of them no more. They stay in the history.

    Example: fieldsync refused clear --all
    """
    from fieldsync.authority import refused_saves

    if bool(saves) == everything:
        raise errors.Usage(reason="which_refused")
    with opened(ctx) as node:
        done = refused_saves.clear_refused(node, saves or ())
        tell(ctx, done, lambda out: out.say("refused_cleared", n=len(done.cleared), left=done.left))

"""The quarantine on a server: list, release, drop; and a laptop's own refused saves."""

from typing import Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import opened, tell
from fieldsync.commands.support import completion

Device = Annotated[
    str | None, Option(metavar="DEVICE", help="Only those of a device: its code letters or the beginning of its id.")
]
Record = Annotated[
    str | None, Option(metavar="RECORD", help="Only those about a record.", autocompletion=completion.codes)
]
Saves = Annotated[list[str] | None, Argument(metavar="DEVICE:SEQ", help="The saves, as `quarantine list` names them.")]
Refused = Annotated[list[str] | None, Argument(metavar="SAVE", help="The saves, as `refused list` names them.")]
By = Annotated[
    str | None,
    Option(metavar="NAME", help="The name of the person who decides (default: the account on this computer)."),
]
Reason = Annotated[str | None, Option("--note", metavar="TEXT", help="The reason, shown to the author of the save.")]


def list_saves(
    ctx: typer.Context,
    device: Device = None,
    record: Record = None,
    days: Annotated[int, Option(metavar="N", min=0, help="Only saves quarantined for at least so many days.")] = 0,
    everything: Annotated[bool, Option("--all", help="Include saves that were released, or accepted since.")] = False,
) -> None:
    """List quarantined saves with author, record, date and reason. On a laptop: its own saves that a server quarantined.

    Example: fieldsync quarantine list --device AK --days 7
    """
    from fieldsync.authority import quarantine
    from fieldsync.ui.views import quarantine as pictures

    with opened(ctx) as node:
        found = quarantine.list_quarantined(
            node, quarantine.QuarantineSelection((), device, record), days=days, everything=everything
        )
        narrowed = bool(device or record or days)
        tell(ctx, found, lambda out: pictures.listed(out, node, found, narrowed=narrowed))


def release(
    ctx: typer.Context,
    saves: Saves = None,
    *,
    device: Device = None,
    record: Record = None,
    by: By = None,
    note: Reason = None,
) -> None:
    """Apply quarantined saves after all, at the topmost server; values are checked again, and the decision is logged.

    Example: fieldsync quarantine release AK:12 AK:13 --by "Samar" --note "the laptop was at the office"
    """
    from fieldsync.authority import quarantine
    from fieldsync.ui.views import quarantine as pictures

    with opened(ctx) as node:
        chosen = quarantine.QuarantineSelection(tuple(saves or ()), device, record)
        done = quarantine.release_commits(node, chosen, by or _account(), note)
        tell(ctx, done, lambda out: pictures.released(out, node, done))


def drop(
    ctx: typer.Context,
    saves: Saves = None,
    *,
    device: Device = None,
    record: Record = None,
    by: By = None,
    note: Reason = None,
) -> None:
    """Drop quarantined saves, at the topmost server; they stay in the log, and so does the decision.

    Example: fieldsync quarantine drop --device AK --by "Samar" --note "written after the theft"
    """
    from fieldsync.authority import quarantine
    from fieldsync.ui.views import quarantine as pictures

    with opened(ctx) as node:
        chosen = quarantine.QuarantineSelection(tuple(saves or ()), device, record)
        done = quarantine.drop_commits(node, chosen, by or _account(), note)
        tell(ctx, done, lambda out: pictures.dropped(out, node, done))


def list_refused(ctx: typer.Context) -> None:
    """List your saves that a server did not apply, with record and reason. They are safe here.

    Example: fieldsync refused list
    """
    from fieldsync.authority import refused_saves
    from fieldsync.ui.views import quarantine as pictures

    with opened(ctx) as node:
        found = refused_saves.list_refused(node)
        tell(ctx, found, lambda out: pictures.refused(out, node, found))


def clear_refused(
    ctx: typer.Context,
    saves: Refused = None,
    everything: Annotated[bool, Option("--all", help="All listed saves.")] = False,
) -> None:
    """Clear refused saves that you have read: `status` no longer counts them. They stay in the history.

    Example: fieldsync refused clear --all
    """
    from fieldsync.authority import refused_saves

    if bool(saves) == everything:
        raise errors.Usage(reason="which_refused")
    with opened(ctx) as node:
        done = refused_saves.clear_refused(node, saves or ())
        tell(ctx, done, lambda out: out.say("refused_cleared", n=len(done.cleared), left=done.left))


def _account() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name, in a container say
        return "?"

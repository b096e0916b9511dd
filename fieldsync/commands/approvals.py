"""What waits for approval in one list, and many of it approved at once."""

from typing import Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import asks, opened, tables, tell
from fieldsync.commands.records import Note, Yes
from fieldsync.commands.review import Unit
from fieldsync.commands.support import completion

Kind = Annotated[
    str | None,
    Option("--kind", metavar="KIND", help="Only plan, closure or event.", autocompletion=completion.approvals),
]


def list_approvals(ctx: typer.Context, unit: Unit = None, kind: Kind = None) -> None:
    """List what waits for your approval, the oldest first: plans and closures of cases, events in families.

    Example: fieldsync review approvals --kind plan
    """
    from fieldsync.casework import approvals
    from fieldsync.ui.views import approvals as pictures

    _check_kind(kind)
    with opened(ctx) as node:
        found = approvals.list_approvals(node, kind=kind, unit=unit)
        tell(ctx, found, lambda out: pictures.listed(out, node, found))


def approve(
    ctx: typer.Context,
    records: Annotated[
        list[str] | None, Argument(metavar="RECORD…", help="Cases and events, by id, code or a beginning of either.")
    ] = None,
    *,
    everything: Annotated[bool, Option("--all", help="All that waits, of that kind and unit.")] = False,
    kind: Kind = None,
    unit: Unit = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be approved, and approve nothing.")] = False,
    note: Note = None,
    yes: Yes = False,
) -> None:
    """Approve many at once, all of them or none; on a terminal they are shown first. `undo` takes all of it back.

    Example: fieldsync review approve --all --kind plan --unit LAT/JBL
    """
    from fieldsync.casework import approvals
    from fieldsync.ui.views import approvals as pictures

    _check_kind(kind)
    if bool(records) == everything:
        raise errors.Usage(reason="which_approvals")
    with opened(ctx) as node:
        found = approvals.list_approvals(node, kind=kind, unit=unit)
        wanted = found if everything else approvals.choose(found, records or ())
        if wanted and not dry_run and asks(ctx, yes=yes):
            out = tables(ctx)
            pictures.listed(out, node, wanted)
            if not out.agrees("approve_sure"):
                out.say("nothing_approved")
                return
        done = approvals.approve_many(node, wanted, note=note, dry_run=dry_run)
        tell(ctx, done, lambda out: pictures.approved(out, node, done))


def _check_kind(kind: str | None) -> None:
    from fieldsync.casework.approvals import KINDS

    if kind is not None and kind not in KINDS:
        raise errors.Usage(reason="approval_kind", given=kind, known=list(KINDS))

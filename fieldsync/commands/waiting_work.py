"""The agenda, the caseload, and pending approvals, approved one by one or in bulk."""

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import asks, opened, tables, tell
from fieldsync.commands.records import Note, Yes
from fieldsync.commands.review import Unit
from fieldsync.commands.support import completion

if TYPE_CHECKING:
    from fieldsync.replica.node import Node

Kind = Annotated[
    str | None,
    Option("--kind", metavar="KIND", help="Only plan, closure or event.", autocompletion=completion.approvals),
]


def list_approvals(ctx: typer.Context, unit: Unit = None, kind: Kind = None) -> None:
    """List pending approvals, the oldest first: plans and closures of cases, household events.

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
        list[str] | None,
        Argument(
            metavar="RECORD…",
            help="Cases and events, by id, code or a beginning of either.",
            autocompletion=completion.codes,
        ),
    ] = None,
    *,
    everything: Annotated[bool, Option("--all", help="All pending ones of that kind and unit.")] = False,
    kind: Kind = None,
    unit: Unit = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show what would be approved, without approving anything.")
    ] = False,
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


def agenda(
    ctx: typer.Context,
    *,
    until: Annotated[str | None, Option(metavar="DATE", help="Up to this day; default: a week from today.")] = None,
    overdue: Annotated[bool, Option("--overdue", help="Only overdue tasks.")] = False,
    worker: Annotated[str | None, Option(metavar="NAME", help="This worker's tasks.")] = None,
    everybody: Annotated[bool, Option("--everybody", help="Everybody's tasks.")] = False,
    unit: Unit = None,
) -> None:
    """Show your due tasks, the oldest first: visits, assessments, plan reviews, approvals, answers.

    Example: fieldsync agenda --overdue
    """
    from fieldsync.casework import agenda as agendas
    from fieldsync.ui.views import agenda as pictures

    with opened(ctx) as node:
        last = _day(node, until) if until else node.today() if overdue else None
        found = agendas.list_due(node, until=last, worker=worker, everybody=everybody, unit=unit)
        if overdue:
            found = [one for one in found if one.days > 0]
        tell(ctx, found, lambda out: pictures.agenda(out, node, found))


def caseload(ctx: typer.Context, unit: Unit = None) -> None:
    """Show how many cases each worker has open, by risk and stage, and what is late.

    Example: fieldsync caseload --unit LAT/JBL
    """
    from fieldsync.casework import cases
    from fieldsync.ui.views import agenda as pictures

    with opened(ctx) as node:
        found = cases.list_caseload(node, unit)
        tell(ctx, found, lambda out: pictures.caseload(out, node, found))


def _day(node: "Node", text: str) -> str:
    """Return a date as it is stored; Usage."""
    from fieldsync.schema import dates
    from fieldsync.schema.model import Field
    from fieldsync.schema.values import value_normaliser

    field = Field("until", "date", "latest", {})
    try:
        return str(value_normaliser(field)(dates.read_typed_date(field, text, node.today())))
    except errors.IllegalValue as fault:
        raise errors.Usage(reason="day", given=text) from fault

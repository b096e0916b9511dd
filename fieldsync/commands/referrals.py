"""Referrals to other organisations, their answers, and the consents behind them."""

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from fieldsync.commands import opened, tell
from fieldsync.commands.records import Note, Record
from fieldsync.commands.support import completion

if TYPE_CHECKING:
    from fieldsync.replica.node import Node

Referral = Annotated[
    str,
    Argument(metavar="REFERRAL", help="Its id, its code, or a beginning of either.", autocompletion=completion.codes),
]
Unit = Annotated[
    str | None, Option(metavar="UNIT", help="Only this unit and those below it.", autocompletion=completion.units)
]


def refer(
    ctx: typer.Context,
    record: Record,
    *,
    to: Annotated[
        str,
        Option(
            metavar="UNIT",
            help="The unit of the organisation's people, such as LAT/ALBIR.",
            autocompletion=completion.units,
        ),
    ],
    reason: Annotated[
        str,
        Option(metavar="TEXT", help="The reason; the other organisation reads it, so give only what it needs to know."),
    ],
    kind: Annotated[
        str, Option(metavar="KIND", help="service, charity_help, home_repair, protection, corner or escalation.")
    ] = "charity_help",
    services: Annotated[
        list[str] | None, Option(metavar="SERVICE", help="A requested service; repeat for each.")
    ] = None,
    urgency: Annotated[
        str, Option(metavar="URGENCY", help="emergency (24 hours), urgent (72 hours) or routine (2 weeks).")
    ] = "routine",
    share: Annotated[
        list[str] | None,
        Option(
            metavar="FIELD",
            help="A field of the person or the household to share; repeat for each (default: the name alone).",
            autocompletion=completion.fields,
        ),
    ] = None,
    consent: Annotated[
        str | None,
        Option(
            metavar="RECORD",
            help="The consent to use (default: the newest that covers it).",
            autocompletion=completion.codes,
        ),
    ] = None,
    override: Annotated[
        str | None, Option(metavar="REASON", help="The reason for referring without consent; supervisors only.")
    ] = None,
    note: Note = None,
) -> None:
    """Refer a person or a household to another organisation, which sees the fields that you share and nothing else.

    Example: fieldsync refer JBL-AK-7 --to LAT/ALBIR --reason "a heater for the winter" --share given --share phones
    """
    from fieldsync.casework import referrals

    with opened(ctx) as node:
        request = referrals.ReferralRequest(
            to, reason, kind, services or (), urgency, share=share or (), consent=consent, override=override
        )
        made = referrals.refer_record(node, record, request, note=note)
        _show_referral(ctx, node, made)


def accept(ctx: typer.Context, record: Referral, note: Note = None) -> None:
    """Accept a referral.

    Example: fieldsync referral accept JBL-AK-12
    """
    _answer(ctx, record, "accepted", note=note)


def decline(
    ctx: typer.Context,
    record: Referral,
    *,
    why: Annotated[
        str,
        Option(
            metavar="REASON", help="no_capacity, not_eligible, out_of_area, incomplete, declined, duplicate or other."
        ),
    ],
    note: Note = None,
) -> None:
    """Decline a referral, saying why; with the next sync it leaves this laptop.

    Example: fieldsync referral decline JBL-AK-12 --why no_capacity
    """
    _answer(ctx, record, "rejected", why=why, note=note)


def complete(ctx: typer.Context, record: Referral, note: Note = None) -> None:
    """Mark a referral as completed.

    Example: fieldsync referral complete JBL-AK-12
    """
    _answer(ctx, record, "done", note=note)


def deliver(
    ctx: typer.Context,
    record: Referral,
    *,
    service: Annotated[str, Option(metavar="SERVICE", help="The service given, such as shelter.")],
    on: Annotated[str | None, Option(metavar="DATE", help="The date (default: today).")] = None,
    outcome: Annotated[str, Option(metavar="OUTCOME", help="given, partly, not_given or refused.")] = "given",
    note: Note = None,
) -> None:
    """Record a service given for a referral; the referring unit is informed.

    Example: fieldsync referral deliver JBL-AK-12 --service shelter --on 2026-10-04
    """
    from fieldsync.casework import referrals

    with opened(ctx) as node:
        _show_referral(ctx, node, referrals.deliver_service(node, record, service, on=on, outcome=outcome, note=note))


def withdraw(ctx: typer.Context, record: Referral, note: Note = None) -> None:
    """Withdraw a referral: it leaves the other organisation at its next sync; services already delivered stay recorded.

    Example: fieldsync referral withdraw JBL-AK-12 --note "moved away"
    """
    from fieldsync.casework import referrals

    with opened(ctx) as node:
        _show_referral(ctx, node, referrals.withdraw_referral(node, record, note=note))


def list_referrals(
    ctx: typer.Context,
    *,
    unanswered: Annotated[
        bool, Option("--unanswered", help="Only those without an answer, and drafts that were never sent.")
    ] = False,
    unit: Unit = None,
) -> None:
    """List referrals, the oldest overdue first.

    Example: fieldsync referral list --unanswered
    """
    from fieldsync.casework import referrals
    from fieldsync.ui.views import referrals as pictures

    with opened(ctx) as node:
        found = referrals.list_referrals(node, unanswered=unanswered, unit=unit)
        tell(ctx, found, lambda out: pictures.referrals(out, node, found))


def list_shared(ctx: typer.Context, record: Record) -> None:
    """List the data of a person or household that was ever shared: organisation, date, fields, consent.

    Example: fieldsync consent list JBL-AK-7
    """
    from fieldsync.casework import referrals
    from fieldsync.ui.views import referrals as pictures

    with opened(ctx) as node:
        found = referrals.list_shared(node, record)
        tell(ctx, found, lambda out: pictures.shared(out, node, found))


def withdraw_consent(
    ctx: typer.Context,
    consent: Annotated[
        str,
        Argument(
            metavar="CONSENT", help="Its id, its code, or a beginning of either.", autocompletion=completion.codes
        ),
    ],
    note: Note = None,
) -> None:
    """Withdraw a consent: nothing more is shared under it, and what was shared leaves the other organisations.

    Example: fieldsync consent withdraw JBL-AK-9
    """
    from fieldsync.casework import referrals

    with opened(ctx) as node:
        _show_referral(ctx, node, referrals.withdraw_consent(node, consent, note=note))


def _answer(ctx: typer.Context, record: str, state: str, *, why: str | None = None, note: str | None = None) -> None:
    from fieldsync.casework import referrals

    with opened(ctx) as node:
        _show_referral(ctx, node, referrals.answer_referral(node, record, state, why=why, note=note))


def _show_referral(ctx: typer.Context, node: "Node", record: bytes) -> None:
    from fieldsync.api import Session

    found = Session(node).show(record.hex())
    tell(ctx, found, lambda out: out.saved(node, found))

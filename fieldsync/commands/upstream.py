"""A branch server and its upstream server."""

import os
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import bar, opened, tell
from fieldsync.commands.support.secrets import KEY_FILE
from fieldsync.environment import SYSTEM

if TYPE_CHECKING:
    from fieldsync.ui.views.tables import Tables


def attach(
    ctx: typer.Context, invite: Annotated[str, Argument(metavar="INVITE", help="The upstream server's invite.")]
) -> None:
    """Make this server a branch of another one, by an invite for the role `branch`.

    Example: fieldsync server upstream set fieldsync:1:…
    """
    from fieldsync.protocol import invites
    from fieldsync.server import branch_link

    with opened(ctx) as node:
        if node.is_laptop:
            raise errors.Usage(reason="not_a_server")
        parsed = invites.parse_invite(invite)
        with bar(ctx).waiting_for(parsed.address):
            told = branch_link.attach_branch(node, parsed)
        tell(ctx, told, lambda out: out.attached(told.server, told.address, told.units, told.device))


def sync(
    ctx: typer.Context,
    delay: Annotated[
        int, Option(min=0, max=24 * 60, metavar="MINUTES", help="Wait for a random time up to this first.")
    ] = 0,
) -> None:
    """Sync with the upstream server: laptops' saves go up as they were signed, new ones come down.

    Example: fieldsync server upstream sync
    """
    from fieldsync.api import Session
    from fieldsync.commands.support.process import hide_passphrase
    from fieldsync.server import branch_link

    hide_passphrase()
    SYSTEM.sleep(SYSTEM.random() * delay * 60)
    with opened(ctx) as node:
        server = branch_link.server_above(node)
        with bar(ctx) as progress, progress.waiting_for(server.name):
            synced = Session(node).sync(server.address, progress=progress, waiting=progress.show_waiting)
        tell(ctx, synced, lambda out: out.synced(synced, node))


def schedule(
    ctx: typer.Context,
    at: Annotated[str, Option(metavar="HH:MM", help="The time, by this computer's clock.")],
) -> None:
    """Sync with the upstream server every night: a systemd timer, or a cron line where there is no systemd.

    A random delay of some minutes is added, so that branches do not all sync at once. The store must open by FIELDSYNC_KEY_FILE.

    Example: fieldsync server upstream schedule --at 02:00
    """
    from fieldsync.server import branch_link

    with opened(ctx) as node:
        told = branch_link.schedule_sync(node, at, os.environ.get(KEY_FILE, ""))

    def picture(out: "Tables") -> None:
        if told.cron is None:
            out.scheduled_timer(told.at, told.delay_minutes, told.files, active=told.active, user=told.user is True)
        else:
            out.scheduled_cron(told.at, told.delay_minutes, told.cron, active=told.active)

    tell(ctx, told, picture)

"""Locking devices, and approving pending ones."""

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import opened, settings_of, tables, tell
from fieldsync.commands.support.settings import at_terminal

if TYPE_CHECKING:
    from fieldsync.replica.node import Node
    from fieldsync.topology.device_summaries import FamilyMember

Device = Annotated[str, Argument(metavar="DEVICE", help="Its code letters or the beginning of its id.")]


def revoke(
    ctx: typer.Context,
    device: Device,
    everything: Annotated[
        bool, Option("--all", help="Revoke its whole family: all copies of it, and its original.")
    ] = False,
    since: Annotated[
        str | None,
        Option(
            metavar="DATE",
            help="When it was lost or stolen: a date, or a date with the time: 2026-10-31T14:30. "
            "Saves first received after that are quarantined.",
        ),
    ] = None,
) -> None:
    """Revoke a device for ever, from its next request; its earlier saves stay.

    Its family is shown: every device that was restored or cloned from it, or that it came from, with where and when each was
    enrolled. On a terminal you are asked for each of them. Without one, or with --json, only DEVICE is locked, unless --all is given.

    Saves that a branch accepted before it learned of the revocation stay, on the branch's word, which `history` marks. If the
    device was stolen, give the time (you are asked on a terminal): saves first received after it are quarantined until
    somebody releases or drops them (`quarantine list`).

    Example: fieldsync server revoke AK --since 2026-11-28 --all
    """
    from fieldsync.server import device_locks

    moment = _moment(since) if since is not None else None

    with opened(ctx) as node:
        _check_server(node)
        members = device_locks.list_family(node, device)
        person = at_terminal() and not settings_of(ctx).json
        asking = len(members) > 1 and not everything and person
        also = _confirmed(ctx, members) if asking else [one.id for one in members if everything]
        if since is None and person and not device_locks.has_upstream(node):
            moment = _asked_since(ctx)
        found = device_locks.revoke_device(node, device, also=also, declined=asking, since=moment)
        tell(ctx, found, lambda out: out.revoked(found))


def _confirmed(ctx: typer.Context, members: "list[FamilyMember]") -> list[str]:
    """Show a family, and return the ids of those further ones that the person wants to lock."""
    out = tables(ctx)
    out.family(members)
    return [one.id for one in members[1:] if out.agreed("lock_too", device=one.device, person=out.safe(one.person))]


def _moment(given: str) -> int:
    """Return a date or a date with its time, by this computer's clock, in milliseconds; Usage."""
    from datetime import datetime

    from fieldsync.environment import SYSTEM
    from fieldsync.schema import dates

    now = SYSTEM.wall_clock()
    today = datetime.fromtimestamp(now / 1000).astimezone().date().isoformat()
    try:
        found = datetime.fromisoformat(dates.iso_moment(given, today)).astimezone()
    except (ValueError, OverflowError, OSError) as fault:
        raise errors.Usage(reason="since", given=given) from fault
    moment = int(found.timestamp() * 1000)
    if not 0 < moment <= now:
        raise errors.Usage(reason="since", given=given)
    return moment


def _asked_since(ctx: typer.Context) -> int | None:
    """Ask since when a device was out of its person's hands; None for an empty answer."""
    out = tables(ctx)
    while True:
        said = out.ask(out.phrase("ask_since") + " ").strip()
        if not said:
            return None
        try:
            return _moment(said)
        except errors.Usage:
            out.say("usage.since", given=out.safe(said))


def pending(ctx: typer.Context) -> None:
    """List devices that await approval: their saves are quarantined, and they receive nothing.

    A device is pending where another one has already gone on for the same original, after a restore or a clone.

    Example: fieldsync server pending
    """
    from fieldsync.server import device_locks

    with opened(ctx) as node:
        _check_server(node)
        found = device_locks.list_pending(node)
        tell(ctx, found, lambda out: out.pending_devices(found))


def approve(
    ctx: typer.Context,
    device: Device,
    words: Annotated[
        str | None,
        Option(metavar="WORDS", help="The six words that `status` shows on the device, read out by its user."),
    ] = None,
) -> None:
    """Approve a pending device, at headquarters: it then works like any other, and its quarantined saves are judged.

    On a terminal you are asked for the six words that `status` shows on the device; its user reads them out.

    Example: fieldsync server approve AK
    """
    from fieldsync.server import device_locks

    with opened(ctx) as node:
        _check_server(node)
        if words is None and at_terminal() and not settings_of(ctx).json:
            words = tables(ctx).ask_words(device)
        found = device_locks.approve_device(node, device, words)
        tell(ctx, found, lambda out: out.approved(found))


def _check_server(node: "Node") -> None:
    if node.is_laptop:
        raise errors.Usage(reason="not_a_server")

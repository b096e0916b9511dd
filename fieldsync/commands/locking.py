"""Locking devices out, and approving those that wait."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import at_terminal, opened, settings_of, tables, tell

if TYPE_CHECKING:
    from fieldsync.sync.node import Node

Device = Annotated[str, Argument(metavar="DEVICE", help="Its letters or the beginning of its id.")]


def revoke(
    ctx: typer.Context,
    device: Device,
    everything: Annotated[
        bool, Option("--all", help="Lock its whole family: all copies of it, and what it is a copy of.")
    ] = False,
) -> None:
    """Lock a device out for ever, from its next request on; what it had sent stays.

    Its family is shown: every device that was restored or cloned from it, or that it came from, with where and when each was
    enrolled. On a terminal you are asked for each of them. Without one, or with --json, only DEVICE is locked, unless --all is given.

    Example: fieldsync server revoke AK --all
    """
    from fieldsync.server import device_locks

    with opened(ctx) as node:
        _check_server(node)
        members = device_locks.family(node, device)
        asking = len(members) > 1 and not everything and at_terminal() and not settings_of(ctx).json
        also = _confirmed(ctx, members) if asking else [one["id"] for one in members if everything]
        found = device_locks.revoke(node, device, also=also, declined=asking)
        tell(ctx, found, lambda out: out.revoked(found))


def _confirmed(ctx: typer.Context, members: list[dict[str, Any]]) -> list[str]:
    """Show a family, and return the ids of those further ones that the person wants to lock."""
    out = tables(ctx)
    out.family(members)
    return [
        one["id"] for one in members[1:] if out.agreed("lock_too", device=one["device"], person=out.safe(one["person"]))
    ]


def pending(ctx: typer.Context) -> None:
    """List the devices that wait for approval: what they push is quarantined, and they get nothing.

    A device is pending where another one has already gone on for the same original, after a restore or a clone.

    Example: fieldsync server pending
    """
    from fieldsync.server import device_locks

    with opened(ctx) as node:
        _check_server(node)
        found = device_locks.pending(node)
        tell(ctx, found, lambda out: out.pending_devices(found))


def approve(
    ctx: typer.Context,
    device: Device,
    words: Annotated[
        str | None, Option(metavar="WORDS", help="The six words that its `status` shows, as its person reads them out.")
    ] = None,
) -> None:
    """Approve a pending device, at headquarters: it works like any other, and what it had pushed is judged.

    On a terminal you are asked for the six words that `status` shows on the device; its person reads them out.

    Example: fieldsync server approve AK
    """
    from fieldsync.server import device_locks

    with opened(ctx) as node:
        _check_server(node)
        if words is None and at_terminal() and not settings_of(ctx).json:
            words = tables(ctx).ask_words(device)
        found = device_locks.approve(node, device, words)
        tell(ctx, found, lambda out: out.approved(found))


def _check_server(node: "Node") -> None:
    if node.is_laptop:
        raise errors.Usage(reason="not_a_server")

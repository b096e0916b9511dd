"""How the servers and laptops of an office are, in one table."""

from typing import Annotated

import typer
from typer import Option

from fieldsync import errors
from fieldsync.commands import opened, tell
from fieldsync.commands.support import quantities


def fleet(
    ctx: typer.Context,
    late: Annotated[
        str, Option(metavar="TIME", help="Only those without a sync for so long: 7d, 12h. Default: all.")
    ] = "",
) -> None:
    """Show this server, its branches and all devices: version, last sync, last backup, disk, clock, and action needed.

    The most urgent come first. A device's data is as of its last sync; a branch forwards that of its own devices.

    Example: fieldsync server fleet --late 7d
    """
    from fieldsync.topology import fleet as fleets

    limit = int(quantities.age(late) * 1000) if late else None
    with opened(ctx) as node:
        if node.is_laptop:
            raise errors.Usage(reason="not_a_server")
        found = fleets.list_fleet(node, late=limit)
        tell(ctx, found, lambda out: out.fleet(found))

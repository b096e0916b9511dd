"""Sync by file: pack pending changes into a bundle, and unpack one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import bar, opened, tell

if TYPE_CHECKING:
    from fieldsync.replica.node import Node

File = Annotated[str, Argument(metavar="FILE", help="The bundle's file, on a USB stick for example.")]


def pack(
    ctx: typer.Context,
    file: File,
    for_: Annotated[
        str,
        Option(
            "--for", metavar="DEVICE", help="On a server: the laptop or branch to answer, by its letters or its id."
        ),
    ] = "",
    again: Annotated[
        bool, Option("--again", help="All unacknowledged saves, including those in earlier bundles.")
    ] = False,
) -> None:
    """Pack new saves into an encrypted bundle for the office, or from a branch for its upstream server; with --for, an answer.

    Example: fieldsync pack /media/stick/to-office.age
    """
    from fieldsync.protocol.bundles import bundle_sync

    with opened(ctx) as node:
        if node.is_laptop and for_:
            raise errors.Usage(reason="not_a_server")
        if not node.is_laptop and not for_ and not _is_branch(node):
            raise errors.Usage(reason="pack_for")
        if for_:
            from fieldsync.topology.device_summaries import find_device

            with node.store.read() as tx:
                device = find_device(tx, for_)
        with bar(ctx) as progress:
            if for_:
                packed = bundle_sync.pack_reply(node, Path(file), device, progress=progress)
            else:
                packed = bundle_sync.pack_bundle(node, Path(file), again=again, progress=progress)
        tell(ctx, packed, lambda out: out.packed(packed, server=bool(for_)))


def _is_branch(node: "Node") -> bool:

    with node.store.read() as tx:
        return tx.settings.upstream is not None


def unpack(ctx: typer.Context, file: File) -> None:
    """Unpack a bundle: it is verified completely, then applied like a sync.

    Example: fieldsync unpack /media/stick/from-office.age
    """
    from fieldsync.protocol.bundles import bundle_sync

    with opened(ctx) as node:
        with bar(ctx) as progress:
            taken = bundle_sync.unpack_bundle(node, Path(file), progress=progress)
        tell(ctx, taken, lambda out: out.unpacked(taken, node))

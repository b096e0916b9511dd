"""Joining an organisation: this laptop is enrolled with an invite and fetches its records."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import asdict
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import bar, new_folder, opened, settings_of, tell
from fieldsync.commands.support import text_files

if TYPE_CHECKING:
    from fieldsync.replica.node import Node


def join(
    ctx: typer.Context,
    invite: Annotated[
        str, Argument(metavar="INVITE", help="The invite's text, a file that holds it, or - for standard input.")
    ],
    name: Annotated[str | None, Option(help="A name for this server.")] = None,
) -> None:
    """Enrol this laptop with an invite and fetch its records.

    If the connection was lost, run it again with the same invite.
    If a restored server has lost this laptop, a new invite brings it back: all work here stays, and is sent again.

    Example: fieldsync join fieldsync:1:lKdodHRwczov...
    """
    from fieldsync.commands.support.secrets import Secrets
    from fieldsync.protocol import invites, join_server, sync_once
    from fieldsync.replica import queries
    from fieldsync.topology import sync_results

    parsed = invites.parse_invite(_invite_text(invite))
    secrets = Secrets(settings_of(ctx))
    home = settings_of(ctx).folder
    asking = bar(ctx).waiting_for(parsed.address)
    if (home / "slots.json").exists():
        join_server.join_server(parsed, home, secrets.fill, secrets.unlock, asking=asking)
    else:
        with new_folder(ctx) as folder:
            secrets.prepare()
            join_server.join_server(parsed, folder, secrets.fill, asking=asking)
    with opened(ctx, secrets) as node:
        if name:
            _rename_server(node, name)
        with bar(ctx) as progress, progress.waiting_for(parsed.address):
            synced = sync_once.sync_once(node, progress=progress)
        told = sync_results.Joined(**asdict(queries.status(node)), sync=synced)
        tell(ctx, told, lambda out: out.joined(told, node))


def _invite_text(given: str) -> str:
    import os.path
    import sys

    if given == "-":
        return sys.stdin.read(4_096)
    if "fieldsync:" not in given and os.path.isfile(given):  # noqa: PTH113 - Path.is_file raises for a text too long
        try:
            text = text_files.decoded(Path(given).read_bytes())[:4_096]
        except OSError as fault:
            raise errors.BadFile(file=Path(given).name, reason="unreadable") from fault
        if "\ufffd" in text:
            raise errors.BadFile(file=Path(given).name, reason="unreadable")
        return text
    if "fieldsync:" not in given and "://" not in given and ("/" in given or given.endswith(".txt")):  # meant as a file
        raise errors.BadFile(file=Path(given).name, reason="unreadable")
    return given


def _rename_server(node: "Node", name: str) -> None:
    from msgspec import structs

    with node.store.write() as tx:
        for server in tx.servers():
            tx.add_server(structs.replace(server, name=name))

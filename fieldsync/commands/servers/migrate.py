"""The move of a server's store into PostgreSQL."""

from typing import Annotated

import typer
from typer import Option

from fieldsync.commands import settings_of, tell


def migrate(
    ctx: typer.Context,
    to: Annotated[str, Option(metavar="URL", help="The address of an empty database.")],
) -> None:
    """Move this server's store from its file into a PostgreSQL database. Stop the server before, and start it again afterwards.

    Example: fieldsync server migrate --to postgresql://fieldsync@db.example.org/fieldsync
    """
    from fieldsync.commands.support.secrets import Secrets
    from fieldsync.topology import database_move

    settings = settings_of(ctx)
    moved = database_move.move_server(settings.folder, Secrets(settings).unlock, to)
    tell(ctx, moved, lambda out: out.say("migrated", records=moved.records, devices=moved.devices, file=moved.old_file))

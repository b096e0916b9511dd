"""Changing the passphrase."""

from typing import Annotated

import typer
from typer import Option

from fieldsync.commands import settings_of, tell
from fieldsync.commands.support import secrets


def passphrase(
    ctx: typer.Context,
    new_file: Annotated[
        str, Option("--new-passphrase-file", metavar="FILE", help="Read the new passphrase from a file's first line.")
    ] = "",
) -> None:
    """Change the passphrase: a prompt asks for the new one twice. The store itself is not rewritten.

    Example: fieldsync passphrase
    """
    changed = secrets.change(settings_of(ctx), new_file)
    tell(ctx, changed, lambda out: out.passphrase_changed())

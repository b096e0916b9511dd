"""Integrity check, sealed backup and restore of a store; the same for laptops and servers."""

from typing import Annotated

import typer
from typer import Argument

from fieldsync import errors
from fieldsync.commands import bar, new_folder, opened, settings_of, tell


def check(ctx: typer.Context) -> None:
    """Verify the store: the file, the chains of commits, the records made from them. Repairs nothing.

    Example: fieldsync check
    """
    from fieldsync.authority import integrity

    with opened(ctx) as node, bar(ctx) as progress:
        found = integrity.check_integrity(node, progress)
        tell(ctx, found, lambda out: out.checked(found))
    if not found.ok:
        raise typer.Exit(errors.StoreDamaged.exit)


def backup(
    ctx: typer.Context, file: Annotated[str, Argument(metavar="FILE", help="The backup file; it must not exist yet.")]
) -> None:
    """Write an encrypted backup of the store into one file, while it is in use. It opens with the same passphrase or key file.

    Example: fieldsync backup /media/stick/amal.fsbackup
    """
    from pathlib import Path

    from fieldsync.topology import backups

    with opened(ctx) as node:
        made = backups.write_backup(node, Path(file))
        tell(ctx, made, lambda out: out.backed_up(made))


def restore(
    ctx: typer.Context, file: Annotated[str, Argument(metavar="FILE", help="A file made by `backup`.")]
) -> None:
    """Restore a store from a backup, in a new folder (--home). At its next sync a laptop becomes a new device.

    Example: fieldsync --home /data/fieldsync restore /media/stick/amal.fsbackup
    """
    from pathlib import Path

    from fieldsync.commands.support.secrets import Secrets
    from fieldsync.topology import backups

    with new_folder(ctx) as folder:
        made = backups.restore_backup(Path(file), folder, Secrets(settings_of(ctx)).unlock)
    tell(ctx, made, lambda out: out.restored(made))

"""Backups of a server by schedule, and rehearsals of a restore."""

from typing import Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import backup as backup_commands
from fieldsync.commands import bar, opened, settings_of, tell

_MOST = 1_000


def schedule(
    ctx: typer.Context,
    to: Annotated[str, Option(metavar="DIR", help="The backup folder; it must exist.")] = "",
    copy: Annotated[str | None, Option(metavar="DIR", help='A second folder, on another disk ("" for none).')] = None,
    at: Annotated[str, Option(metavar="HH:MM", help="Time of day, by this computer's clock (default 02:00).")] = "",
    daily: Annotated[
        int | None, Option(metavar="N", min=0, max=_MOST, help="Daily backups to keep (default 7).")
    ] = None,
    weekly: Annotated[
        int | None, Option(metavar="N", min=0, max=_MOST, help="Weekly backups to keep (default 4).")
    ] = None,
    monthly: Annotated[
        int | None, Option(metavar="N", min=0, max=_MOST, help="Monthly backups to keep (default 12).")
    ] = None,
    rehearse: Annotated[
        int | None,
        Option(
            metavar="DAYS",
            min=0,
            max=_MOST,
            help="Rehearse the newest backup every so many days (default 7, 0: never).",
        ),
    ] = None,
    off: Annotated[bool, Option("--off", help="Delete the schedule; existing backups are kept.")] = False,
) -> None:
    """Back up this server every day, rotate the backups, and copy each to another disk. Without options: show the schedule.

    The running server makes the backups. It catches up on a missed backup and retries a failed one after an hour. The newest backup of
    each of the last days, weeks and months is kept. `server fleet`, `status` and the metrics show the result.

    Example: fieldsync server backup schedule --to /srv/backups --copy /mnt/disk2/backups
    """
    from pathlib import Path

    from msgspec import structs

    from fieldsync.server import branch_link
    from fieldsync.store.node_notes import BackupPlan
    from fieldsync.topology import backup_schedule

    with opened(ctx) as node:
        if node.is_laptop:
            raise errors.Usage(reason="not_a_server")
        plan = backup_schedule.read_plan(node)
        rotation = {
            name: n for name, n in (("daily", daily), ("weekly", weekly), ("monthly", monthly)) if n is not None
        }
        given: dict[str, object] = {"folder": str(Path(to).resolve())} if to else {}
        given |= {} if copy is None else {"copy": str(Path(copy).resolve()) if copy else ""}
        given |= {"at": branch_link.time_of_day(at)} if at else {}
        given |= {} if rehearse is None else {"rehearse_days": rehearse}
        if off:
            backup_schedule.set_plan(node, None)
            plan = None
        elif given or rotation:
            plan = plan or BackupPlan("")
            plan = structs.replace(plan, **given, rotation=structs.replace(plan.rotation, **rotation))
            if not plan.folder:
                raise errors.Usage(reason="no_backup_schedule")
            backup_schedule.set_plan(node, plan)
            plan = backup_schedule.read_plan(node)
        found = backup_schedule.describe_plan(node, plan)
        tell(ctx, found, lambda out: out.backup_schedule(found))


def now(ctx: typer.Context) -> None:
    """Make a scheduled backup now: written to the folder of the schedule, copied and rotated.

    Example: fieldsync server backup now
    """
    from fieldsync.topology import backup_schedule

    with opened(ctx) as node:
        if node.is_laptop:
            raise errors.Usage(reason="not_a_server")
        made = backup_schedule.run_backup(node)
        tell(ctx, made, lambda out: out.backed_up_now(made))


def restore(
    ctx: typer.Context,
    file: Annotated[
        str, Argument(metavar="[FILE]", help="A file that `backup` made; with --rehearse the newest scheduled one.")
    ] = "",
    rehearse: Annotated[
        bool, Option("--rehearse", help="Open and verify the backup, then delete what was opened.")
    ] = False,
    in_place: Annotated[
        bool,
        Option(
            "--in-place",
            help="PostgreSQL put the database back to an earlier time: have laptops send again what it lost.",
        ),
    ] = False,
) -> None:
    """Restore a backup into a new folder (--home), or rehearse a restore of the newest backup.

    A rehearsal opens the backup in an encrypted temporary folder and verifies all of it. `server fleet` shows its date and result.

    After a point-in-time restore of PostgreSQL run it with --in-place, once, before the server starts: laptops then send again what the
    database lost.

    Example: fieldsync server restore --rehearse
    """
    if in_place:
        _restore_in_place(ctx, alone=not (file or rehearse))
        return
    if not rehearse:
        if not file:
            raise errors.Usage(reason="missing", given="FILE", command="fieldsync server restore")
        backup_commands.restore(ctx, file)
        return
    from pathlib import Path

    from fieldsync.authority import backup_rehearsal
    from fieldsync.commands.support.secrets import Secrets

    secrets = Secrets(settings_of(ctx))
    with opened(ctx, secrets) as node, bar(ctx) as progress:
        if node.is_laptop:
            raise errors.Usage(reason="not_a_server")
        found = backup_rehearsal.rehearse(node, Path(file) if file else None, secrets.unlock, progress)
        tell(ctx, found, lambda out: out.rehearsed(found))
    if not found.ok:
        raise typer.Exit(errors.StoreDamaged.exit)


def _restore_in_place(ctx: typer.Context, *, alone: bool) -> None:
    from fieldsync.topology import backups

    if not alone:
        raise errors.Usage(reason="in_place")
    with opened(ctx) as node:
        if node.is_laptop:
            raise errors.Usage(reason="not_a_server")
        made = backups.restore_in_place(node)
        tell(ctx, made, lambda out: out.restored(made))

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
    to: Annotated[str, Option(metavar="DIR", help="The folder for the backups; it must exist.")] = "",
    copy: Annotated[str | None, Option(metavar="DIR", help='A second folder, on another disk; "" for none.')] = None,
    at: Annotated[str, Option(metavar="HH:MM", help="When, by this computer's clock (default 02:00).")] = "",
    daily: Annotated[int | None, Option(metavar="N", min=0, max=_MOST, help="Days to keep one of (default 7).")] = None,
    weekly: Annotated[
        int | None, Option(metavar="N", min=0, max=_MOST, help="Weeks to keep one of (default 4).")
    ] = None,
    monthly: Annotated[
        int | None, Option(metavar="N", min=0, max=_MOST, help="Months to keep one of (default 12).")
    ] = None,
    rehearse: Annotated[
        int | None,
        Option(
            metavar="DAYS",
            min=0,
            max=_MOST,
            help="Open and check the newest one every so many days (default 7, 0: never).",
        ),
    ] = None,
    off: Annotated[bool, Option("--off", help="Back up no more by schedule; the backups stay.")] = False,
) -> None:
    """Back up every night while the server runs, rotate the backups, and copy each to another disk. Without options: show the schedule.

    Of each of the last days, weeks and months the newest backup is kept. A missed night is made up for, a failed one tried again
    after an hour. The result is in `server fleet`, `status` and the metrics.

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
    """Back up at once as the schedule says: into its folder, copied and rotated.

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
        str, Argument(metavar="[FILE]", help="A copy that `backup` made. With --rehearse: the schedule's newest.")
    ] = "",
    rehearse: Annotated[
        bool, Option("--rehearse", help="Open the backup, check all of it, and remove what was opened: a rehearsal.")
    ] = False,
) -> None:
    """Make a store from a copy, in a new folder (--home); or rehearse that with the newest backup.

    A rehearsal changes nothing but the date and result that `server fleet` shows. What it opens stays encrypted.

    Example: fieldsync server restore --rehearse
    """
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

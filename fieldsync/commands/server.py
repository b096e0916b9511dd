"""Server administration: set up, run, invite, list devices and change their grants."""

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from fieldsync import errors
from fieldsync.commands import new_folder, opened, settings_of, tell
from fieldsync.commands.support import completion

if TYPE_CHECKING:
    from fieldsync.server.connections import ConnectionLimits

Role = Annotated[
    str,
    Option(
        metavar="ROLE",
        help="caseworker, supervisor, admin, auditor, partner or branch.",
        autocompletion=completion.roles,
    ),
]


def init(
    ctx: typer.Context,
    org: Annotated[str, Option(metavar="NAME", help="The organisation's name.")],
    unit: Annotated[str, Option(metavar="ROOT", help="The server's unit, such as LAT.")],
    address: Annotated[str, Option(metavar="URL", help="The address for laptops: https://HOST:PORT.")],
    schemas: Annotated[
        str, Option(metavar="DIR", help="A folder of forms (default: those that come with fieldsync).")
    ] = "",
    database: Annotated[
        str, Option(metavar="URL", help="The PostgreSQL database for the store (default: a file in the folder).")
    ] = "",
) -> None:
    """Make a server's store, keys and certificate; prints the recovery key once.

    Example: fieldsync server init --org "Social Affairs" --unit LAT --address https://10.0.0.5:8443
    """
    from pathlib import Path

    from fieldsync.commands.support.secrets import Secrets
    from fieldsync.schema import load
    from fieldsync.server import administration

    texts = load.read_folder(Path(schemas)) if schemas else load.shipped_texts()
    load.load_texts(texts)
    secrets = Secrets(settings_of(ctx))
    plan = administration.ServerPlan(org=org, unit=unit, address=address, database=database or None)
    with new_folder(ctx) as folder:
        made = administration.init_server(folder, secrets.fill, plan, texts)
    tell(ctx, made, lambda out: out.office_made(made.org, made.unit, made.address, made.fingerprint, made.recovery))


def run(
    ctx: typer.Context,
    listen: Annotated[str, Option(metavar="HOST:PORT", help="The address to listen on.")] = "0.0.0.0:8443",
    workers: Annotated[int, Option(min=1, help="Processes; more than one needs PostgreSQL.")] = 1,
    unproved: Annotated[
        int,
        Option(metavar="N", min=16, help="Maximum number of unauthenticated connections; the oldest is dropped."),
    ] = 1_500,
    unproved_address: Annotated[
        int, Option(metavar="N", min=1, help="Maximum number of unauthenticated connections from one network address.")
    ] = 200,
    log_format: Annotated[
        str,
        Option(metavar="FORMAT", help="Lines on standard error: text, or json (one object a line, no personal data)."),
    ] = "text",
) -> None:
    """Serve in the foreground until stopped; prints `listening on URL` on standard error when ready.

    Example: fieldsync server run --listen 0.0.0.0:8443
    """
    import os

    from fieldsync.server import event_log
    from fieldsync.server.connections import ConnectionLimits, listening_address

    address, limits = listening_address(listen), ConnectionLimits(unproved, unproved_address)
    if log_format not in event_log.FORMATS:
        raise errors.Usage(reason="log_format", known=list(event_log.FORMATS))
    if log_format == "json":
        event_log.write_json_lines(os.environ.get("FIELDSYNC_LOG", "info"))
    try:
        _serve(ctx, address, limits, workers)
    except Exception as fault:
        if not event_log.writes_json():
            raise
        event_log.log_fault(fault)
        if settings_of(ctx).json:
            raise
        raise typer.Exit(getattr(fault, "exit", 1)) from fault


def _serve(ctx: typer.Context, address: tuple[str, int], limits: "ConnectionLimits", workers: int) -> None:
    from functools import partial

    from fieldsync.commands.support.secrets import LastingSecrets

    secrets = LastingSecrets(settings_of(ctx))
    with opened(ctx, secrets, shared=True, lasting=True) as node:
        if node.is_laptop:
            raise errors.Usage(reason="not_a_server")
        if workers == 1:
            from fieldsync.server import http_server
            from fieldsync.server.backup_timer import BackupTimer

            http_server.serve_node(node, http_server.Listener(*address), limits, BackupTimer(node, secrets.unlock))
            return
        if not node.store.serves_many:
            raise errors.Usage(reason="workers")
    # closed by now: no thread and no connection of this process is to be in its forks
    from fieldsync.server.worker_processes import serve_with_workers

    serve_with_workers(partial(opened, ctx, secrets, shared=True), secrets.unlock, address, limits, workers)


def invite(
    ctx: typer.Context,
    name: Annotated[str, Argument(metavar="NAME", help="The person's name.")],
    role: Role,
    unit: Annotated[
        list[str],
        Option(
            metavar="UNIT",
            help="A unit that the person works in; may be given more than once.",
            autocompletion=completion.units,
        ),
    ],
    hours: Annotated[int, Option(min=1, max=24 * 90, help="How long the invite is valid.")] = 72,
) -> None:
    """Make a single-use invite; works while the server runs.

    Example: fieldsync server invite "أمل" --role caseworker --unit LAT/JBL
    """
    from fieldsync.server import administration

    with opened(ctx) as node:
        _check_server(node.is_laptop)
        made = administration.make_invite(node, name, role, unit, hours=hours)
        tell(ctx, made, lambda out: out.invited(name, made.invite, made.expires, made.fingerprint))


def devices(ctx: typer.Context) -> None:
    """List the enrolled devices: person, role, last contact.

    Example: fieldsync server devices
    """
    from fieldsync.server import administration

    with opened(ctx) as node:
        _check_server(node.is_laptop)
        found = administration.list_devices(node)
        tell(ctx, found, lambda out: out.devices(found))


def grant(
    ctx: typer.Context,
    device: Annotated[str, Argument(metavar="DEVICE", help="Its code letters or the beginning of its id.")],
    role: Role,
    unit: Annotated[
        list[str],
        Option(
            metavar="UNIT",
            help="A unit that the device may work in; may be given more than once.",
            autocompletion=completion.units,
        ),
    ],
    at_once: Annotated[
        bool,
        Option(
            "--at-once",
            help="Refuse everything signed under its old grants from now on, even before the device learns of the change.",
        ),
    ] = False,
) -> None:
    """Set a device's grants, replacing all earlier ones; they take effect at its next sync.

    Saves signed before the device learns of the change count for 60 days, unless --at-once is given.

    Example: fieldsync server grant AK --role caseworker --unit LAT/JBL --unit LAT/QRD
    """
    from fieldsync.server import administration

    with opened(ctx) as node:
        _check_server(node.is_laptop)
        found = administration.set_grants(node, device, role, unit, at_once=at_once)
        tell(ctx, found, lambda out: out.devices([found]))


def _check_server(laptop: bool) -> None:
    if laptop:
        raise errors.Usage(reason="not_a_server")

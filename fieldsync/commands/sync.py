"""Sync, once or repeatedly, and the status of this node."""

from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from fieldsync import errors
from fieldsync.commands import bar, opened, settings_of, tables, tell

if TYPE_CHECKING:
    from fieldsync.replica.node import Node
    from fieldsync.topology.sync_results import Synced


def sync(
    ctx: typer.Context,
    server: Annotated[str | None, Option(metavar="NAME", help="The server, if there are several.")] = None,
    *,
    dry_run: Annotated[bool, Option("--dry-run", help="Show what it would send, without sending anything.")] = False,
    tries: Annotated[
        int | None,
        Option(min=1, help="Maximum number of failed attempts in a row (default: 6 once the connection was lost)."),
    ] = None,
    budget: Annotated[
        str,
        Option(
            metavar="SIZE",
            help="Maximum number of bytes in both directions, such as 200KB; the most important data goes first.",
        ),
    ] = "",
    watch: Annotated[
        bool, Option("--watch", help="Keep running: sync whenever the server can be reached. Ctrl-C ends it.")
    ] = False,
    every: Annotated[
        str, Option(metavar="TIME", help="With --watch: how often to ask when there is nothing to send.")
    ] = "60s",
) -> None:
    """Send new saves and fetch new ones; after a lost connection, try again and resume.

    Example: fieldsync sync --budget 200KB
    """
    from fieldsync.api import Session
    from fieldsync.commands.support import quantities
    from fieldsync.protocol import byte_budget

    bytes_ = quantities.size(budget, byte_budget.LEAST) if budget else 0
    seconds = quantities.seconds(every)
    if watch and dry_run:
        raise errors.Usage(reason="watch_dry_run")
    with opened(ctx, lasting=not dry_run) as node:
        session = Session(node)
        if dry_run:
            planned = session.sync_plan(server)
            tell(ctx, planned, lambda out: out.sync_plan(planned))
            return
        if watch:
            _watch(ctx, node, server, tries=tries, budget=bytes_, every=seconds)
            return
        try:
            with bar(ctx) as progress, progress.waiting_for(_server_name(node, server)):
                synced = session.sync(
                    server, tries=tries, budget=bytes_, progress=progress, waiting=progress.show_waiting
                )
        except KeyboardInterrupt:
            raise errors.Stopped(unsent=session.sync_plan(server).up.commits) from None
        tell(ctx, synced, lambda out: out.synced(synced, node))


def _server_name(node: "Node", server: str | None) -> str:
    """Return the name of the server that is synced with. NotFound."""
    from fieldsync.replica import queries

    with node.store.read() as tx:
        return queries.server_named(tx, server).name


def _watch(
    ctx: typer.Context, node: "Node", server: str | None, *, tries: int | None, budget: int, every: float
) -> None:
    """Sync until somebody ends it, and say what came of it."""
    from fieldsync.api import Session
    from fieldsync.commands.sync_watch import Watch, until_told

    note = bar(ctx)
    session = Session(node)
    known = session.sync_plan(server).server  # NotFound before anything else

    def once() -> "Synced":
        with note.waiting_for(known):
            return session.sync(server, tries=tries, budget=budget, waiting=note.show_waiting)

    def told(synced: "Synced") -> None:
        tell(ctx, synced, lambda out: out.synced(synced, node))
        note.clear_no_contact()

    watch = Watch(node, server, every=every, sync=once, told=told, away=note.show_no_contact)
    note.write_note("watching", server=known)
    with until_told():
        watch.run()
    if not settings_of(ctx).json:
        tables(ctx).say("watched", n=watch.syncs, up=watch.sent, down=watch.fetched)


def status(ctx: typer.Context) -> None:
    """Show this laptop's identity, pending saves, conflicts and last sync.

    Supervisors also see pairs awaiting review: "duplicates" and "overlaps" with --json; "uncompared" records may bring more.
    "blocked" lists the reasons why this store and a server could not be compared.

    Example: fieldsync status
    """
    from fieldsync.ui.views import status_facts

    with opened(ctx) as node:
        found = status_facts.status(node, settings_of(ctx).language)
        tell(ctx, found, lambda out: out.status(node, found))

"""Diagnostics of this computer: store, disk, servers, clock, network, terminal, versions, and how it displays Arabic."""

import contextlib
import datetime as dt
import ipaddress
import os
import platform
import shutil
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from fieldsync import __version__, errors
from fieldsync.commands import bar, opened, settings_of, tables, tell
from fieldsync.commands.support.settings import Settings, at_terminal
from fieldsync.ui.views.doctor import Finding

if TYPE_CHECKING:
    from fieldsync.store.contract import KnownServer

_LITTLE_ROOM = 500 * 1024 * 1024  # bytes
_NO_ROOM = 20 * 1024 * 1024
_COLUMNS, _ROWS = 80, 24
_ANYWHERE = (
    "192.0.2.1",
    "2001:db8::1",
)  # addresses that are nobody's (RFC 5737, RFC 3849): only the way there is looked up


def doctor(ctx: typer.Context) -> None:
    """Check this computer: store, disk, servers, clock, network, terminal, versions.

    Changes nothing, and sends nothing but a greeting to the servers that it knows. The exit code is that of the worst fault.

    Example: fieldsync doctor
    """
    settings = settings_of(ctx)
    found = [*_versions(), *_disk(settings.folder), *_store_and_servers(ctx), *_terminal(settings)]
    tell(ctx, found, lambda out: out.diagnosed(found))
    worst = max((one.exit for one in found if one.state == "bad"), default=0)
    if worst:
        raise typer.Exit(worst)


def rtl(ctx: typer.Context) -> None:
    """Show a sample line written in several ways; the one you choose is remembered for terminals of this kind.

    Example: fieldsync doctor rtl
    """
    from fieldsync.ui.terminal import bidi, rtl_samples

    if not at_terminal() or not sys.stdout.isatty():
        raise errors.Usage(reason="rtl_terminal")
    chosen = rtl_samples.choose_form(tables(ctx))
    if chosen is not None:
        bidi.store_choice(chosen)


def _finding(check: str, state: str, *, exit: int = 0, **facts: str | int | None) -> Finding:
    return Finding(check, state, exit, facts)


def _versions() -> Iterator[Finding]:
    yield _finding(
        "versions", "good", fieldsync=__version__, python=platform.python_version(), system=platform.platform()
    )


def _disk(folder: Path) -> Iterator[Finding]:
    place = next((one for one in (folder, *folder.parents) if one.exists()), Path.cwd())
    free = shutil.disk_usage(place).free
    state = "bad" if free < _NO_ROOM else "warn" if free < _LITTLE_ROOM else "good"
    yield _finding("disk", state, exit=errors.DiskFull.exit, free=free, folder=str(place))


def _store_and_servers(ctx: typer.Context) -> Iterator[Finding]:
    """The store with the servers that it knows; where none tells the time, or there is no store, what can be said without."""
    folder = settings_of(ctx).folder
    asked: list[Finding] = []
    servers: list[KnownServer] = []
    try:
        with opened(ctx) as node:
            yield _finding("store", "good", kind=node.kind, device=node.letters, person=node.person, org=node.org)
            yield from _rights(folder)
            with node.store.read() as tx:
                servers = tx.servers()
            for server in servers:
                with bar(ctx).waiting_for(server.name):
                    asked += _server(server)
            yield from asked
            if not servers and node.is_laptop:
                yield _finding("server", "warn", reason="none")
    except errors.FieldsyncError as fault:
        gone = fault.facts.get("reason") == "gone"
        if isinstance(fault, errors.NoStore) and not gone:
            yield _finding("store", "warn", reason="none", folder=str(folder))
        else:
            about = {"part": fault.facts["part"]} if "part" in fault.facts else {"folder": str(folder)} if gone else {}
            yield _finding("store", "bad", exit=fault.exit, reason="gone" if gone else fault.code, **about)
    if not any(one.check == "clock" or one.state == "bad" for one in asked):
        yield _own_clock(max((one.synced or 0 for one in servers), default=0))
    if not any(one.state == "good" for one in asked):
        yield _network([server.address for server in servers])


def _rights(folder: Path) -> Iterator[Finding]:
    """Others who use this computer must not even see the store's noise, where the system knows such rights."""
    if os.name == "posix" and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        yield _finding("rights", "warn", folder=str(folder))


def _own_clock(synced: int) -> Finding:
    """Check the clock without a server: it must not be before the last sync, nor before this program was built."""
    from fieldsync.core import stamp
    from fieldsync.environment import SYSTEM

    now = SYSTEM.wall_clock()
    shown = stamp.time_text(now)[:16].replace("T", " ")
    if now < synced - stamp.TOLERANCE_MS:
        return _finding("clock", "bad", exit=errors.BadInput.exit, reason="back", now=shown)
    made = _python_built()
    if made is not None and now < made.timestamp() * 1_000:
        return _finding("clock", "bad", exit=errors.BadInput.exit, reason="early", now=shown, made=f"{made:%Y-%m-%d}")
    return _finding("clock", "good", reason="alone", now=shown)


def _python_built() -> dt.datetime | None:
    """When the Python that runs this was built: no right clock can be before."""
    with contextlib.suppress(ValueError):
        return dt.datetime.strptime(platform.python_build()[1], "%b %d %Y %H:%M:%S").replace(tzinfo=dt.UTC)
    return None


def _network(servers: Sequence[str]) -> Finding:
    """Is there a way to the servers, or to anywhere, by this computer's own knowledge: a datagram's socket sends nothing by connecting."""
    hosts = [host for address in servers if (host := urlsplit(address).hostname) and _is_number(host)]
    for host in (*hosts, *_ANYWHERE):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))
            return _finding("network", "good")
    return _finding("network", "warn")


def _is_number(host: str) -> bool:
    """A name would have to be asked for."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _server(server: "KnownServer") -> Iterator[Finding]:
    from fieldsync.core import stamp
    from fieldsync.environment import SYSTEM
    from fieldsync.protocol.http_client import ServerConnection
    from fieldsync.protocol.tally import SyncTally

    line = ServerConnection(server.address, server.pin, SyncTally())
    started = SYSTEM.wall_clock()
    try:
        now = line.ask_health().now
    except errors.FieldsyncError as fault:
        state = "warn" if isinstance(fault, errors.NoContact) else "bad"
        yield _finding("server", state, exit=fault.exit, name=server.name, address=server.address, reason=fault.code)
        return
    finally:
        line.close()
    took = SYSTEM.wall_clock() - started
    yield _finding("server", "good", name=server.name, address=server.address, milliseconds=took)
    off = started + took // 2 - now
    wrong = abs(off) > stamp.TOLERANCE_MS
    yield _finding("clock", "bad" if wrong else "good", exit=errors.BadInput.exit, off_ms=off, name=server.name)


def _terminal(settings: Settings) -> Iterator[Finding]:
    from fieldsync.ui.terminal import bidi

    if not sys.stdout.isatty():
        return
    size = shutil.get_terminal_size()
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding != "utf8":
        yield _finding("encoding", "warn", encoding=encoding)
    small = size.columns < _COLUMNS or size.lines < _ROWS
    yield _finding("terminal", "warn" if small else "good", columns=size.columns, rows=size.lines)
    form = bidi.form_for(os.environ, tty=True, asked=settings.rtl)
    guessed = bidi.is_guess(os.environ, tty=True, asked=settings.rtl)
    yield _finding("arabic", "warn" if guessed else "good", form=form)

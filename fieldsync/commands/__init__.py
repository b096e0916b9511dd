"""Commands: parse, call, show. This module has their shared options and opens the store."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from fieldsync import errors, office
from fieldsync.commands.support.settings import Settings
from fieldsync.schema.labels import SHIPPED, reader_language

if TYPE_CHECKING:
    from fieldsync.commands.support.secrets import Secrets
    from fieldsync.replica.node import Node
    from fieldsync.ui.terminal.output import ProgressBar
    from fieldsync.ui.views.tables import Tables

office.register()

_ROOM = 64 * 1024  # bytes without which nothing can be saved


def settings_of(ctx: typer.Context) -> Settings:
    """Return what was said with the command."""
    found = ctx.find_object(Settings)
    assert found is not None
    return found


@contextmanager
def opened(
    ctx: typer.Context, secrets: "Secrets | None" = None, *, shared: bool = False, lasting: bool = False
) -> "Iterator[Node]":
    """Open this node for a command, with what opened it before if it did. NoStore, NoSecret, WrongPassphrase.

    `lasting`: the command may run for long, and starts anew to show its passphrase to nobody meanwhile.
    """
    from fieldsync.commands.support.secrets import Secrets
    from fieldsync.replica import node as nodes

    if lasting:
        from fieldsync.commands.support.process import hide_passphrase

        hide_passphrase()
    settings = settings_of(ctx)
    secrets = secrets or Secrets(settings)
    try:
        node = nodes.open_node(settings.folder, secrets.unlock, shared=shared, waiting=_waiting(settings))
    except errors.StoreDamaged as fault:
        if is_full(settings.folder):  # not even a log can be opened then, which looks like damage
            raise errors.DiskFull from fault
        raise
    settings.schema = node.schema
    try:
        _check_language(settings)
        _check_forms(ctx, node)
        yield node
    finally:
        node.close()


def _check_forms(ctx: typer.Context, node: "Node") -> None:
    """Refuse a command whose record types this organisation's forms lack, and keep such commands out of help. UnknownType."""
    from fieldsync.commands.support import needed_types

    needed_types.remember(node.home, getattr(ctx.find_root().command, "needs_below", {}), node.schema)
    at: Any = ctx
    while at is not None:
        needed_types.check(getattr(at.command, "needs", ()), node.schema)
        at = at.parent


def _check_language(settings: Settings) -> None:
    """Refuse (Usage) a language that neither the program nor any of the forms speaks; what rules make of labels is in it."""
    reader_language.set(settings.language)
    if not settings.lang or settings.lang in SHIPPED:
        return
    assert settings.schema is not None
    spoken = {*SHIPPED, *(lang for kind in settings.schema.types.values() for lang in kind.label)}
    if settings.lang not in spoken:
        raise errors.Usage(
            reason="lang", known=sorted(spoken, key=lambda lang: (lang not in SHIPPED, lang != "en", lang))
        )


def _waiting(settings: Settings) -> Callable[[int], None]:
    """Return a callback that reports once that another program holds the store."""

    def say(second: int) -> None:
        if second == 1:
            from fieldsync.server import event_log
            from fieldsync.ui.terminal import messages, output

            if event_log.writes_json():
                event_log.log_event(event_log.INFO, "waiting_store")
                return
            output.write_stderr(messages.phrase("waiting_store", settings.language), settings.language, settings.rtl)

    return say


def is_full(folder: Path) -> bool:
    """Return whether a folder's disk is full."""
    import shutil

    try:
        return shutil.disk_usage(folder).free < _ROOM
    except OSError:
        return False


@contextmanager
def new_folder(ctx: typer.Context) -> Iterator[Path]:
    """Make the folder of a store to be: writable before an invite is used up, gone again if nothing comes of it."""
    folder = settings_of(ctx).folder
    if (folder / "slots.json").exists():
        raise errors.StoreExists(home=str(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as fault:
        raise errors.unwritten(fault, str(folder)) from fault
    try:
        yield folder
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def tell(ctx: typer.Context, value: object, picture: "Callable[[Tables], None]") -> None:
    """Give a command's result: one JSON document when asked for, else the picture of it for people."""
    if settings_of(ctx).json:
        write_json(value)
    else:
        picture(tables(ctx))


def tables(ctx: typer.Context) -> "Tables":
    """Return the terminal with all that can be drawn on it."""
    from fieldsync.ui.views.tables import Tables

    settings = settings_of(ctx)
    return Tables(settings.language, settings.rtl)


def asks(ctx: typer.Context, *, yes: bool = False) -> bool:
    """Say whether there is somebody to ask whether a thing is meant: at a terminal, without --json, and who did not say so."""
    from fieldsync.commands.support.settings import at_terminal

    return not yes and not settings_of(ctx).json and at_terminal()


def write_json(value: object) -> None:
    """Write one JSON document and a line's end to standard output, in UTF-8 whatever the locale."""
    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def bar(ctx: typer.Context) -> "ProgressBar":
    """Return a progress bar on standard error, seen on a terminal only, and only when something takes its time."""
    from fieldsync.ui.terminal.output import ProgressBar

    settings = settings_of(ctx)
    return ProgressBar(settings.language, settings.rtl, quiet=settings.json)

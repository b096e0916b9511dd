"""Parse, call, show. Here: what every command is given: where the store is, how it opens, who is told and how."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from fieldsync import errors, office

if TYPE_CHECKING:
    from fieldsync.commands.secrets import Secrets
    from fieldsync.replica.node import Node
    from fieldsync.schema.model import Schema
    from fieldsync.ui.terminal.output import Bar
    from fieldsync.ui.views.tables import Tables

office.register()

_ROOM = 64 * 1024  # bytes without which nothing can be saved
LANGUAGES = ("en", "ar")
_VALUED = {"--home": "home", "--lang": "lang", "--rtl": "rtl", "--passphrase-file": "passphrase_file"}
DIRECTIONS = ("auto", "logical", "visual", "plain")


@dataclass
class Settings:
    """What may be said with every command, before or after its name."""

    home: str = ""
    lang: str = ""
    rtl: str = ""
    passphrase_file: str = ""
    json: bool = False
    schema: "Schema | None" = None  # the node's, once it was opened: errors name fields by their labels

    @property
    def folder(self) -> Path:
        """The folder of this node's store."""
        return Path(self.home or os.environ.get("FIELDSYNC_HOME") or _data_folder())

    def check(self) -> None:
        """Refuse a language that nobody speaks here, and a direction that nobody writes in; Usage."""
        if self.lang and self.lang not in LANGUAGES:
            raise errors.Usage(reason="lang", known=list(LANGUAGES))
        if self.rtl and self.rtl not in DIRECTIONS:
            raise errors.Usage(reason="rtl", known=list(DIRECTIONS))

    @property
    def language(self) -> str:
        """The language to speak: as asked for, else the locale's; English when that is another."""
        asked = self.lang
        for name in ("FIELDSYNC_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
            asked = asked or os.environ.get(name, "")
        return "ar" if asked.startswith("ar") else "en"


def _data_folder() -> Path:
    """Where this system keeps a person's data."""
    import platformdirs

    return platformdirs.user_data_path("fieldsync", appauthor=False)


def take_settings(words: list[str], settings: Settings) -> list[str]:
    """Fill in the settings among a command line's words, wherever they stand; return the other words. Usage."""
    rest: list[str] = []
    ahead = iter(words)
    for word in ahead:
        name, equals, value = word.partition("=")
        if word == "--":
            rest += [word, *ahead]
        elif word == "--json":
            settings.json = True
        elif name in _VALUED:
            given = value if equals else next(ahead, "")
            if not given:
                raise errors.Usage(reason="no_value", option=name)
            setattr(settings, _VALUED[name], given)
        else:
            rest.append(word)
    return rest


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
    from fieldsync.commands.secrets import Secrets
    from fieldsync.replica import node as nodes

    if lasting:
        from fieldsync.commands.process import hide_passphrase

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
        yield node
    finally:
        node.close()


def _waiting(settings: Settings) -> Callable[[int], None]:
    """Return what tells a person once that another program holds the store."""

    def say(second: int) -> None:
        if second == 1:
            from fieldsync.ui.terminal import messages, output

            output.aside(messages.phrase("waiting_store", settings.language), settings.language, settings.rtl)

    return say


def is_full(folder: Path) -> bool:
    """Say whether there is no room left on a folder's disk."""
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


def write_json(value: object) -> None:
    """Write one JSON document and a line's end to standard output, in UTF-8 whatever the locale."""
    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def bar(ctx: typer.Context) -> "Bar":
    """Return a progress bar on standard error, seen on a terminal only, and only when something takes its time."""
    from fieldsync.ui.terminal.output import Bar

    settings = settings_of(ctx)
    return Bar(settings.language, settings.rtl, quiet=settings.json)


def at_terminal() -> bool:
    """Say whether there is a person to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def draws() -> bool:
    """Say whether that person's terminal can be drawn on; an editor's shell is asked line by line."""
    utf = (sys.stdout.encoding or "").lower().startswith("utf")
    return utf and os.environ.get("TERM") not in {"dumb", "unknown"}

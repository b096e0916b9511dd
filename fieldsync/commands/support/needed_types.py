"""Commands whose record types an organisation's forms lack: hidden in help, with an explanation when called.

Help asks for no passphrase, so the names of hidden commands are kept in a file beside the store; it has nothing else of the forms.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from fieldsync import errors
from fieldsync.schema.model import Schema

FILE = "hidden-commands"


def check(needs: Iterable[str], schema: Schema) -> None:
    """Refuse a command whose record types the forms lack; UnknownType."""
    for name in needs:
        if name not in schema.types:
            raise errors.UnknownType(type=name, known=list(schema.types), reason="command")


def hidden(folder: Path) -> frozenset[str]:
    """Return the commands that are hidden for the store in a folder."""
    try:
        return frozenset((folder / FILE).read_text("utf-8").split())
    except (OSError, UnicodeDecodeError):
        return frozenset()


def all_hidden(group: object) -> bool:
    """Return whether the store that the program's commands are for has none of the record types that some of them need."""
    needing = {name for name, needs in getattr(group, "needs_below", {}).items() if needs}
    settings = getattr(group, "settings", None)
    return settings is not None and bool(needing) and needing <= hidden(settings.folder)


def remember(folder: Path, needs: Mapping[str, Iterable[str]], schema: Schema) -> None:
    """Note which commands the forms in force leave without the record types that they need."""
    lacking = {name for name, types in needs.items() if not schema.types.keys() >= {*types}}
    if lacking != hidden(folder):
        with suppress(OSError):  # of a folder that cannot be written: help then shows too much
            (folder / FILE).write_text("".join(f"{name}\n" for name in sorted(lacking)), "utf-8")

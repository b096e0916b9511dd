"""Unlocking a store for a limited time, so that its passphrase is typed once a day; and locking it."""

from typing import Annotated

import typer
from msgspec import Struct
from typer import Option

from fieldsync import errors
from fieldsync.agent import client, process
from fieldsync.commands import settings_of, tell
from fieldsync.commands.support import quantities
from fieldsync.commands.support.secrets import Secrets
from fieldsync.commands.support.settings import Settings
from fieldsync.crypto.slots import Slots
from fieldsync.replica.node import SLOTS


class Unlocked(Struct, frozen=True):
    """An unlocked store.

    until: when it is locked again at the latest.
    memory_locked: whether the system keeps the key out of its swap.
    """

    until: str
    memory_locked: bool


class Locked(Struct, frozen=True):
    """A locked store.

    was_unlocked: whether it was unlocked until now.
    """

    was_unlocked: bool


def unlock(
    ctx: typer.Context,
    for_: Annotated[str, Option("--for", metavar="TIME", help="For how long: 8h, 90m; 24h at most.")] = "8h",
) -> None:
    """Type the passphrase once: commands of this user on this computer open the store without it.

    It is locked again by fieldsync lock, when the time is over, when the computer sleeps, and when you log out.

    Example: fieldsync unlock --for 8h
    """
    settings = settings_of(ctx)
    seconds = quantities.hold(for_, process.MOST_SECONDS)
    slots = _slots(settings)
    held = client.start(slots.store, slots.to_bytes(), Secrets(settings).unlock(slots, agent=False), seconds)
    made = Unlocked(held.text, held.memory_locked)
    tell(ctx, made, lambda out: out.unlocked(made.until, memory_locked=made.memory_locked))


def lock(ctx: typer.Context) -> None:
    """Forget the store's key: the next command asks for the passphrase.

    Example: fieldsync lock
    """
    made = Locked(was_unlocked=client.end(_slots(settings_of(ctx)).store))
    tell(ctx, made, lambda out: out.locked(was_unlocked=made.was_unlocked))


def _slots(settings: Settings) -> Slots:
    try:
        return Slots.from_bytes((settings.folder / SLOTS).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise errors.NoStore(home=str(settings.folder)) from fault

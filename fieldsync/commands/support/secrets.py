"""Secrets that open the store: a passphrase from a file, the environment or a prompt, or a key file. Never an argument."""

import os
import re
from functools import cache
from pathlib import Path

from msgspec import Struct

from fieldsync import errors
from fieldsync.commands.support import text_files
from fieldsync.commands.support.settings import Settings, at_terminal
from fieldsync.crypto.slots import KEY_SIZE, Slots
from fieldsync.replica.node import SLOTS

PASSPHRASE = "FIELDSYNC_PASSPHRASE"  # noqa: S105 - the variable's name
PASSPHRASE_FD = "FIELDSYNC_PASSPHRASE_FD"  # noqa: S105 - where a process that was started anew reads it, see process.py
KEY_FILE = "FIELDSYNC_KEY_FILE"
_RECOVERY = re.compile(r"\s*(?:[A-Za-z0-9]{4}[\s-]*){8}")
_LARGEST = 64 * 1024
_TRIES = 3  # of a passphrase at a prompt


def unlock_silently(slots: Slots) -> bytes:
    """Return the store's key where neither a question nor a derivation is needed: from a key file, or an agent. NoSecret."""
    secret = _key_file()
    if secret is not None and "keyfile" in slots.kinds:
        return slots.open_keyfile(secret)
    from fieldsync.agent import client

    held = client.fetch_key(slots.store, slots.to_bytes())
    if held is None:
        raise errors.NoSecret
    return held


class Secrets:
    """The secrets that this command was given; it asks a person only when nothing else opens the store."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.passphrase_file
        self._lang = settings.language
        self._made: dict[bytes, bytes] = {}  # store → its key, where this command made it
        self._new: tuple[bytes | None, str | None] = None, None

    def unlock(self, slots: Slots, *, agent: bool = True) -> bytes:
        """Return the store's key, from an agent rather than ask a person. WrongPassphrase, NoSecret, SlotPolicy."""
        if slots.store in self._made:
            return self._made[slots.store]
        secret, passphrase = _key_file(), self._given_passphrase()
        if secret is not None and "keyfile" in slots.kinds:
            try:
                return slots.open_keyfile(secret)
            except errors.WrongPassphrase:
                if passphrase is None:
                    raise
        if passphrase is not None:
            return self._open(slots, passphrase)
        from fieldsync.agent import client  # most commands of a server are given a key file

        held = client.fetch_key(slots.store, slots.to_bytes()) if agent else None
        return self._ask_and_open(slots) if held is None else held

    def _ask_and_open(self, slots: Slots) -> bytes:
        """Ask a person for the passphrase, again where it was wrong. WrongPassphrase, NoSecret."""
        from fieldsync.ui.terminal import messages, output

        for left in reversed(range(_TRIES)):
            try:
                return self._open(slots, _asked("passphrase_open", self._lang))
            except errors.WrongPassphrase:
                if not left:
                    raise
                output.write_stderr(messages.phrase("passphrase_wrong", self._lang, n=left), self._lang)
        raise AssertionError

    def _open(self, slots: Slots, passphrase: str) -> bytes:
        if "recovery" in slots.kinds and _RECOVERY.fullmatch(passphrase):
            try:
                return slots.open_recovery(passphrase)
            except errors.WrongPassphrase:
                pass  # it only looked like one
        try:
            return slots.open_passphrase(passphrase)
        except errors.WrongPassphrase:
            former = _as_before(Path(self._file)) if self._file else passphrase
            if former == passphrase:
                raise
            return slots.open_passphrase(former)

    def prepare(self) -> None:
        """Prepare the secret for a new store, before a server is asked. NoSecret, BadInput."""
        secret, passphrase = self._new
        if secret is None and passphrase is None:
            secret, passphrase = _key_file(), self._given_passphrase()
            if secret is not None and len(secret) < KEY_SIZE:
                raise errors.BadInput(reason="short_secret", need=KEY_SIZE)
            if secret is None and passphrase is None:
                passphrase = new_passphrase(self._lang)
            elif passphrase is not None:
                check_new(passphrase, self._lang)
            self._new = secret, passphrase

    def fill(self, slots: Slots, key: bytes) -> None:
        """Fill a new store's slots with the given secret; a prompt asks twice if there is none. NoSecret, BadInput."""
        self.prepare()
        secret, passphrase = self._new
        if secret is not None:
            slots.add_keyfile(key, secret)
        if passphrase is not None:
            slots.add_passphrase(key, passphrase)
        self._made[slots.store] = key

    def _given_passphrase(self) -> str | None:
        if self._file:
            return _first_line(Path(self._file))
        return os.environ.get(PASSPHRASE) or _handed_over()


class LastingSecrets(Secrets):
    """Secrets for a server, which opens backups of its store later: a prompted secret is kept."""

    def unlock(self, slots: Slots, *, agent: bool = True) -> bytes:
        """Return the store's key. WrongPassphrase, NoSecret, SlotPolicy."""
        self._made[slots.store] = super().unlock(slots, agent=agent)
        return self._made[slots.store]


class PassphraseChanged(Struct, frozen=True):
    """A store with a new passphrase.

    slots: its secrets: "passphrase", "recovery", "keyfile".
    """

    changed: bool
    slots: list[str]


def change(settings: Settings, new_file: str) -> PassphraseChanged:
    """Rewrap the store's key with a new passphrase; other slots stay. NoStore, WrongPassphrase, NoSecret."""
    path = settings.folder / SLOTS
    try:
        slots = Slots.from_bytes(path.read_bytes())
    except FileNotFoundError as fault:
        raise errors.NoStore(home=str(settings.folder)) from fault
    key = Secrets(settings).unlock(
        slots, agent=False
    )  # whoever sits down at an unlocked laptop does not make it theirs
    if new_file:
        passphrase = _first_line(Path(new_file))
        check_new(passphrase, settings.language)
    else:
        passphrase = new_passphrase(settings.language)
    from fieldsync.agent import client

    client.end(slots.store)  # what it holds was got from other slots
    slots.replace_passphrase(key, passphrase)
    from fieldsync.replica.node_setup import write_file  # it loads what joins and publishes, which few commands do

    write_file(path, slots.to_bytes())
    return PassphraseChanged(changed=True, slots=slots.kinds)


def check_new(passphrase: str, lang: str) -> None:
    """Refuse (BadInput) a new passphrase that is too easy to guess, and offer words; none at all is for others to refuse."""
    from fieldsync.crypto import passphrases

    reason = passphrases.easy_reason(passphrase) if passphrase else None
    if reason is not None:
        raise errors.BadInput(reason=f"passphrase_{reason}", least=passphrases.LEAST, words=_offered_words(lang))


def _offered_words(lang: str) -> str:
    from secrets import choice

    from fieldsync.crypto import passphrases

    return passphrases.offered_words(lang, choice)


def new_passphrase(lang: str) -> str:
    """Ask for a new passphrase until a strong one was typed twice; words are suggested. NoSecret."""
    from fieldsync.ui.terminal import messages, output

    if not at_terminal():
        raise errors.NoSecret
    output.write_stderr(messages.phrase("passphrase_words", lang, words=_offered_words(lang)), lang)
    while True:
        first = _asked("passphrase_new", lang)
        if not first:
            continue
        try:
            check_new(first, lang)
        except errors.BadInput as fault:
            output.write_stderr(messages.explain_error(fault, lang, None)[0], lang)
            continue
        if first == _asked("passphrase_again", lang):
            return first
        output.write_stderr(messages.phrase("passphrase_differ", lang), lang)


@cache
def _handed_over() -> str | None:
    """Return the secret handed over by this process's predecessor."""
    number = os.environ.pop(PASSPHRASE_FD, "")
    if not number.isdecimal():
        return None
    try:
        with open(int(number), "rb") as pipe:  # noqa: PTH123 - it has no path
            return pipe.read(_LARGEST).decode(errors="surrogateescape") or None
    except OSError:
        return None


def _asked(what: str, lang: str) -> str:
    from getpass import getpass

    from fieldsync.ui.terminal import messages, output

    if not at_terminal():
        raise errors.NoSecret
    return getpass(output.stderr_text(messages.phrase(what, lang), lang) + " ")


def _first_line(path: Path) -> str:
    return text_files.decoded(_read(path)).split("\n", 1)[0].rstrip("\r")


def _as_before(path: Path) -> str:
    """Return a file's passphrase as release 0.1 read it, as a store may be locked with that."""
    return _read(path).decode("utf-8-sig", "replace").split("\n", 1)[0].rstrip("\r")


def _key_file() -> bytes | None:
    name = os.environ.get(KEY_FILE)
    return _read(Path(name)) if name else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as fault:
        raise errors.BadFile(file=path.name, reason="unreadable") from fault

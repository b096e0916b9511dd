"""How the commit log keeps what people wrote: a commit's body and its note. A file is encrypted as a whole; a database seals each."""

from typing import Protocol

from fieldsync.crypto.sealing import ValueSeal

Stored = bytes | str | None


class CommitBodies(Protocol):
    """Turns bodies and notes into a row's values, and back. A device is named by its number in the store."""

    def store_body(self, n: int, seq: int, body: bytes | None) -> bytes | bytearray | None:
        """Return the row's value of a commit's body."""

    def store_note(self, n: int, seq: int, note: str | None) -> Stored:
        """Return the row's value of a commit's note."""

    def read_body(self, n: int, seq: int, stored: bytes | None) -> bytes | None:
        """Return a body; StoreDamaged where it is another row's."""

    def read_note(self, n: int, seq: int, stored: Stored) -> str | None:
        """Return a note; StoreDamaged where it is another row's."""


class PlainBodies:
    """Bodies and notes as they are."""

    def store_body(self, n: int, seq: int, body: bytes | None) -> bytearray | None:  # noqa: ARG002 - as of others
        return body and bytearray(body)  # type: ignore[return-value]  # the driver takes a detour for each bytes

    def store_note(self, n: int, seq: int, note: str | None) -> Stored:  # noqa: ARG002
        return note

    def read_body(self, n: int, seq: int, stored: bytes | None) -> bytes | None:  # noqa: ARG002
        return stored

    def read_note(self, n: int, seq: int, stored: Stored) -> str | None:  # noqa: ARG002
        assert not isinstance(stored, bytes)
        return stored


PLAIN = PlainBodies()


class SealedBodies:
    """Bodies and notes sealed with a store's key, each for its row: they open in no other one."""

    def __init__(self, seal: ValueSeal) -> None:
        self._seal = seal

    def store_body(self, n: int, seq: int, body: bytes | None) -> bytes | None:
        return None if body is None else self._seal.seal_value(_row(b"b", n, seq), body)

    def store_note(self, n: int, seq: int, note: str | None) -> Stored:
        return None if note is None else self._seal.seal_value(_row(b"n", n, seq), note.encode())

    def read_body(self, n: int, seq: int, stored: bytes | None) -> bytes | None:
        return None if stored is None else self._seal.open_value(_row(b"b", n, seq), stored)

    def read_note(self, n: int, seq: int, stored: Stored) -> str | None:
        if stored is None:
            return None
        assert isinstance(stored, bytes)
        return self._seal.open_value(_row(b"n", n, seq), stored).decode()


def _row(kind: bytes, n: int, seq: int) -> bytes:
    return kind + n.to_bytes(8) + seq.to_bytes(8)

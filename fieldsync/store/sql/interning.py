"""Interning: short local numbers for devices and authors in a store's rows."""

from typing import Any

from fieldsync.store.sql.commit_bodies import PLAIN, CommitBodies
from fieldsync.store.sql.connection import Connection
from fieldsync.store.sql.dialect import Dialect

_TABLES = {"device": "id", "author": "name"}


class NumberCache:
    """Committed numbers that were looked up, shared by all transactions of a store."""

    def __init__(self) -> None:
        self.of: dict[str, dict[Any, int]] = {table: {} for table in _TABLES}
        self.back: dict[str, dict[int, Any]] = {table: {} for table in _TABLES}

    def clear(self) -> None:
        """Forget all."""
        for known in (*self.of.values(), *self.back.values()):
            known.clear()

    def add(self, other: "NumberCache") -> None:
        """Add what another one has."""
        for table in _TABLES:
            self.of[table].update(other.of[table])
            self.back[table].update(other.back[table])


class SqlNumberReads:
    """A transaction that knows the numbers; it gives none out, so it may look up whom it likes."""

    dialect: Dialect
    bodies: CommitBodies = PLAIN

    def __init__(self, connection: Connection, numbers: NumberCache) -> None:
        self.sql = connection.execute
        self._numbers = self._found = numbers
        self._device_ids, self._author_names = numbers.back["device"], numbers.back["author"]

    def known_device(self, device: bytes) -> int:
        """Return a device's local number; 0, which is nobody's, where it is not known here."""
        return self._known_number("device", device) or 0

    def device_id(self, n: int) -> bytes:
        """Return the 16-byte id of a device's number."""
        found: bytes = self._device_ids.get(n) or self._name_of_number("device", n)
        return found

    def author_name(self, n: int) -> str:
        """Return the name of an author's number."""
        found: str = self._author_names.get(n) or self._name_of_number("author", n)
        return found

    def _known_number(self, table: str, name: object) -> int | None:
        n = self._numbers.of[table].get(name) or self._found.of[table].get(name)
        if n is None:
            row = self.sql(f"SELECT n FROM {table} WHERE {_TABLES[table]} = ?", (name,)).fetchone()
            if row is None:
                return None
            n = self._found.of[table][name] = int(row[0])
        return n

    def _name_of_number(self, table: str, n: int) -> Any:
        known = self._found.back[table]
        if n not in known:
            known[n] = self.sql(f"SELECT {_TABLES[table]} FROM {table} WHERE n = ?", (n,)).fetchone()[0]
        return known[n]


class SqlNumberWrites(SqlNumberReads):
    """A transaction that gives numbers out, and keeps those to itself that it found until it has committed."""

    def __init__(self, connection: Connection, numbers: NumberCache) -> None:
        super().__init__(connection, numbers)
        self._found = NumberCache()
        self.many = connection.executemany
        self.connection = connection
        self._device_numbers, self._author_numbers = numbers.of["device"], numbers.of["author"]

    def publish_numbers(self) -> None:
        """Let other transactions know the numbers that this one found: it has committed."""
        self._numbers.add(self._found)

    def device_number(self, device: bytes) -> int:
        """Return a device's local number, giving it one if it is new."""
        known = self._device_numbers.get(device)
        return self._give_number("device", device) if known is None else known

    def author_number(self, author: str) -> int:
        """Return an author's local number, giving one if it is new."""
        known = self._author_numbers.get(author)
        return self._give_number("author", author) if known is None else known

    def _give_number(self, table: str, name: object) -> int:
        n = self._known_number(table, name)
        if n is None:
            column = _TABLES[table]
            made = self.sql(
                f"INSERT INTO {table} ({column}) VALUES (?) ON CONFLICT ({column}) DO NOTHING RETURNING n", (name,)
            ).fetchone()  # none where another process was quicker
            n = int((made or self.sql(f"SELECT n FROM {table} WHERE {column} = ?", (name,)).fetchone())[0])
            self._found.of[table][name] = n
        return n

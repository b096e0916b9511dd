"""Grant history in SQL: changes of devices' grants and states, and first receipts of their commits."""

from collections.abc import Iterable, Sequence

import msgspec

from fieldsync.core.grants import Grant
from fieldsync.store.contract import GRACE_MS, REVOKED, AuthorityChange, FirstReceipt, StatedChange
from fieldsync.store.sql.quarantine import SqlQuarantineReads, SqlQuarantineWrites

_COUNTER = "authority_number"
_SKIPPED = 1_000
_CHANGE = "n, number, kind, at, until, since, grants, state"
_grants = msgspec.json.Decoder(tuple[Grant, ...]).decode


class SqlAuthorityReads(SqlQuarantineReads):
    """A transaction's devices' changes, and who took commits first, to be read."""

    def authority_changes(self, device: bytes) -> list[AuthorityChange]:
        query = f"SELECT {_CHANGE} FROM device_change WHERE device = ? ORDER BY n DESC"
        return [_read_change(row) for row in self.sql(query, (self.known_device(device),))]

    def last_changes(self) -> dict[bytes, AuthorityChange]:
        query = (
            f"SELECT device, {_CHANGE} FROM device_change WHERE n IN (SELECT max(n) FROM device_change GROUP BY device)"
        )
        return {self.device_id(row[0]): _read_change(row[1:]) for row in self.sql(query)}

    def lost_since(self, device: bytes) -> int | None:
        query = "SELECT min(since) FROM device_change WHERE device = ? AND since IS NOT NULL"
        found = self.sql(query, (self.known_device(device),)).fetchone()[0]
        return None if found is None else int(found)

    def stated_change(self, change: int, other: bytes) -> StatedChange | None:
        query = "SELECT head, link FROM news_told WHERE change = ? AND other = ?"
        row = self.sql(query, (change, other)).fetchone()
        return None if row is None else StatedChange(*row)

    def first_receipt(self, device: bytes, seq: int) -> FirstReceipt | None:
        query = (
            "SELECT first, last, link, at, came, basis, number, server, via, signature FROM first_taken "
            "WHERE device = ? AND last >= ? ORDER BY last LIMIT 1"
        )
        row = self.sql(query, (self.known_device(device), seq)).fetchone()
        return FirstReceipt(device, *row) if row is not None and row[0] <= seq else None

    def first_receipts(self, device: bytes, after: int) -> list[FirstReceipt]:
        query = (
            "SELECT first, last, link, at, came, basis, number, server, via, signature FROM first_taken "
            "WHERE device = ? AND last > ? ORDER BY last"
        )
        return [FirstReceipt(device, *row) for row in self.sql(query, (self.known_device(device), after))]

    def vouching_server(self, device: bytes, seq: int) -> bytes | None:
        query = "SELECT server FROM on_word WHERE device = ? AND seq = ?"
        row = self.sql(query, (self.known_device(device), seq)).fetchone()
        return None if row is None else bytes(row[0])


class SqlAuthorityWrites(SqlAuthorityReads, SqlQuarantineWrites):
    """Writing grant history."""

    def note_change(self, device: bytes, kind: str, at: int, *, until: int | None = None) -> None:
        """Note that a device is about to be revoked, or to get other grants; headquarters gives this a number."""
        top = self.settings.upstream is None
        self.sql(
            "INSERT INTO device_change (device, number, kind, at, until, grants, state) "
            "SELECT n, ?2, ?3, ?4, ?5, coalesce(grants, '[]'), state FROM device WHERE id = ?1",
            (device, self._next_number() if top else 0, kind, at, at + GRACE_MS if until is None else until),
        )

    def inherit_change(self, device: bytes, change: AuthorityChange) -> int:
        made = self.sql(
            "INSERT INTO device_change (device, number, kind, at, until, since, grants, state) VALUES (?,?,?,?,?,?,?,?) RETURNING n",
            (
                self.device_number(device), change.number, change.kind, change.at, change.until, change.since,
                msgspec.json.encode(change.grants).decode(), change.state,
            ),
        )  # fmt: skip
        return int(made.fetchone()[0])

    def _next_number(self, step: int = 1) -> int:
        number = int(self.stored_setting(_COUNTER) or 0) + step
        self.store_setting(_COUNTER, number)
        return number

    def skip_numbers(self) -> None:
        self._next_number(_SKIPPED)

    def number_changes(self, device: bytes, number: int, until: int, since: int | None) -> None:
        n = self.known_device(device)
        self.sql("UPDATE device_change SET number = ? WHERE device = ? AND number = 0", (number, n))
        self.sql(
            "UPDATE device_change SET until = ?1, since = coalesce(?2, since) WHERE device = ?3 AND number = ?4",
            (until, since, n, number),
        )

    def set_lost_since(self, device: bytes, since: int) -> None:
        query = "UPDATE device_change SET since = ? WHERE device = ? AND kind = ?"
        self.sql(query, (since, self.known_device(device), REVOKED))
        self.sql("UPDATE device SET arrival = (SELECT max(arrival) + 1 FROM device) WHERE id = ?", (device,))

    def note_stated_change(self, change: int, other: bytes, told: StatedChange, *, again: bool = False) -> None:
        self.sql(
            "INSERT INTO news_told VALUES (?,?,?,?) ON CONFLICT (change, other) "
            f"DO {'UPDATE SET head = excluded.head, link = excluded.link' if again else 'NOTHING'}",
            (change, other, told.head, told.link),
        )

    def forget_stated_change(self, change: int, other: bytes) -> None:
        self.sql("DELETE FROM news_told WHERE change = ? AND other = ?", (change, other))

    def add_first_receipts(self, takings: Iterable[FirstReceipt]) -> None:
        self.many(
            "INSERT INTO first_taken (device, first, last, link, at, came, basis, number, server, via, signature) "
            "VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            [(self.device_number(one.device), *one[1:]) for one in takings],
        )

    def forget_first_receipts(self, device: bytes, after: int, via: bytes) -> None:
        query = "DELETE FROM first_taken WHERE device = ? AND last > ? AND via <> ?"
        self.sql(query, (self.known_device(device), after, via))

    def set_vouching_server(self, device: bytes, seq: int, server: bytes) -> None:
        query = "INSERT INTO on_word VALUES (?,?,?) ON CONFLICT (device, seq) DO UPDATE SET server = excluded.server"
        self.sql(query, (self.device_number(device), seq, server))


def _read_change(row: Sequence[object]) -> AuthorityChange:
    n, number, kind, at, until, since, grants, state = row
    return AuthorityChange(n, number, kind, at, until, since, _grants(grants), state)  # type: ignore[arg-type]  # as stored

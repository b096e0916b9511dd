"""Queries of the commit log: devices, their commits, the servers that acknowledged them, invites, and this node's own data."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from fieldsync.core.grants import BRANCH, Grant
from fieldsync.store.contract import (
    Cursor,
    Device,
    KnownServer,
    LoggedCommit,
    NamedDevice,
    OpenInvite,
    PassedReceipt,
    Receipt,
)
from fieldsync.store.sql.device_families import SqlDeviceReads
from fieldsync.store.sql.dialect import at_most

_grants = msgspec.json.Decoder(tuple[Grant, ...]).decode
_DEVICE = (
    "n, id, letters, person, key, grants, CASE WHEN locked_with <> 0 THEN 'revoked' ELSE state END, head, chain, enrolled, seen, "
    "changed, arrival, copy_of, copied_after, state, pending + waits_with, pending, approved, spared, enrolled_by"
)
_LOGGED = "c.device, c.seq, c.stamp, c.author, c.record, c.note, c.body, c.hash, c.chain, c.seal"
_REFUSED = "SELECT 1 FROM refusal AS r WHERE r.device = a.device AND r.seq = a.seq AND r.reason <> '' AND r.waits = 0"
SERVER = "id, name, address, pin, nonce, unsure, synced, mixed"


class SqlCommitReads(SqlDeviceReads):
    """A transaction's devices, commits and servers, to be read."""

    # --- schemas ---

    def compiled_schemas(self) -> list[bytes]:
        return [row[0] for row in self.sql("SELECT schema FROM schema_past ORDER BY n DESC")]

    # --- devices ---

    def device(self, device: bytes) -> Device | None:
        row = self.sql(f"SELECT {_DEVICE} FROM device WHERE id = ?", (device,)).fetchone()
        return None if row is None else _read_device(row)

    def log_head(self, device: bytes) -> int:
        row = self.sql("SELECT head FROM device WHERE id = ?", (device,)).fetchone()
        return int(row[0]) if row else 0

    def devices(self) -> list[Device]:
        return [_read_device(row) for row in self.sql(f"SELECT {_DEVICE} FROM device ORDER BY n")]

    def branches(self) -> set[bytes]:
        found = self.sql("SELECT id, grants FROM device WHERE grants LIKE '%branch%'")
        return {device for device, grants in found if any(grant.role == BRANCH for grant in _grants(grants))}

    def named_devices(self, after: int) -> list[NamedDevice]:
        found = self.sql(
            "SELECT arrival, id, letters, person, grants FROM device WHERE arrival > ? AND letters IS NOT NULL ORDER BY arrival",
            (after,),
        )
        return [
            NamedDevice(arrival, device, letters, person, tuple(grant.unit for grant in _grants(grants or "[]")))
            for arrival, device, letters, person, grants in found
        ]

    def former_grants(self, device: bytes) -> tuple[Grant, ...]:
        row = self.sql("SELECT former FROM device WHERE id = ?", (device,)).fetchone()
        return tuple(Grant(unit, "") for unit in msgspec.json.decode(row[0])) if row else ()

    def last_nonce(self, device: bytes) -> int:
        row = self.sql("SELECT nonce FROM device WHERE id = ?", (device,)).fetchone()
        return int(row[0]) if row else 0

    # --- commits ---

    def commits_behind(self, device: bytes, after: int, limit: int = -1) -> Iterator[LoggedCommit]:
        query = f"SELECT {_LOGGED} FROM commit_log AS c WHERE c.device = ? AND c.seq > ? ORDER BY c.seq LIMIT ?"
        return map(self._read_logged, self.sql(query, (self.known_device(device), after, at_most(limit))))

    def has_chain_signature(self, device: bytes, seq: int) -> bool:
        query = "SELECT seal IS NOT NULL FROM commit_log WHERE device = ? AND seq = ?"
        row = self.sql(query, (self.known_device(device), seq)).fetchone()
        return bool(row and row[0])

    def commits_of(self, record: bytes, *, refused: bool = True) -> list[LoggedCommit]:
        about = " UNION ALL ".join(
            f"SELECT device, seq FROM {table} AS a WHERE record = ?1{'' if refused else f' AND NOT EXISTS ({_REFUSED})'}"
            for table in ("commit_about", "commit_about_new")
        )
        query = f"SELECT {_LOGGED} FROM ({about}) AS about JOIN commit_log AS c USING (device, seq) WHERE c.record = ?2"
        found = map(self._read_logged, self.sql(query, (record[10:], record)))
        return sorted(found, key=lambda c: (c.stamp, c.device, c.seq))

    def count_commits_of(self, record: bytes) -> int:
        counts = " + ".join(
            f"(SELECT count(*) FROM {table} WHERE record = ?1)" for table in ("commit_about", "commit_about_new")
        )
        return int(self.sql(f"SELECT {counts}", (record[10:],)).fetchone()[0])

    def count_commits_by(self, device: bytes, record: bytes, after: int, upto: int) -> int:
        counts = " + ".join(
            f"(SELECT count(*) FROM {table} WHERE record = ?1 AND device = ?2 AND seq > ?3 AND seq <= ?4)"
            for table in ("commit_about", "commit_about_new")
        )
        values = record[10:], self.known_device(device), after, upto
        return int(self.sql(f"SELECT {counts}", values).fetchone()[0])

    def unsent_records(self, device: bytes, after: int) -> set[bytes]:
        query = "SELECT DISTINCT record FROM commit_log WHERE device = ? AND seq > ?"
        return {row[0] for row in self.sql(query, (self.known_device(device), after))}

    def records_by(self, device: bytes, first: int, last: int) -> list[bytes]:
        query = "SELECT DISTINCT record FROM commit_log WHERE device = ? AND seq BETWEEN ? AND ?"
        return [row[0] for row in self.sql(query, (self.known_device(device), first, last))]

    def _read_logged(self, row: Sequence[Any]) -> LoggedCommit:
        n, seq, stamp, author, record, note, body, *links = row
        return LoggedCommit(
            self.device_id(n), seq, stamp, self.author_name(author), record,
            self.bodies.read_note(n, seq, note), self.bodies.read_body(n, seq, body), *links,
        )  # fmt: skip

    # --- servers that this node syncs with ---

    def servers(self) -> list[KnownServer]:
        found = self.sql(f"SELECT {SERVER} FROM server ORDER BY synced IS NULL, synced DESC")
        return [
            KnownServer(row[0], row[1], row[2], row[3], row[4], bool(row[5]), row[6], bool(row[7])) for row in found
        ]

    def channel_cursor(self, server: bytes, channel: int) -> Cursor:
        row = self.sql(
            "SELECT arrival, whole FROM cursor WHERE server = ? AND channel = ?", (server, channel)
        ).fetchone()
        return Cursor(row[0], row[1]) if row else Cursor(0, 0)

    def acknowledged_seq(self, server: bytes, device: bytes) -> int:
        query = "SELECT seq FROM receipt WHERE server = ? AND device = ?"
        row = self.sql(query, (server, self.known_device(device))).fetchone()
        return int(row[0]) if row else 0

    def receipts(self, device: bytes) -> list[Receipt]:
        query = "SELECT server, seq, at FROM receipt WHERE device = ? ORDER BY at"
        return list(map(Receipt._make, self.sql(query, (self.known_device(device),))))

    def receipts_since(self, arrival: int, device: bytes | None = None) -> list[PassedReceipt]:
        query, values = "SELECT arrival, device, server, seq, at FROM receipt WHERE arrival > ?", [arrival]
        if device is not None:
            query, values = query + " AND device = ?", [arrival, self.known_device(device)]
        found = self.sql(query + " ORDER BY arrival", values)
        return [PassedReceipt(arrival, self.device_id(n), *more) for arrival, n, *more in found]

    # --- invites ---

    def invite(self, id: bytes) -> OpenInvite | None:
        row = self.sql("SELECT secret, person, grants, expires, device FROM invite WHERE id = ?", (id,)).fetchone()
        return None if row is None else OpenInvite(row[0], row[1], _grants(row[2]), row[3], row[4])

    def has_letters(self, letters: str, besides: bytes = b"") -> bool:
        found = self.sql("SELECT 1 FROM device WHERE letters = ? AND id <> ?", (letters, besides))
        return found.fetchone() is not None

    def letters_twice(self) -> list[str]:
        query = "SELECT letters FROM device WHERE key IS NOT NULL AND letters <> '' GROUP BY letters HAVING count(*) > 1 ORDER BY letters"
        return [row[0] for row in self.sql(query)]


def _read_device(row: Sequence[Any]) -> Device:
    n, id_, letters, person, key, grants, *more, pending, own_pending, approved, spared, by = row
    known = Device(n, id_, letters, person, key, _grants(grants) if grants else (), *more)
    if not (pending or approved or spared or by):
        return known
    marks = {"pending": bool(pending), "own_pending": bool(own_pending), "approved": approved, "spared": spared}
    return msgspec.structs.replace(known, **marks, enrolled_by=by)

"""Records, channels and full text in SQL."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fieldsync.core.state import term
from fieldsync.store.contract import Channel, Entry, Row
from fieldsync.store.numbers import Numbered, Numbers
from fieldsync.store.rowcodec import decode_row, dump_json, encode_registers
from fieldsync.store.vault import Connection

_COLUMNS = "n, id, type, doc, registers, channel, owner, code, term, conflicts"
_QUALIFIED = ", ".join(f"record.{column}" for column in _COLUMNS.split(", "))
_CHANNEL = "n, unit, arrival, digest, records"
_MASK = (1 << 64) - 1
_conflicts = msgspec.json.Decoder(dict[str, Any]).decode


def signed(number: int) -> int:
    """Return 64 bits as SQLite keeps them."""
    number &= _MASK
    return number - (1 << 64) if number >> 63 else number


class Records(Numbered):
    """A transaction's records."""

    def __init__(self, connection: Connection, numbers: Numbers) -> None:
        super().__init__(connection, numbers)
        self._counters: dict[int, list[int]] = {}

    # --- reading ---

    def _row(self, found: Sequence[Any]) -> Row:
        n, record, type_, doc, registers, channel, owner, code, term_, conflicts = found
        row = decode_row(n, record, type_, doc, registers, self.device_id, self.author_name)
        row.channel = row.old_channel = channel
        row.owner, row.code, row.old_term = owner, code, term_
        if conflicts is not None:
            row.conflicts = _conflicts(conflicts)
        return row

    def rows(self, records: Iterable[bytes]) -> dict[bytes, Row]:
        """Return the stored rows among these record ids."""
        query = f"SELECT {_COLUMNS} FROM record WHERE id = ?"
        found = (self.sql(query, (record,)).fetchone() for record in records)
        return {row[1]: self._row(row) for row in found if row is not None}

    def rows_where(self, condition: str = "1", values: Sequence[object] = (), order: str = "n", limit: int = -1) -> Iterator[Row]:
        """Yield rows that meet a condition over the table `record`; values are bound, never spliced in."""
        query = f"SELECT {_COLUMNS} FROM record WHERE {condition} ORDER BY {order} LIMIT ?"
        return map(self._row, self.sql(query, (*values, limit)))

    def count(self, condition: str = "1", values: Sequence[object] = ()) -> int:
        """Return how many records meet a condition."""
        return int(self.sql(f"SELECT count(*) FROM record WHERE {condition}", values).fetchone()[0])

    def counts(self) -> dict[str, int]:
        """Return how many records there are of each type."""
        return dict(self.sql("SELECT type, count(*) FROM record GROUP BY type ORDER BY type").fetchall())

    def ids_like(self, beginning: bytes, last: bytes, code: str) -> list[bytes]:
        """Return the ids (two at most) between two ids, or of codes that begin like this."""
        found = self.sql(
            "SELECT id FROM record WHERE id BETWEEN ? AND ? UNION SELECT id FROM record WHERE code >= ? AND code < ? LIMIT 2",
            (beginning, last, code, code + "\U0010ffff"),
        )
        return [row[0] for row in found]

    def channels_of(self, records: Iterable[bytes]) -> dict[bytes, int]:
        """Return the channel of each of these records that is stored."""
        found = ((record, self.sql("SELECT channel FROM record WHERE id = ?", (record,)).fetchone()) for record in records)
        return {record: row[0] for record, row in found if row is not None and row[0] is not None}

    def channels_left(self, n: int) -> list[int]:
        """Return the channels that a record (by its number) has left."""
        return [row[0] for row in self.sql("SELECT channel FROM channel_entry WHERE record = ? AND gone", (n,))]

    def owned_by(self, owners: Iterable[bytes]) -> list[bytes]:
        """Return the ids of the records that these own."""
        return [row[0] for owner in owners for row in self.sql("SELECT id FROM record WHERE owner = ?", (owner,))]

    def matching(self, query: str, limit: int) -> list[Row]:
        """Return the rows that a full-text query finds, best first; the query is FTS5's language, already quoted."""
        found = self.sql(
            f"SELECT {_QUALIFIED} FROM search JOIN record ON record.n = search.rowid WHERE search MATCH ? ORDER BY record.n LIMIT ?",
            (query, limit),
        )
        return list(map(self._row, found))

    # --- channels ---

    def channel_number(self, unit: str) -> int:
        """Return a unit's channel, making it if it is new."""
        row = self.sql("SELECT n FROM channel WHERE unit = ?", (unit,)).fetchone()
        return int(row[0] if row else self.sql("INSERT INTO channel (unit) VALUES (?)", (unit,)).lastrowid)

    def channel(self, n: int) -> Channel:
        """Return a channel with the digest that its records have now."""
        return self._channel(self.sql(f"SELECT {_CHANNEL} FROM channel WHERE n = ?", (n,)).fetchone())

    def channels(self) -> list[Channel]:
        """Return all channels, by unit."""
        return [self._channel(row) for row in self.sql(f"SELECT {_CHANNEL} FROM channel ORDER BY unit")]

    def _channel(self, found: Sequence[Any]) -> Channel:
        return Channel(found[0], found[1], found[2], found[3] & _MASK, found[4])

    def page(self, channel: int, after: int, limit: int, skip: Container[int] = ()) -> list[Entry]:
        """Return the channel's next entries in order of arrival, with their rows; those of arrivals to skip without."""
        places = self.sql(
            "SELECT arrival, gone, record FROM channel_entry WHERE channel = ? AND arrival > ? ORDER BY arrival LIMIT ?",
            (channel, after, limit),
        ).fetchall()
        wanted = dump_json([n for arrival, _, n in places if arrival not in skip]).decode()
        found = self.sql(f"SELECT {_COLUMNS} FROM record WHERE n IN (SELECT value FROM json_each(?))", (wanted,))
        rows = {row[0]: self._row(row) for row in found}
        return [Entry(arrival, bool(gone), rows.get(n)) for arrival, gone, n in places]

    def terms(self, channel: int) -> Iterator[tuple[bytes, int]]:
        """Yield (record id, digest term) of a channel's records, by id."""
        query = (
            "SELECT record.id, record.term FROM channel_entry AS e JOIN record ON record.n = e.record "
            "WHERE e.channel = ? AND NOT e.gone ORDER BY record.id"
        )
        return ((row[0], row[1] & _MASK) for row in self.sql(query, (channel,)))

    # --- writing ---

    def save(self, touched: Mapping[bytes, tuple[Row, set[str] | None]]) -> None:
        """Write rows as they are: (row, names of the changed registers, or None for all of them); new rows have n = 0.

        Each gets its channel's next arrival; a channel that it left is told so.
        """
        last = self.sql("SELECT coalesce(max(n), 0) FROM record").fetchone()[0]
        new: list[Row] = []
        old: list[Row] = []
        entries: list[tuple[int, int, int, int]] = []
        for row, changed in touched.values():
            if row.n:
                old.append(row)
            else:
                new.append(row)
                row.n = last + len(new)
            self._enter(row, changed, entries)
        self.many(
            f"INSERT INTO record ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)",
            [(row.n, row.state.record, row.state.type, *self._stored(row)) for row in new],
        )
        self.many(
            "UPDATE record SET doc=?, registers=?, channel=?, owner=?, code=?, term=?, conflicts=? WHERE n=?",
            [(*self._stored(row), row.n) for row in old],
        )
        self.many(
            "INSERT INTO channel_entry VALUES (?,?,?,?) ON CONFLICT (channel, record) "
            "DO UPDATE SET arrival = excluded.arrival, gone = excluded.gone",
            entries,
        )
        self.many(
            "UPDATE channel SET arrival = ?, digest = ?, records = ? WHERE n = ?",
            [(arrival, signed(digest), records, n) for n, (arrival, digest, records) in self._counters.items()],
        )

    def _stored(self, row: Row) -> tuple[Any, ...]:
        return (
            dump_json(row.doc).decode(), encode_registers(row, self.device_number, self.author_number), row.channel,
            row.owner, row.code, signed(row.old_term), dump_json(row.conflicts).decode() if row.conflicts else None,
        )  # fmt: skip

    def _counter(self, channel: int) -> list[int]:
        counter = self._counters.get(channel)
        if counter is None:
            found = self.sql("SELECT arrival, digest, records FROM channel WHERE n = ?", (channel,)).fetchone()
            counter = self._counters[channel] = list(found)
        return counter

    def _enter(self, row: Row, changed: set[str] | None, entries: list[tuple[int, int, int, int]]) -> None:
        assert row.channel is not None
        new_term = term(row.state)
        counter = self._counter(row.channel)
        counter[0] += 1
        if row.old_channel == row.channel:
            counter[1] += new_term - row.old_term
        else:
            counter[1] += new_term
            counter[2] += 1
            if row.old_channel is not None:
                left = self._counter(row.old_channel)
                left[0] += 1
                left[1] -= row.old_term
                left[2] -= 1
                entries.append((row.old_channel, row.n, left[0], 1))
            changed = None  # the new channel has not seen any of it
            row.old_channel = row.channel
        if changed is None:
            row.arrivals = dict.fromkeys(row.state.fields, counter[0])
            row.arrivals[""] = counter[0]
        else:
            for name in changed:
                row.arrivals[name] = counter[0]
        row.old_term = new_term
        entries.append((row.channel, row.n, counter[0], 0))

    def purge(self, rows: Iterable[Row]) -> None:
        """Forget records that left this node's scope; the commit log keeps what this device wrote."""
        for row in rows:
            if row.channel is not None:
                counter = self._counter(row.channel)
                counter[1] -= row.old_term
                counter[2] -= 1
            self.sql("DELETE FROM channel_entry WHERE channel IN (SELECT n FROM channel) AND record = ?", (row.n,))
            self.sql("DELETE FROM record WHERE n = ?", (row.n,))
        self.many(
            "UPDATE channel SET arrival = ?, digest = ?, records = ? WHERE n = ?",
            [(arrival, signed(digest), records, n) for n, (arrival, digest, records) in self._counters.items()],
        )

    # --- full text ---

    def index(self, words: Iterable[tuple[int, str, str]]) -> None:
        """Set the search words of records: (n, words as indexed before, words now); "" stands for none."""
        words = sorted(words)  # FTS5 flushes whenever a row number is smaller than the one before
        self.many("INSERT INTO search (search, rowid, words) VALUES ('delete', ?, ?)", [(n, old) for n, old, _ in words if old])
        self.many("INSERT INTO search (rowid, words) VALUES (?, ?)", [(n, new) for n, _, new in words if new])

"""Records, channels and full text in SQL."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.core.register import Value
from fieldsync.core.state import term
from fieldsync.store.contract import NOWHERE_ELSE, Channel, Document, Entry, Row
from fieldsync.store.numbers import Numbers
from fieldsync.store.rowcodec import decode_row, dump_json, encode_registers, load_json
from fieldsync.store.several import Several
from fieldsync.store.vault import Connection

_COLUMNS = "n, id, type, channel, arrival, term, owner, code, conflicts, registers, doc"
_PLAIN = "n, id, type, channel, arrival, term, code, registers, doc"
_QUALIFIED = ", ".join(f"record.{column}" for column in _COLUMNS.split(", "))
_CHANNEL = "n, unit, arrival, digest, records"
_MASK = (1 << 64) - 1
_conflicts = msgspec.json.Decoder(dict[str, Any]).decode


def signed(number: int) -> int:
    """Return 64 bits as SQLite keeps them."""
    number &= _MASK
    return number - (1 << 64) if number >> 63 else number


class Records(Several):
    """A transaction's records."""

    def __init__(self, connection: Connection, numbers: Numbers) -> None:
        super().__init__(connection, numbers)
        self._counters: dict[int, list[int]] = {}

    # --- reading ---

    def _row(self, found: Sequence[Any]) -> Row:
        n, record, type_, channel, arrival, term_, owner, code, conflicts, registers, doc = found
        try:
            row = decode_row(n, record, type_, doc, registers, self.device_id, self.author_name)
        except (msgspec.DecodeError, TypeError, ValueError, IndexError) as fault:
            # SQLCipher gives zeros for the last page of a long row that fails its check, and an error only for the next
            raise errors.StoreDamaged(part="record") from fault
        row.channel = row.old_channel = channel
        row.arrival, row.owner, row.code, row.old_term = arrival, owner, code, term_
        row.old_places = channel, owner, code, conflicts
        if conflicts is not None:
            row.conflicts = _conflicts(conflicts)
        if n in self.several:
            row.also = row.old_also = self.several[n]
        return row

    def rows(self, records: Iterable[bytes]) -> dict[bytes, Row]:
        """Return the stored rows among these record ids."""
        # one statement for all: SQLite goes through its index in order, and we through Python once
        wanted = dump_json([record.hex() for record in records]).decode()
        found = self.sql(
            f"SELECT {_COLUMNS} FROM record WHERE id IN (SELECT unhex(value) FROM json_each(?))", (wanted,)
        )
        return {row[1]: self._row(row) for row in found}

    def select(
        self,
        *,
        type: str | None = None,
        equal: Mapping[str, Value] = MappingProxyType({}),
        members: Mapping[str, str] = MappingProxyType({}),
        unit: str | None = None,
        channel: int | None = None,
        in_conflict: bool = False,
        deleted: bool = True,
        sort: str = "",
        limit: int = -1,
    ) -> Iterator[Row]:
        """Yield the rows that are all of what is given, in the order of their making or by a field (`-field`: falling).

        `equal` are plain fields' values, `members` one member each of sets; fields' names come from the schema.
        """
        conditions, values = ["1"], list[object]()

        def demand(condition: str, *wanted: object) -> None:
            conditions.append(condition)
            values.extend(wanted)

        if type is not None:
            demand("type = ?", type)
        if channel is not None:
            demand("channel = ?", channel)
        if unit is not None:
            below = unit.replace("!", "!!").replace("%", "!%").replace("_", "!_") + "/%"
            inside = "channel IN (SELECT n FROM channel WHERE unit = ? OR unit LIKE ? ESCAPE '!')"
            if self.several:
                inside = f"({inside} OR n IN (SELECT record FROM channel_also WHERE {inside}))"
                demand(inside, unit, below, unit, below)
            else:
                demand(inside, unit, below)
        if in_conflict:
            demand("conflicts IS NOT NULL")
        if not deleted:
            demand("json_extract(doc, '$._deleted') IS NULL")
        for field, value in equal.items():
            demand(f"json_extract(doc, '$.{field}') IS ?", value)
        for field, member in members.items():
            demand(f"EXISTS (SELECT 1 FROM json_each(doc, '$.{field}') WHERE value = ?)", member)
        field = sort.removeprefix("-")
        order = f"json_extract(doc, '$.{field}') {'DESC' if sort.startswith('-') else 'ASC'}, n" if field else "n"
        query = f"SELECT {_COLUMNS} FROM record WHERE {' AND '.join(conditions)} ORDER BY {order} LIMIT ?"
        return map(self._row, self.sql(query, (*values, limit)))

    def count(self) -> int:
        """Return how many records there are."""
        return int(self.sql("SELECT count(*) FROM record").fetchone()[0])

    def in_conflict(self) -> int:
        """Return how many records have an open conflict."""
        return int(self.sql("SELECT count(*) FROM record WHERE conflicts IS NOT NULL").fetchone()[0])

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
        found = (
            (record, self.sql("SELECT channel FROM record WHERE id = ?", (record,)).fetchone()) for record in records
        )
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
        """Return the channel's next entries in order of arrival, with their rows; without where to skip or long past."""
        places = self.sql(
            "SELECT arrival, gone, record FROM channel_entry WHERE channel = ? AND arrival > ? ORDER BY arrival LIMIT ?",
            (channel, after, limit),
        ).fetchall()
        return self._entries(channel, places, skip)

    def page_back(self, channel: int, upto: int, after: int, limit: int) -> list[Entry]:
        """Return the channel's entries from one arrival back to another, the newest first, without those of who left."""
        places = self.sql(
            "SELECT arrival, gone, record FROM channel_entry WHERE channel = ? AND arrival <= ? AND arrival > ? AND NOT gone "
            "ORDER BY arrival DESC LIMIT ?",
            (channel, upto, after, limit),
        ).fetchall()
        return self._entries(channel, places, ())

    def _entries(self, channel: int, places: Sequence[Any], skip: Container[int]) -> list[Entry]:
        wanted = dump_json([n for arrival, _, n in places if arrival not in skip]).decode()
        found = self.sql(f"SELECT {_COLUMNS} FROM record WHERE n IN (SELECT value FROM json_each(?))", (wanted,))
        rows = {row[0]: row for row in found}
        entries = []
        for arrival, gone, n in places:
            row = rows.get(n)
            if row is not None and not gone and row[3:5] != (channel, arrival):
                if self.several.get(n, {}).get(channel) == arrival:
                    entries.append(Entry(arrival, False, _whole(self._row(row), arrival)))
                    continue
                row = None  # it has changed since, and stands further on
            entries.append(Entry(arrival, bool(gone), row and self._row(row)))
        return entries

    def terms(self, channel: int) -> Iterator[tuple[bytes, int]]:
        """Yield (record id, digest term) of a channel's records, by id."""
        query = (
            "SELECT record.id, record.term FROM channel_entry AS e JOIN record ON record.n = e.record "
            "WHERE e.channel = ?1 AND record.channel = e.channel AND record.arrival = e.arrival UNION ALL "
            "SELECT id, term FROM channel_also AS a JOIN record ON record.n = a.record WHERE a.channel = ?1 ORDER BY id"
        )
        return ((row[0], row[1] & _MASK) for row in self.sql(query, (channel,)))

    # --- writing ---

    def save(self, touched: Mapping[bytes, tuple[Row, set[str] | None]]) -> None:
        """Write rows as they are: (row, names of the changed registers, or None for all of them); new rows have n = 0.

        Each gets its channel's next arrival; a channel that it left is told so.
        """
        last = self.sql("SELECT coalesce(max(n), 0) FROM record").fetchone()[0]
        new: list[tuple[Any, ...]] = []
        plain: list[tuple[Any, ...]] = []
        changed_rows: list[tuple[Any, ...]] = []
        moved_rows: list[tuple[Any, ...]] = []
        places = _Places()
        for row, changed in touched.values():
            fresh = not row.n
            if fresh:
                last += 1
                row.n = last
            if row.also or row.old_also:
                self._enter_several(row, changed, places)
            else:
                self._enter(row, changed, places)
            conflicts = dump_json(row.conflicts).decode() if row.conflicts else None
            registers = bytearray(encode_registers(row, self.device_number, self.author_number))
            doc = dump_json(row.doc).decode()
            now = row.channel, row.owner, row.code, conflicts
            if fresh:
                record = bytearray(row.state.record)
                start = row.n, record, row.state.type, row.channel, row.arrival, signed(row.old_term)
                if row.owner is None and conflicts is None and row.code is not None:
                    plain.append((*start, row.code, registers, doc))
                else:
                    new.append((*start, row.owner, row.code, conflicts, registers, doc))
            elif now == row.old_places:
                changed_rows.append((row.arrival, signed(row.old_term), registers, doc, row.n))
            else:
                moved_rows.append((row.arrival, signed(row.old_term), registers, doc, *now, row.n))
            row.old_places = now
        # the driver takes a detour for each None and each bytes: so most rows name neither, and blobs go as bytearrays
        self.many(f"INSERT INTO record ({_PLAIN}) VALUES (?,?,?,?,?,?,?,?,?)", plain)
        self.many(f"INSERT INTO record ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", new)
        # naming an indexed column has SQLite rewrite its index, changed or not
        update = "UPDATE record SET arrival=?, term=?, registers=?, doc=?"
        self.many(f"{update} WHERE n=?", changed_rows)
        self.many(f"{update}, channel=?, owner=?, code=?, conflicts=? WHERE n=?", moved_rows)
        self.many("DELETE FROM channel_entry WHERE record = ? AND channel = ? AND gone", places.back)
        self.many("INSERT INTO channel_entry VALUES (?,?,?,?)", places.taken)
        for row in places.several:
            self.set_also(row)
        self._count()

    def _count(self) -> None:
        self.many(
            "UPDATE channel SET arrival = ?, digest = ?, records = ?, past = ? WHERE n = ?",
            [(arrival, signed(digest), *counts, n) for n, (arrival, digest, *counts) in self._counters.items()],
        )

    def _counter(self, channel: int) -> list[int]:
        counter = self._counters.get(channel)
        if counter is None:
            found = self.sql("SELECT arrival, digest, records, past FROM channel WHERE n = ?", (channel,)).fetchone()
            counter = self._counters[channel] = list(found)
        return counter

    def _enter(self, row: Row, changed: set[str] | None, places: "_Places") -> None:
        assert row.channel is not None
        new_term = term(row.state)
        counter = self._counter(row.channel)
        counter[0] += 1
        if row.old_channel == row.channel:
            counter[1] += new_term - row.old_term
            counter[3] += 1
        else:
            counter[1] += new_term
            counter[2] += 1
            if row.old_channel is not None:
                left = self._counter(row.old_channel)
                left[0] += 1
                left[1] -= row.old_term
                left[2] -= 1
                left[3] += 1
                places.taken.append((row.old_channel, left[0], row.n, 1))
                places.back.append((row.n, row.channel))
            changed = None  # the new channel has not seen any of it
            row.old_channel = row.channel
        _arrive(row, changed, counter[0])
        row.old_term = new_term
        places.taken.append((row.channel, row.arrival, row.n, 0))

    def _enter_several(self, row: Row, changed: set[str] | None, places: "_Places") -> None:
        """The same for a row that is, or was until now, in several channels."""
        assert row.channel is not None
        new_term = term(row.state)
        before = {n for n in (row.old_channel, *row.old_also) if n is not None}
        now = {row.channel, *row.also}
        arrivals = {}
        for n in sorted(before | now):
            counter = self._counter(n)
            counter[0] += 1
            arrivals[n] = counter[0]
            counter[1] += new_term * (n in now) - row.old_term * (n in before)
            counter[2] += (n in now) - (n in before)
            counter[3] += n in before
            places.taken.append((n, counter[0], row.n, int(n not in now)))
        places.back += [(row.n, n) for n in now - before]
        # who was told to drop it on the way, as it left one of a device's channels, gets it whole from the other
        _arrive(row, changed if before == now and row.old_channel == row.channel else None, arrivals[row.channel])
        row.old_term, row.old_channel = new_term, row.channel
        row.also = {n: arrivals[n] for n in row.also}
        places.several.append(row)

    def sweep(self) -> None:
        """Drop the entries of channels whose records stand further on by now, where they have become many.

        To drop each when its record changes would rewrite a page of the table for nearly every edit.
        """
        for (channel,) in self.sql("SELECT n FROM channel WHERE past * 4 > records + 4000").fetchall():
            self.sql(
                "DELETE FROM channel_entry WHERE channel = ?1 AND arrival IN (SELECT arrival FROM (SELECT arrival, gone, "
                "row_number() OVER (PARTITION BY record ORDER BY arrival DESC) AS age FROM channel_entry WHERE channel = ?1) "
                "WHERE age > 1 AND NOT gone)",
                (channel,),
            )
            self.sql("UPDATE channel SET past = 0 WHERE n = ?", (channel,))
            self._counters.pop(channel, None)

    def tell_gone(self, channel: int, n: int) -> None:
        """Tell a channel's devices that a record (by its number) is not in it, although they may have thought so."""
        counter = self._counter(channel)
        counter[0] += 1
        self.sql("INSERT INTO channel_entry VALUES (?,?,?,1)", (channel, counter[0], n))
        self._count()

    def purge(self, rows: Iterable[Row]) -> None:
        """Forget records that left this node's scope; the commit log keeps what this device wrote."""
        for row in rows:
            for channel in row.channels:
                counter = self._counter(channel)
                counter[1] -= row.old_term
                counter[2] -= 1
                place = channel, row.also.get(channel, row.arrival)
                self.sql("DELETE FROM channel_entry WHERE channel = ? AND arrival = ?", place)
            if row.also:
                row.also = NOWHERE_ELSE
                self.set_also(row)
            self.sql("DELETE FROM channel_entry WHERE record = ? AND gone", (row.n,))
            self.sql("DELETE FROM record WHERE n = ?", (row.n,))
            self.sql("DELETE FROM search WHERE rowid = ?", (row.n,))
            self.sql("DELETE FROM unsearched WHERE n = ?", (row.n,))
        self._count()

    def ids(self, type: str) -> list[bytes]:
        """Return the ids of all records of a type."""
        return [row[0] for row in self.sql("SELECT id FROM record WHERE type = ? ORDER BY n", (type,))]

    def rewrite(self, rows: Iterable[Row]) -> None:
        """Write rows that a new form names or settles otherwise. Nobody is told: everybody does the same with that form."""
        for row in rows:
            assert row.channel is not None
            now = term(row.state)
            for channel in row.channels:
                self._counter(channel)[1] += now - row.old_term
            row.old_term = now
            conflicts = dump_json(row.conflicts).decode() if row.conflicts else None
            registers = encode_registers(row, self.device_number, self.author_number)
            self.sql(
                "UPDATE record SET term=?, registers=?, doc=?, conflicts=? WHERE n=?",
                (signed(now), registers, dump_json(row.doc).decode(), conflicts, row.n),
            )
        self._count()

    # --- full text ---

    def unsearched(self, numbers: Iterable[int]) -> None:
        """Remember that the full-text words of these records are not what they should be."""
        self.many("INSERT OR IGNORE INTO unsearched VALUES (?)", [(n,) for n in sorted(numbers)])

    def unsearched_type(self, type: str) -> None:
        """Remember it of all records of a type."""
        self.sql("INSERT OR IGNORE INTO unsearched SELECT n FROM record WHERE type = ?", (type,))

    def catch_up(self, words: Callable[[str, Document], str], limit: int) -> int:
        """Put the words (of a type and a document) of up to `limit` such records into the full-text table; return how many."""
        found = self.sql(
            "SELECT n, type, doc FROM record WHERE n IN (SELECT n FROM unsearched ORDER BY n LIMIT ?) ORDER BY n",
            (limit,),
        ).fetchall()
        # FTS5 flushes whenever a row number is smaller than the one before: deletes first, all in order
        self.many("DELETE FROM search WHERE rowid = ?", [(n,) for n, _, _ in found])
        told = ((n, words(type_, load_json(doc))) for n, type_, doc in found)
        self.many("INSERT INTO search (rowid, words) VALUES (?, ?)", [(n, text) for n, text in told if text])
        self.many("DELETE FROM unsearched WHERE n = ?", [(n,) for n, _, _ in found])
        return len(found)

    def behind(self) -> int:
        """Return how many records the full-text table does not know yet."""
        return int(self.sql("SELECT count(*) FROM unsearched").fetchone()[0])


class _Places:
    """Entries to be written: places taken (channel, arrival, record, gone), and returned to (record, channel)."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int, int, int]] = []
        self.back: list[tuple[int, int]] = []
        self.several: list[Row] = []


def _arrive(row: Row, changed: set[str] | None, arrival: int) -> None:
    """Note at which arrival of its channel these registers of a row changed (None: all of them)."""
    if changed is None:
        _whole(row, arrival)
    else:
        for name in changed:
            row.arrivals[name] = arrival
    row.arrival = arrival


def _whole(row: Row, arrival: int) -> Row:
    """Return a row all of which is new at an arrival: a further channel keeps no account of each field."""
    row.arrivals = dict.fromkeys(row.state.fields, arrival)
    row.arrivals[""] = arrival
    return row

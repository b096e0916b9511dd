"""Channels in SQL: the records of each, in order of sequence numbers, and their common digest."""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

from fieldsync.core.state import digest_term
from fieldsync.store.contract import SERVER_ABOVE, Channel, ChannelEntry, RefusedAbout, RequestedRecords, Row
from fieldsync.store.sql.connection import Connection
from fieldsync.store.sql.interning import NumberCache
from fieldsync.store.sql.placements import SqlPlacementWrites
from fieldsync.store.sql.record_queries import SqlRecordQueries
from fieldsync.store.sql.row_codec import dump_json

_CHANNEL = "n, unit, arrival, digest, records"
_MASK = (1 << 64) - 1
_HERE = (
    "SELECT id FROM record JOIN named USING (id) WHERE channel = ?2 UNION "
    "SELECT id FROM record JOIN named USING (id) JOIN channel_also AS a ON a.record = record.n WHERE a.channel = ?2 UNION "
    "SELECT id FROM record JOIN named USING (id) JOIN share AS s ON s.record = record.n WHERE s.channel = ?2"
)


def to_signed(number: int) -> int:
    """Return 64 bits as SQLite keeps them."""
    number &= _MASK
    return number - (1 << 64) if number >> 63 else number


class SqlChannelReads(SqlRecordQueries):
    """A transaction's channels, to be read."""

    def has_unit(self, unit: str) -> bool:
        return self.sql("SELECT 1 FROM channel WHERE unit = ?", (unit,)).fetchone() is not None

    def arrival_of(self, unit: str) -> int:
        row = self.sql("SELECT arrival FROM channel WHERE unit = ?", (unit,)).fetchone()
        return int(row[0]) if row else 0

    def channel(self, n: int) -> Channel:
        return self._read_channel(self.sql(f"SELECT {_CHANNEL} FROM channel WHERE n = ?", (n,)).fetchone())

    def count_channels(self) -> int:
        return int(self.sql("SELECT count(*) FROM channel").fetchone()[0])

    def channels(self) -> list[Channel]:
        return [self._read_channel(row) for row in self.sql(f"SELECT {_CHANNEL} FROM channel ORDER BY unit")]

    def channels_in(self, units: Iterable[str], besides: Iterable[str] = ()) -> list[Channel]:
        found: dict[str, Channel] = {}
        query = f"SELECT {_CHANNEL} FROM channel WHERE unit = ?1"
        for unit in units:
            below = self.sql(f"{query} OR (unit > ?1 || '/' AND unit < ?1 || '0')", (unit,))
            found.update({row[1]: self._read_channel(row) for row in below})
        for name in besides:
            found.update({row[1]: self._read_channel(row) for row in self.sql(query, (name,))})
        return [found[unit] for unit in sorted(found)]

    def _read_channel(self, found: Sequence[Any]) -> Channel:
        return Channel(found[0], found[1], found[2], found[3] & _MASK, found[4])

    def page_forward(self, channel: int, after: int, limit: int, skip: Container[int] = ()) -> list[ChannelEntry]:
        places = self.sql(
            "SELECT arrival, gone, record FROM channel_entry WHERE channel = ? AND arrival > ? ORDER BY arrival LIMIT ?",
            (channel, after, limit),
        ).fetchall()
        return self._read_entries(channel, places, skip)

    def page_back(self, channel: int, upto: int, after: int, limit: int) -> list[ChannelEntry]:
        places = self.sql(
            "SELECT arrival, gone, record FROM channel_entry WHERE channel = ? AND arrival <= ? AND arrival > ? AND gone = 0 "
            "ORDER BY arrival DESC LIMIT ?",
            (channel, upto, after, limit),
        ).fetchall()
        return self._read_entries(channel, places, ())

    def _read_entries(self, channel: int, places: Sequence[Any], skip: Container[int]) -> list[ChannelEntry]:
        wanted = dump_json([n for arrival, _, n in places if arrival not in skip]).decode()
        found = self.sql(f"SELECT {self._columns} FROM record WHERE n IN ({self.dialect.each_number()})", (wanted,))
        rows = {row[0]: row for row in found}
        entries = []
        for arrival, gone, n in places:
            row = rows.get(n)
            if row is not None and not gone and tuple(row[3:5]) != (channel, arrival):
                if self.further_placements.get(n, {}).get(channel) == arrival:
                    entries.append(ChannelEntry(arrival, False, _row_all_new(self._read_row(row), arrival)))
                    continue
                row = None  # it has changed since, and stands further on
            entries.append(ChannelEntry(arrival, bool(gone), row and self._read_row(row)))
        return entries

    @property
    def _named(self) -> str:
        """The beginning of a query of `named`: the ids in its first parameter."""
        return f"WITH named AS (SELECT value AS id FROM ({self.dialect.each_id('?1')}) AS given)"

    def requested_records(self, channel: int, records: Iterable[bytes]) -> RequestedRecords:
        ids, named = dump_json([record.hex() for record in records]).decode(), self._named
        left = (
            f"{named} SELECT id FROM record JOIN named USING (id) JOIN channel_entry AS e ON e.record = record.n AND e.gone = 1 "
            "WHERE e.channel = ?2"
        )
        about = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} AS a WHERE a.record = substr(named.id, 11) AND NOT EXISTS "
            "(SELECT 1 FROM refusal AS r WHERE r.device = a.device AND r.seq = a.seq))"
            for table in ("commit_about", "commit_about_new")
        )
        lost = f"{named} SELECT id FROM named WHERE id NOT IN (SELECT id FROM record) AND ({about})"
        unheld = f"{named} SELECT record FROM left_unheld WHERE channel = ?2 AND record IN (SELECT id FROM named)"
        found = {row[0] for row in self.sql(f"{named} {_HERE}", (ids, channel))}
        gone = {row[0] for query in (left, unheld) for row in self.sql(query, (ids, channel))} - found
        return RequestedRecords(sorted(found), sorted(gone), sorted(row[0] for row in self.sql(lost, (ids,))))

    def refused_about(self, channel: int, records: Iterable[bytes]) -> list[RefusedAbout]:
        ids = dump_json([record.hex() for record in records]).decode()
        about = " UNION ALL ".join(
            f"SELECT named.id, a.device, a.seq FROM named JOIN {table} AS a ON a.record = substr(id, 11)"
            for table in ("commit_about", "commit_about_new")
        )
        query = (
            f"{self._named}, here AS ({_HERE}), about AS ({about}) "
            "SELECT id, device, seq, r.reason, id IN (SELECT id FROM here), r.waits, "
            "EXISTS (SELECT 1 FROM awaited AS w WHERE w.device = r.device AND w.seq = r.seq AND w.kind = ?3), c.body "
            "FROM about JOIN refusal AS r USING (device, seq) "
            "JOIN commit_log AS c USING (device, seq) WHERE c.record = id AND r.reason <> '' "
            "AND (id IN (SELECT id FROM here) OR id NOT IN (SELECT id FROM record)) ORDER BY id, device, seq"
        )
        found: Sequence[Any] = self.sql(query, (ids, channel, SERVER_ABOVE.kind)).fetchall()
        return [
            RefusedAbout(
                id_, self.device_id(n), seq, code, here=bool(here), waits=bool(waits), above=bool(above),
                body=self.bodies.read_body(n, seq, body),
            )
            for id_, n, seq, code, here, waits, above, body in found
        ]  # fmt: skip

    def digest_terms(self, channel: int) -> Iterator[tuple[bytes, int]]:
        query = (
            "SELECT record.id, record.term FROM channel_entry AS e JOIN record ON record.n = e.record "
            "WHERE e.channel = ?1 AND record.channel = e.channel AND record.arrival = e.arrival UNION ALL "
            "SELECT id, term FROM channel_also AS a JOIN record ON record.n = a.record WHERE a.channel = ?1 UNION ALL "
            "SELECT id, s.term FROM share AS s JOIN record ON record.n = s.record WHERE s.channel = ?1 ORDER BY id"
        )
        return ((row[0], row[1] & _MASK) for row in self.sql(query, (channel,)))


class SqlChannelWrites(SqlChannelReads, SqlPlacementWrites):
    """A transaction's channels, and the counters of those it writes to."""

    def __init__(self, connection: Connection, numbers: NumberCache) -> None:
        super().__init__(connection, numbers)
        self._counters: dict[int, list[int]] = {}

    def channel_number(self, unit: str) -> int:
        known = "SELECT n FROM channel WHERE unit = ?"
        row = (
            self.sql(known, (unit,)).fetchone()
            or self.sql(
                "INSERT INTO channel (unit) VALUES (?) ON CONFLICT (unit) DO NOTHING RETURNING n", (unit,)
            ).fetchone()
        )
        return int((row or self.sql(known, (unit,)).fetchone())[0])  # another process was quicker

    # --- entering and leaving ---

    def _write_counters(self) -> None:
        self.many(
            "UPDATE channel SET arrival = ?, digest = ?, records = ?, past = ? WHERE n = ?",
            [(arrival, to_signed(digest), *counts, n) for n, (arrival, digest, *counts) in self._counters.items()],
        )

    def _counter(self, channel: int) -> list[int]:
        counter = self._counters.get(channel)
        if counter is None:
            found = self.sql("SELECT arrival, digest, records, past FROM channel WHERE n = ?", (channel,)).fetchone()
            counter = self._counters[channel] = list(found)
        return counter

    def _enter_row(self, row: Row, changed: set[str] | None, places: "EntryBatch") -> None:
        assert row.channel is not None
        new_term = digest_term(row.state)
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
        _set_arrivals(row, changed, counter[0])
        row.old_term = new_term
        places.taken.append((row.channel, row.arrival, row.n, 0))

    def _enter_further(self, row: Row, changed: set[str] | None, places: "EntryBatch") -> None:
        """The same for a row that is, or was until now, in several channels."""
        assert row.channel is not None
        new_term = digest_term(row.state)
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
        # a device that dropped it on the way, as it left one of its channels, gets it whole from the other
        _set_arrivals(row, changed if before == now and row.old_channel == row.channel else None, arrivals[row.channel])
        row.old_term, row.old_channel = new_term, row.channel
        row.also = {n: arrivals[n] for n in row.also}
        places.several.append(row)

    def sweep_entries(self) -> None:
        for (channel,) in self.sql("SELECT n FROM channel WHERE past * 4 > records + 4000").fetchall():
            self.sql(
                "DELETE FROM channel_entry WHERE channel = ?1 AND arrival IN (SELECT arrival FROM (SELECT arrival, gone, "
                "row_number() OVER (PARTITION BY record ORDER BY arrival DESC) AS age FROM channel_entry WHERE channel = ?1) "
                "WHERE age > 1 AND gone = 0)",
                (channel,),
            )
            self.sql("UPDATE channel SET past = 0 WHERE n = ?", (channel,))
            self._counters.pop(channel, None)

    def note_unheld(self, channel: int, records: Iterable[bytes]) -> None:
        self.many(
            "INSERT INTO left_unheld VALUES (?,?) ON CONFLICT DO NOTHING", [(channel, record) for record in records]
        )

    def add_gone_entry(self, channel: int, n: int) -> None:
        counter = self._counter(channel)
        counter[0] += 1
        self.sql("INSERT INTO channel_entry VALUES (?,?,?,1)", (channel, counter[0], n))
        self._write_counters()


class EntryBatch:
    """Entries to be written: places taken (channel, arrival, record, gone), and returned to (record, channel)."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int, int, int]] = []
        self.back: list[tuple[int, int]] = []
        self.several: list[Row] = []


def _set_arrivals(row: Row, changed: set[str] | None, arrival: int) -> None:
    """Note at which arrival of its channel these registers of a row changed (None: all of them)."""
    if changed is None:
        _row_all_new(row, arrival)
    else:
        for name in changed:
            row.arrivals[name] = arrival
    row.arrival = arrival


def _row_all_new(row: Row, arrival: int) -> Row:
    """Return a row all of which is new at an arrival: a further channel keeps no account of each field."""
    row.arrivals = dict.fromkeys(row.state.fields, arrival)
    row.arrivals[""] = arrival
    return row

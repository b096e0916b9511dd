"""Channels in SQL: the records of each, in order of sequence numbers, and their common digest."""

import heapq
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

from fieldsync.core.state import digest_term
from fieldsync.store.contract import SERVER_ABOVE, Channel, ChannelEntry, RefusedAbout, RequestedRecords, Row
from fieldsync.store.sql.connection import Connection
from fieldsync.store.sql.interning import NumberCache
from fieldsync.store.sql.placements import SqlPlacementWrites
from fieldsync.store.sql.record_access import hex_list
from fieldsync.store.sql.record_queries import WITHIN_UNIT, SqlRecordQueries
from fieldsync.store.sql.row_codec import dump_json

_CHANNEL = "n, unit, arrival, digest, records"
_MASK = (1 << 64) - 1


def to_signed(number: int) -> int:
    """Return 64 bits as SQLite keeps them."""
    number &= _MASK
    return number - (1 << 64) if number >> 63 else number


class SqlChannelReads(SqlRecordQueries):
    """A transaction's channels, to be read."""

    def has_unit(self, unit: str) -> bool:
        return self._of_unit("1", unit) is not None

    def arrival_of(self, unit: str) -> int:
        row = self._of_unit("arrival", unit)
        return int(row[0]) if row else 0

    def channel(self, n: int) -> Channel:
        query = f"SELECT {_CHANNEL} FROM channel WHERE {self.dialect.in_channel('?1', 'n')}"
        return self._read_channel(self.sql(query, (n,)).fetchone())

    def count_channels(self) -> int:
        return int(self.sql("SELECT count(*) FROM channel").fetchone()[0])

    def channel_names(self) -> dict[int, str]:
        return dict(self.sql("SELECT n, unit FROM channel").fetchall())

    def channels(self) -> list[Channel]:
        return [self._read_channel(row) for row in self.sql(f"SELECT {_CHANNEL} FROM channel ORDER BY unit")]

    def _of_unit(self, columns: str, unit: str) -> Any:
        query = f"SELECT {columns} FROM channel WHERE unit = ?1 AND {self.dialect.area_of_unit('?1')}"
        return self.sql(query, (unit,)).fetchone()

    def channels_in(self, units: Iterable[str], besides: Iterable[str] = ()) -> list[Channel]:
        found: dict[str, Channel] = {}
        for unit in units:
            query = f"SELECT {_CHANNEL} FROM channel WHERE {WITHIN_UNIT}"
            if "/" in unit:  # all below it is of the same area
                query += f" AND {self.dialect.area_of_unit('?1')}"
            found.update({row[1]: self._read_channel(row) for row in self.sql(query, (unit,))})
        for name in besides:
            row = self._of_unit(_CHANNEL, name)
            if row is not None:
                found[name] = self._read_channel(row)
        return [found[unit] for unit in sorted(found)]

    def _read_channel(self, found: Sequence[Any]) -> Channel:
        return Channel(found[0], found[1], found[2], found[3] & _MASK, found[4])

    def page_forward(self, channel: int, after: int, limit: int, skip: Container[int] = ()) -> list[ChannelEntry]:
        places = self.sql(
            f"SELECT arrival, gone, record FROM channel_entry WHERE {self.dialect.in_channel('?1')} AND arrival > ?2 "
            "ORDER BY arrival LIMIT ?3",
            (channel, after, limit),
        ).fetchall()
        return self._read_entries(channel, places, skip)

    def page_back(self, channel: int, upto: int, after: int, limit: int) -> list[ChannelEntry]:
        places = self.sql(
            f"SELECT arrival, gone, record FROM channel_entry WHERE {self.dialect.in_channel('?1')} AND arrival <= ?2 "
            "AND arrival > ?3 AND gone = 0 ORDER BY arrival DESC LIMIT ?4",
            (channel, upto, after, limit),
        ).fetchall()
        return self._read_entries(channel, places, ())

    def _read_entries(self, channel: int, places: Sequence[Any], skip: Container[int]) -> list[ChannelEntry]:
        wanted = [n for arrival, _, n in places if arrival not in skip]
        rows = {row[0]: row for row in self.records_by_number(self._columns, wanted)}
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
        records = list(records)
        ids, named = hex_list(records), self._named
        about = " OR ".join(
            f"EXISTS (SELECT 1 FROM {table} AS a WHERE a.record = substr(named.id, 11) AND NOT EXISTS "
            "(SELECT 1 FROM refusal AS r WHERE r.device = a.device AND r.seq = a.seq))"
            for table in ("commit_about", "commit_about_new")
        )
        lost = f"{named} SELECT id FROM named WHERE id NOT IN (SELECT id FROM {self.dialect.directory}) AND ({about})"
        unheld = f"{named} SELECT record FROM left_unheld WHERE channel = ?2 AND record IN (SELECT id FROM named)"
        found, left, _ = self._asked_for(channel, records)
        gone = left.union(row[0] for row in self.sql(unheld, (ids, channel))) - found
        return RequestedRecords(sorted(found), sorted(gone), sorted(row[0] for row in self.sql(lost, (ids,))))

    def _asked_for(self, channel: int, records: Iterable[bytes]) -> tuple[set[bytes], set[bytes], set[bytes]]:
        """Return which of these records are in a channel, which have left it, and which are anywhere."""
        query = f"SELECT n, id, channel FROM {self.dialect.directory} WHERE id IN ({self.dialect.each_id()})"
        known = {n: (id_, place) for n, id_, place in self.sql(query, (hex_list(records),))}
        further = self.further_placements  # read whatever is known, as all below
        numbers = dump_json(list(known)).decode()
        here = {n for n, (_, place) in known.items() if place == channel or channel in further.get(n, ())}
        some = f"AND record IN ({self.dialect.each_number('?2')})"
        here.update(
            row[0] for row in self.sql(f"SELECT record FROM share WHERE channel = ?1 {some}", (channel, numbers))
        )
        left = f"SELECT record FROM channel_entry WHERE {self.dialect.in_channel('?1')} AND gone = 1 {some}"
        gone = {row[0] for row in self.sql(left, (channel, numbers))}
        return {known[n][0] for n in here}, {known[n][0] for n in gone}, {id_ for id_, _ in known.values()}

    def refused_about(self, channel: int, records: Iterable[bytes]) -> list[RefusedAbout]:
        records = list(records)
        here, _, anywhere = self._asked_for(channel, records)
        about = " UNION ALL ".join(
            f"SELECT named.id, a.device, a.seq FROM named JOIN {table} AS a ON a.record = substr(id, 11)"
            for table in ("commit_about", "commit_about_new")
        )
        query = (
            f"{self._named}, about AS ({about}) SELECT id, device, seq, r.reason, r.waits, "
            "EXISTS (SELECT 1 FROM awaited AS w WHERE w.device = r.device AND w.seq = r.seq AND w.kind = ?2), c.body "
            "FROM about JOIN refusal AS r USING (device, seq) JOIN commit_log AS c USING (device, seq) "
            "WHERE c.record = id AND r.reason <> '' ORDER BY id, device, seq"
        )  # in one statement: whoever guesses ids must not learn from the work that there is anything
        return [
            RefusedAbout(
                id_, self.device_id(n), seq, code, here=id_ in here, waits=bool(waits), above=bool(above),
                body=self.bodies.read_body(n, seq, body),
            )
            for id_, n, seq, code, waits, above, body in self.sql(query, (hex_list(records), SERVER_ABOVE.kind)).fetchall()
            if id_ in here or id_ not in anywhere
        ]  # fmt: skip

    def digest_terms(self, channel: int) -> Iterator[tuple[bytes, int]]:
        here, directory = self.dialect.in_channel, self.dialect.directory
        mine = self.sql(
            "SELECT record.id, record.term FROM channel_entry AS e JOIN record ON record.n = e.record "
            f"WHERE {here('?1', 'e.channel')} AND {here('?1', 'record.channel')} AND record.arrival = e.arrival ORDER BY record.id",
            (channel,),
        )
        # of any area
        also = [n for n, places in self.further_placements.items() if channel in places]
        others = [tuple(row) for row in self.records_by_number("id, term", also)] if also else []
        shared = f"SELECT d.id, s.term FROM share AS s JOIN {directory} AS d ON d.n = s.record WHERE s.channel = ?"
        others += map(tuple, self.sql(shared, (channel,)))
        return ((row[0], row[1] & _MASK) for row in heapq.merge(mine, sorted(others)))


class SqlChannelWrites(SqlChannelReads, SqlPlacementWrites):
    """A transaction's channels, and the counters of those it writes to."""

    def __init__(self, connection: Connection, numbers: NumberCache) -> None:
        super().__init__(connection, numbers)
        self._counters: dict[int, list[int]] = {}

    def channel_number(self, unit: str) -> int:
        row = self._of_unit("n", unit)
        if row is None:
            self.add_channel(unit)
            row = self._of_unit("n", unit)
        return int(row[0])

    def add_channel(self, unit: str) -> None:
        """Add a unit's channel, unless another process was quicker."""
        self.sql("INSERT INTO channel (unit) VALUES (?) ON CONFLICT (unit) DO NOTHING", (unit,))

    # --- entering and leaving ---

    def _write_counters(self) -> None:
        self.many(
            f"UPDATE channel SET arrival = ?1, digest = ?2, records = ?3, past = ?4 WHERE {self.dialect.in_channel('?5', 'n')}",
            [(arrival, to_signed(digest), *counts, n) for n, (arrival, digest, *counts) in self._counters.items()],
        )

    def _counter(self, channel: int) -> list[int]:
        counter = self._counters.get(channel)
        if counter is None:
            query = f"SELECT arrival, digest, records, past FROM channel WHERE {self.dialect.in_channel('?1', 'n')}"
            counter = self._counters[channel] = list(self.sql(query, (channel,)).fetchone())
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

    def add_entries(self, entries: Sequence[tuple[int, int, int, int]]) -> None:
        """Write entries: (channel, arrival, record, gone)."""
        self.many("INSERT INTO channel_entry VALUES (?,?,?,?)", entries)

    def forget_departures(self, places: Sequence[tuple[int, int]]) -> None:
        """Delete the departure entries of (record, channel): it is back, or gone everywhere."""
        self.many(
            f"DELETE FROM channel_entry WHERE record = ?1 AND gone = 1 AND {self.dialect.in_channel('?2')}", places
        )

    def sweep_entries(self) -> None:
        here = self.dialect.in_channel("?1")
        for (channel,) in self.sql("SELECT n FROM channel WHERE past * 4 > records + 4000").fetchall():
            self.sql(
                f"DELETE FROM channel_entry WHERE {here} AND arrival IN (SELECT arrival FROM (SELECT arrival, gone, "
                f"row_number() OVER (PARTITION BY record ORDER BY arrival DESC) AS age FROM channel_entry WHERE {here}) AS entry "
                "WHERE age > 1 AND gone = 0)",
                (channel,),
            )
            self.sql(f"UPDATE channel SET past = 0 WHERE {self.dialect.in_channel('?1', 'n')}", (channel,))
            self._counters.pop(channel, None)

    def note_unheld(self, channel: int, records: Iterable[bytes]) -> None:
        self.many(
            "INSERT INTO left_unheld VALUES (?,?) ON CONFLICT DO NOTHING", [(channel, record) for record in records]
        )

    def add_gone_entry(self, channel: int, n: int) -> None:
        counter = self._counter(channel)
        counter[0] += 1
        self.add_entries([(channel, counter[0], n, 1)])
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

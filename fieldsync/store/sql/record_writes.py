"""Writes of records in SQL, and their placement in channels."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fieldsync.core.state import digest_term
from fieldsync.core.units import LEFT
from fieldsync.store.contract import NOWHERE_ELSE, Row
from fieldsync.store.sql.channel_log import EntryBatch, to_signed
from fieldsync.store.sql.duplicate_index import SqlDuplicateReads, SqlDuplicateWrites
from fieldsync.store.sql.node_settings import SqlSettingReads, SqlSettingWrites
from fieldsync.store.sql.record_queries import COLUMNS
from fieldsync.store.sql.row_codec import dump_json, encode_registers
from fieldsync.store.sql.shared_projections import SqlProjectionReads, SqlProjectionWrites

_PLAIN = "n, id, type, channel, arrival, term, code, registers, doc"


class SqlRecordReads(SqlProjectionReads, SqlDuplicateReads, SqlSettingReads):
    """A transaction's records, to be read."""

    def ids_of_type(self, type: str) -> list[bytes]:
        query = f"SELECT id FROM {self.dialect.directory} WHERE type = ? ORDER BY n"
        return [row[0] for row in self.sql(query, (type,))]


class SqlRecordWrites(SqlRecordReads, SqlProjectionWrites, SqlDuplicateWrites, SqlSettingWrites):
    """A transaction's records."""

    def save_rows(self, touched: Mapping[bytes, tuple[Row, set[str] | None]]) -> None:
        last = self.sql(f"SELECT coalesce(max(n), 0) FROM {self.dialect.directory}").fetchone()[0]
        new: list[tuple[Any, ...]] = []
        plain: list[tuple[Any, ...]] = []
        left: list[tuple[int, int]] = []
        changed_rows: list[tuple[Any, ...]] = []
        moved_rows: list[tuple[Any, ...]] = []
        places = EntryBatch()
        for row, changed in touched.values():
            assert row.channel is not None
            fresh, before = not row.n, row.old_channel
            if fresh:
                last += 1
                row.n = last
            if row.also or row.old_also:
                self._enter_further(row, changed, places)
            else:
                self._enter_row(row, changed, places)
            conflicts = dump_json(row.conflicts).decode() if row.conflicts else None
            registers = bytearray(encode_registers(row, self.device_number, self.author_number))
            doc = bytearray(dump_json(row.doc))
            now = row.channel, row.owner, row.code, conflicts
            if before is not None and self.dialect.are_apart(before, row.channel):
                left.append((row.n, before))
                fresh = True
            if fresh:
                record = bytearray(row.state.record)
                start = row.n, record, row.state.type, row.channel, row.arrival, to_signed(row.old_term)
                if row.owner is None and conflicts is None and row.code is not None:
                    plain.append((*start, row.code, registers, doc))
                else:
                    new.append((*start, row.owner, row.code, conflicts, registers, doc))
            elif now == row.old_places:
                changed_rows.append((row.arrival, to_signed(row.old_term), registers, doc, row.n, before))
            else:
                moved_rows.append((row.arrival, to_signed(row.old_term), registers, doc, row.n, before, *now))
            row.old_places = now
        document, here = self.dialect.new_document("?4"), self.dialect.in_channel("?6")
        self.delete_rows(left)
        # the driver takes a detour for each None and each bytes: so most rows name neither, and blobs go as bytearrays
        self.insert_rows(_PLAIN, plain)
        self.insert_rows(COLUMNS, new)
        # naming an indexed column has SQLite rewrite its index, changed or not
        update = f"UPDATE record SET arrival=?1, term=?2, registers=?3, doc={document}"
        self.many(f"{update} WHERE n=?5 AND {here}", changed_rows)
        self.many(f"{update}, channel=?7, owner=?8, code=?9, conflicts=?10 WHERE n=?5 AND {here}", moved_rows)
        self.forget_departures(places.back)
        self.add_entries(places.taken)
        for row in places.several:
            self.set_also(row)
        self._write_counters()

    def insert_rows(self, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows of the table `record`; the document is the last column."""
        marks = "?," * columns.count(",")
        self.many(f"INSERT INTO record ({columns}) VALUES ({marks}{self.dialect.new_document()})", rows)

    def delete_rows(self, places: Sequence[tuple[int, int]]) -> None:
        """Delete rows of the table `record`: (number, channel)."""
        self.many(f"DELETE FROM record WHERE n = ?1 AND {self.dialect.in_channel('?2')}", places)

    def release_records(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        if not rows:
            return
        self._left = self.channel_number(LEFT)
        for row in rows:
            row.channel, row.also = self.departed_channel, NOWHERE_ELSE
        self.save_rows({row.state.record: (row, set()) for row in rows})

    def purge_records(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        for row in rows:
            for channel in row.channels:
                counter = self._counter(channel)
                counter[1] -= row.old_term
                counter[2] -= 1
                place = channel, row.also.get(channel, row.arrival)
                self.sql(f"DELETE FROM channel_entry WHERE {self.dialect.in_channel('?1')} AND arrival = ?2", place)
            if row.also:
                row.also = NOWHERE_ELSE
                self.set_also(row)
            self.remove_projections(row.n)
            self.forget_departures([(row.n, channel) for channel in self.channels_left(row.n)])
            assert row.old_channel is not None
            self.delete_rows([(row.n, row.old_channel)])
            self.settings.drafts[row.state.record.hex()] = None  # an unfinished edit of it
            self.forget_blocks(row.n, row.state.type, row.doc)
        self.forget_merged([row.state.record for row in rows])
        self._write_counters()

    def rewrite_rows(self, rows: Iterable[Row]) -> None:
        document, here = self.dialect.new_document("?3"), self.dialect.in_channel("?6")
        for row in rows:
            assert row.channel is not None
            now = digest_term(row.state)
            for channel in row.channels:
                self._counter(channel)[1] += now - row.old_term
            row.old_term = now
            conflicts = dump_json(row.conflicts).decode() if row.conflicts else None
            registers = encode_registers(row, self.device_number, self.author_number)
            self.sql(
                f"UPDATE record SET term=?1, registers=?2, doc={document}, conflicts=?4 WHERE n=?5 AND {here}",
                (to_signed(now), registers, dump_json(row.doc), conflicts, row.n, row.channel),
            )
        self._write_counters()

"""Writes of records in SQL, and their placement in channels."""

from collections.abc import Iterable, Mapping
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
        return [row[0] for row in self.sql("SELECT id FROM record WHERE type = ? ORDER BY n", (type,))]


class SqlRecordWrites(SqlRecordReads, SqlProjectionWrites, SqlDuplicateWrites, SqlSettingWrites):
    """A transaction's records."""

    def save_rows(self, touched: Mapping[bytes, tuple[Row, set[str] | None]]) -> None:
        last = self.sql("SELECT coalesce(max(n), 0) FROM record").fetchone()[0]
        new: list[tuple[Any, ...]] = []
        plain: list[tuple[Any, ...]] = []
        changed_rows: list[tuple[Any, ...]] = []
        moved_rows: list[tuple[Any, ...]] = []
        places = EntryBatch()
        for row, changed in touched.values():
            fresh = not row.n
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
            if fresh:
                record = bytearray(row.state.record)
                start = row.n, record, row.state.type, row.channel, row.arrival, to_signed(row.old_term)
                if row.owner is None and conflicts is None and row.code is not None:
                    plain.append((*start, row.code, registers, doc))
                else:
                    new.append((*start, row.owner, row.code, conflicts, registers, doc))
            elif now == row.old_places:
                changed_rows.append((row.arrival, to_signed(row.old_term), registers, doc, row.n))
            else:
                moved_rows.append((row.arrival, to_signed(row.old_term), registers, doc, *now, row.n))
            row.old_places = now
        document = self.dialect.document_parameter
        # the driver takes a detour for each None and each bytes: so most rows name neither, and blobs go as bytearrays
        self.many(f"INSERT INTO record ({_PLAIN}) VALUES (?,?,?,?,?,?,?,?,{document})", plain)
        self.many(f"INSERT INTO record ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,{document})", new)
        # naming an indexed column has SQLite rewrite its index, changed or not
        update = f"UPDATE record SET arrival=?, term=?, registers=?, doc={document}"
        self.many(f"{update} WHERE n=?", changed_rows)
        self.many(f"{update}, channel=?, owner=?, code=?, conflicts=? WHERE n=?", moved_rows)
        self.many("DELETE FROM channel_entry WHERE record = ? AND channel = ? AND gone = 1", places.back)
        self.many("INSERT INTO channel_entry VALUES (?,?,?,?)", places.taken)
        for row in places.several:
            self.set_also(row)
        self._write_counters()

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
                self.sql("DELETE FROM channel_entry WHERE channel = ? AND arrival = ?", place)
            if row.also:
                row.also = NOWHERE_ELSE
                self.set_also(row)
            self.remove_projections(row.n)
            self.sql("DELETE FROM channel_entry WHERE record = ? AND gone = 1", (row.n,))
            self.sql("DELETE FROM record WHERE n = ?", (row.n,))
            self.settings.drafts[row.state.record.hex()] = None  # an unfinished edit of it
            self.forget_blocks(row.n, row.state.type, row.doc)
        self.forget_merged([row.state.record for row in rows])
        self._write_counters()

    def rewrite_rows(self, rows: Iterable[Row]) -> None:
        for row in rows:
            assert row.channel is not None
            now = digest_term(row.state)
            for channel in row.channels:
                self._counter(channel)[1] += now - row.old_term
            row.old_term = now
            conflicts = dump_json(row.conflicts).decode() if row.conflicts else None
            registers = encode_registers(row, self.device_number, self.author_number)
            self.sql(
                f"UPDATE record SET term=?, registers=?, doc={self.dialect.document_parameter}, conflicts=? WHERE n=?",
                (to_signed(now), registers, dump_json(row.doc), conflicts, row.n),
            )
        self._write_counters()

"""Records by area: where each is stands in the table `directory`, and is looked up before it is read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fieldsync.store.contract import Row
from fieldsync.store.postgresql.dialect import AREA
from fieldsync.store.sql.record_access import hex_list
from fieldsync.store.sql.record_queries import SqlRecordQueries
from fieldsync.store.sql.record_writes import SqlRecordWrites
from fieldsync.store.sql.row_codec import dump_json


class PostgresAreaReads(SqlRecordQueries):
    """A transaction's records, to be read area by area."""

    def records_by_id(self, columns: str, records: Iterable[bytes]) -> Iterator[Any]:
        return self._records(columns, f"id IN ({self.dialect.each_id()})", hex_list(records))

    def records_by_number(self, columns: str, numbers: Iterable[int]) -> Iterator[Any]:
        return self._records(columns, f"n IN ({self.dialect.each_number()})", dump_json(list(numbers)).decode())

    def _records(self, columns: str, wanted: str, given: str) -> Iterator[Any]:
        places = f"SELECT channel & {AREA}, json_agg(n)::text FROM directory WHERE {wanted} GROUP BY 1"
        query = f"SELECT {columns} FROM record WHERE area = ?1 AND n IN ({self.dialect.each_number('?2')})"
        for place in self.sql(places, (given,)).fetchall():
            yield from self.sql(query, place)

    def count_channels(self) -> int:
        return int(self.sql("SELECT count(*) FROM unit").fetchone()[0])

    def channel_names(self) -> dict[int, str]:
        return dict(self.sql("SELECT channel, name FROM unit").fetchall())

    def channels_left(self, n: int) -> list[int]:
        return [row[0] for row in self.sql("SELECT channel FROM departure WHERE record = ?", (n,))]

    def departure_entries(self, n: int) -> list[tuple[int, int]]:
        query = f"SELECT channel, arrival FROM channel_entry WHERE {self.dialect.in_channel('?1')} AND record = ?2 AND gone = 1"
        return [tuple(row) for channel in self.channels_left(n) for row in self.sql(query, (channel, n))]


class PostgresAreaWrites(PostgresAreaReads, SqlRecordWrites):
    """A transaction's records, with their places in the directory."""

    def add_channel(self, unit: str) -> None:
        made = self.sql(
            f"INSERT INTO channel (unit, n, area) VALUES (?1, nextval('channel_number') * {AREA + 1} + area_of(?1), area_of(?1)) "
            "ON CONFLICT (area, unit) DO NOTHING RETURNING n",
            (unit,),
        ).fetchone()
        if made is not None:
            self.sql("INSERT INTO unit VALUES (?, ?)", (made[0], unit))

    def add_entries(self, entries: Sequence[tuple[int, int, int, int]]) -> None:
        self.many("INSERT INTO channel_entry VALUES (?,?,?,?,?)", [(*one, one[0] & AREA) for one in entries])
        left = [(record, channel) for channel, _, record, gone in entries if gone]
        self.many("INSERT INTO departure VALUES (?,?) ON CONFLICT DO NOTHING", left)

    def forget_departures(self, places: Sequence[tuple[int, int]]) -> None:
        super().forget_departures(places)
        self.many("DELETE FROM departure WHERE record = ? AND channel = ?", places)

    def insert_rows(self, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
        channel = columns.split(", ").index("channel")
        super().insert_rows(f"area, {columns}", [(row[channel] & AREA, *row) for row in rows])

    def save_rows(self, touched: Mapping[bytes, tuple[Row, set[str] | None]]) -> None:
        before = {record: row.old_places if row.n else None for record, (row, _) in touched.items()}
        super().save_rows(touched)
        new, changed = [], []
        for record, (row, names) in touched.items():
            known = before[record]
            if known is None:
                place = row.channel, row.state.type, row.owner, row.code, _is_deleted(row)
                new.append((record, row.n, *place))
            elif known[:3] != (row.channel, row.owner, row.code) or names is None or "_deleted" in names:
                changed.append(row)
        self.many("INSERT INTO directory VALUES (?,?,?,?,?,?,?)", new)
        self._update_directory(changed)

    def rewrite_rows(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        super().rewrite_rows(rows)
        self._update_directory(rows)

    def _update_directory(self, rows: Iterable[Row]) -> None:
        self.many(
            "UPDATE directory SET channel = ?, owner = ?, code = ?, deleted = ? WHERE n = ?",
            [(row.channel, row.owner, row.code, _is_deleted(row), row.n) for row in rows],
        )

    def purge_records(self, rows: Iterable[Row]) -> None:
        rows = list(rows)
        super().purge_records(rows)
        self.many("DELETE FROM directory WHERE n = ?", [(row.n,) for row in rows])


def _is_deleted(row: Row) -> int:
    return int(row.doc.get("_deleted") is not None)

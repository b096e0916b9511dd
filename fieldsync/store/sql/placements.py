"""Records that are in several channels at once, and those that have left this node: the rarer part of placement.

A record whose unit is in conflict is in the channel of every unit that somebody moved it to. `record.channel` is the one shown;
the others are in `channel_also`, each with the record's sequence number there. The table is small: a transaction reads it once.
"""

from collections.abc import Iterable, Mapping

from fieldsync.core.units import LEFT
from fieldsync.store.contract import NOWHERE_ELSE, DepartedRecord, Row
from fieldsync.store.sql.interning import SqlNumberWrites
from fieldsync.store.sql.record_access import SqlRecordAccess, hex_list


class SqlPlacementReads(SqlRecordAccess):
    """A transaction's records in several channels, to be read."""

    _several: dict[int, dict[int, int]] | None = None

    _left: int | None = None

    @property
    def further_placements(self) -> dict[int, dict[int, int]]:
        if self._several is None:  # Python 3.11's cached_property would have all threads wait for one lock
            self._several = {}
            for record, channel, arrival in self.sql("SELECT record, channel, arrival FROM channel_also"):
                self._several.setdefault(record, {})[channel] = arrival
        return self._several

    def further_channels_of(self, records: Iterable[bytes]) -> dict[bytes, Mapping[int, int]]:
        if not self.further_placements:
            return {}
        query = f"SELECT id, n FROM {self.dialect.directory} WHERE id IN ({self.dialect.each_id()})"
        found = self.sql(query, (hex_list(records),))
        return {record: self.further_placements[n] for record, n in found if n in self.further_placements}

    # --- what has left ---

    @property
    def departed_channel(self) -> int:
        if self._left is None:
            query = f"SELECT n FROM channel WHERE unit = ?1 AND {self.dialect.area_of_unit('?1')}"
            row = self.sql(query, (LEFT,)).fetchone()
            self._left = int(row[0]) if row else 0
        return self._left

    def departure_entries(self, n: int) -> list[tuple[int, int]]:
        query = "SELECT channel, arrival FROM channel_entry WHERE record = ? AND gone = 1"
        return [tuple(row) for row in self.sql(query, (n,))]

    def departed_records(self) -> list[DepartedRecord]:
        query = (
            "SELECT record, code, type, unit FROM departed "
            f"WHERE record NOT IN (SELECT id FROM {self.dialect.directory}) ORDER BY record"
        )
        return [DepartedRecord(*row) for row in self.sql(query)]


class SqlPlacementWrites(SqlPlacementReads, SqlNumberWrites):
    """A transaction's records in several channels."""

    def set_also(self, row: Row) -> None:
        """Keep a row's further channels."""
        self.sql("DELETE FROM channel_also WHERE record = ?", (row.n,))
        self.many("INSERT INTO channel_also VALUES (?,?,?)", [(row.n, *place) for place in row.also.items()])
        row.old_also = row.also
        if row.also:
            self.further_placements[row.n] = dict(row.also)
        else:
            row.also = row.old_also = NOWHERE_ELSE
            self.further_placements.pop(row.n, None)

    # --- what has left ---

    def note_departed(self, rows: Iterable[Row], unit: str | None = None) -> None:
        found = [(row.state.record, row.code, row.state.type, unit) for row in rows]
        self.many(
            "INSERT INTO departed VALUES (?,?,?,?) "
            "ON CONFLICT (record) DO UPDATE SET code = excluded.code, type = excluded.type, unit = excluded.unit",
            found,
        )

    def forget_departed(self) -> None:
        self.sql("DELETE FROM departed")

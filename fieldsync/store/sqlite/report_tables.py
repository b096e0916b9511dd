"""Report tables: the fields of each record type that reports need, in narrow tables. Derived, and on servers only.

Records of a type are scattered over a large store, and a page must be decrypted for each: on half a million people that
alone takes seconds. A report table is updated when a report is run, by the channels' sequence numbers, as a device would be:
saves and syncs are not slowed down. A new table is built in slices, so that others can write in between; its progress is
stored, so that two processes share the work and a killed one's is kept.
"""

from collections.abc import Sequence

import msgspec

from fieldsync.store.sql.node_settings import SqlSettingReads, SqlSettingWrites

_KEY, _MAKING = "sheets", "sheets_making"
_SLICE = 20_000  # records of a sheet that are made in one transaction
_COUNT, _LAST = -1, -2  # in the place of a channel: how many records there were then, and the newest's number


class SqliteReportTableReads(SqlSettingReads):
    """A transaction's sheets, to be read."""

    def report_tables(self) -> dict[str, list[str]]:
        kept = self.stored_setting(_KEY)
        return {} if kept is None else msgspec.json.decode(str(kept), type=dict[str, list[str]])

    def _tables_in_making(self) -> dict[str, tuple[list[str], int]]:
        """Return, for each sheet that is being made, its columns, and the number of the last record in it."""
        kept = self.stored_setting(_MAKING)
        return {} if kept is None else msgspec.json.decode(str(kept), type=dict[str, tuple[list[str], int]])

    def count_of_types(self, types: Sequence[str]) -> int:
        count = "SELECT count(*) FROM record WHERE type = ?"
        return sum(self.sql(count, (type_,)).fetchone()[0] for type_ in types)

    def have_records_departed(self) -> bool:
        row = self.sql("SELECT arrival FROM sheet_cursor WHERE channel = ?", (_COUNT,)).fetchone()
        last = self.sql("SELECT arrival FROM sheet_cursor WHERE channel = ?", (_LAST,)).fetchone()
        if row is None or last is None:
            return False
        now = self.sql("SELECT count(*) FROM record").fetchone()[0]
        new = self.sql("SELECT count(*) FROM record WHERE n > ?", (last[0],)).fetchone()[0]
        return bool(now != row[0] + new)


class SqliteReportTableWrites(SqliteReportTableReads, SqlSettingWrites):
    """A transaction's sheets."""

    def make_report_table(self, type: str, fields: Sequence[tuple[str, bool]], mark: str) -> int | None:
        columns, known, making = [mark, *(name for name, _ in fields)], self.report_tables(), self._tables_in_making()
        if known.get(type) == columns:
            return None
        if not known and not making:
            self.mark_report_tables_current()  # what changes from here on is written anew in the end
        if type not in making or making[type][0] != columns:
            self.sql(f"DROP TABLE IF EXISTS [sheet/{type}]")
            names = "".join(f", [{name}]" for name, _ in fields)
            self.sql(f"CREATE TABLE [sheet/{type}] (n INTEGER PRIMARY KEY, id BLOB, code, channel, in_review{names})")
            known.pop(type, None)
            self._set_known(known)
            making[type] = columns, 0
        after = making[type][1]
        query = "SELECT max(n), count(*) FROM (SELECT n FROM record WHERE type = ? AND n > ? ORDER BY n LIMIT ?)"
        last, count = self.sql(query, (type, after, _SLICE)).fetchone()
        if not count:
            self.sql(f"CREATE INDEX [sheet/{type}/id] ON [sheet/{type}] (id)")
            del making[type]
            self._set_known(known | {type: columns})
            self._set_tables_in_making(making)
            return None
        self._fill_report_table(type, fields, "type = ? AND n > ? AND n <= ?", type, after, last)
        making[type] = columns, last
        self._set_tables_in_making(making)
        return int(count)

    def _set_tables_in_making(self, making: dict[str, tuple[list[str], int]]) -> None:
        self.store_setting(_MAKING, msgspec.json.encode(making).decode())

    def drop_report_tables(self) -> None:
        for type_ in self.report_tables().keys() | self._tables_in_making().keys():
            self.sql(f"DROP TABLE IF EXISTS [sheet/{type_}]")
        self._set_known({})
        self._set_tables_in_making({})
        self.sql("DELETE FROM sheet_cursor")

    def _set_known(self, known: dict[str, list[str]]) -> None:
        self.store_setting(_KEY, msgspec.json.encode(known).decode())

    def _fill_report_table(
        self, type: str, fields: Sequence[tuple[str, bool]], condition: str, *values: object
    ) -> None:
        parts = []
        for name, refers in fields:
            value = f"json_extract(doc, '$.{name}')"
            parts.append(f", coalesce(unhex({value}, '-'), {value})" if refers else f", {value}")
        self.sql(
            f"INSERT INTO [sheet/{type}] SELECT n, id, code, channel, conflicts IS NOT NULL{''.join(parts)} FROM record "
            f"WHERE {condition} AND json_extract(doc, '$._deleted') IS NULL",
            values,
        )

    def collect_report_changes(self) -> int:
        self.sql("CREATE TEMP TABLE IF NOT EXISTS changed (n INTEGER PRIMARY KEY)")
        self.sql("DELETE FROM temp.changed")
        self.sql(
            "INSERT OR IGNORE INTO temp.changed SELECT e.record FROM channel AS c "
            "LEFT JOIN sheet_cursor AS s ON s.channel = c.n "
            "JOIN channel_entry AS e ON e.channel = c.n AND e.arrival > coalesce(s.arrival, 0)"
        )
        return int(self.sql("SELECT count(*) FROM temp.changed").fetchone()[0])

    def refresh_report_table(self, type: str, fields: Sequence[tuple[str, bool]]) -> None:
        self.sql(f"DELETE FROM [sheet/{type}] WHERE n IN (SELECT n FROM temp.changed)")
        self._fill_report_table(type, fields, "n IN (SELECT n FROM temp.changed) AND type = ?", type)

    def purge_report_table(self, type: str) -> None:
        self.sql(
            f"DELETE FROM [sheet/{type}] WHERE NOT EXISTS (SELECT 1 FROM record WHERE record.n = [sheet/{type}].n)"
        )

    def mark_report_tables_current(self) -> None:
        for type_ in self._tables_in_making():
            self.sql(f"DROP TABLE IF EXISTS [sheet/{type_}]")
        self._set_tables_in_making({})
        self.sql("INSERT OR REPLACE INTO sheet_cursor SELECT n, arrival FROM channel")
        self.sql("INSERT OR REPLACE INTO sheet_cursor SELECT ?, count(*) FROM record", (_COUNT,))
        self.sql("INSERT OR REPLACE INTO sheet_cursor SELECT ?, coalesce(max(n), 0) FROM record", (_LAST,))

"""Report tables beside PostgreSQL: reports are written in SQLite's SQL, so each host keeps their tables in an encrypted file.

The file is derived: it is caught up by the channels' sequence numbers when a report is run, as a device would be. A transaction
that writes in it ends it as its own ends; a file that is behind is caught up; one that is gone, or of another store epoch, is made anew.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from fieldsync.store.sql.node_settings import SqlSettingReads, SqlSettingWrites
from fieldsync.store.sql.record_access import SqlRecordAccess
from fieldsync.store.sql.row_codec import dump_json
from fieldsync.store.sqlite import encryption

FILE = "reports.db"
_SLICE = 20_000  # records of a table that are made in one transaction
_AT_ONCE = 2_000  # records in one statement
_EPOCH = "epoch"  # the store epoch in which the file was made, in its table `meta`
_CURRENT = "channel", "counted", "same", "record"  # what is taken from the database each time
_TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS channel (n INTEGER PRIMARY KEY, unit TEXT NOT NULL, arrival INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS counted (records INTEGER NOT NULL, last INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS same (record TEXT PRIMARY KEY, root TEXT NOT NULL) WITHOUT ROWID",
    # those that took part in merges
    """CREATE TABLE IF NOT EXISTS record (
        n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, type TEXT NOT NULL, channel INTEGER, code TEXT, conflicts TEXT,
        doc TEXT NOT NULL DEFAULT '{}')""",
    "CREATE TEMP TABLE IF NOT EXISTS changed (n INTEGER PRIMARY KEY)",
)


class ReportFile:
    """The file with a host's report tables; it is opened when a report is first run."""

    def __init__(self, home: Path, key: bytes) -> None:
        self.path, self._key = home / FILE, key
        self._opened: encryption.Connection | None = None

    @property
    def connection(self) -> encryption.Connection:
        """The connection that writes."""
        if self._opened is None:
            self._opened = encryption.connect(self.path, self._key, create=not self.path.exists())
            for statement in _TABLES:
                self._opened.execute(statement)
        return self._opened

    def end(self, *, keep: bool) -> None:
        """End what a transaction wrote."""
        if self.connection.in_transaction:
            self.connection.execute("COMMIT" if keep else "ROLLBACK")

    def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            self._opened.close()


class PostgresReportTableReads(SqlRecordAccess, SqlSettingReads):
    """A transaction's report tables, to be read."""

    report_file: ReportFile

    def report_tables(self) -> dict[str, list[str]]:
        return self._noted("sheets", dict[str, list[str]]) or {}

    def _noted(self, name: str, type: Any) -> Any:
        if not self._is_of_this_epoch():
            return None
        row = self.report_file.connection.execute("SELECT value FROM meta WHERE key = ?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=type)

    def _is_of_this_epoch(self) -> bool:
        """Return whether the file was made in the present store epoch: others gave the same sequence numbers to other things."""
        row = self.report_file.connection.execute("SELECT value FROM meta WHERE key = ?", (_EPOCH,)).fetchone()
        return row is not None and bool(row[0] == self.settings.epoch.hex())

    def count_of_types(self, types: Sequence[str]) -> int:
        count = "SELECT count(*) FROM directory WHERE type = ?"
        return sum(self.sql(count, (type_,)).fetchone()[0] for type_ in types)

    def have_records_departed(self) -> bool:
        row = self.report_file.connection.execute("SELECT records, last FROM counted").fetchone()
        if row is None:
            return False
        now = self.sql("SELECT count(*) FROM directory").fetchone()[0]
        new = self.sql("SELECT count(*) FROM directory WHERE n > ?", (row[1],)).fetchone()[0]
        return bool(now != row[0] + new)


class PostgresReportTableWrites(PostgresReportTableReads, SqlSettingWrites):
    """A transaction's report tables."""

    writes_reports = False

    @contextmanager
    def _file(self) -> Iterator[encryption.Connection]:
        """Yield the connection to the file, in a transaction that ends as this one ends."""
        connection = self.report_file.connection
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
            self.writes_reports = True
            if not self._is_of_this_epoch():
                self._begin_anew(connection)
        yield connection

    def _begin_anew(self, file: encryption.Connection) -> None:
        sheets = file.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'sheet/%'").fetchall()
        for (name,) in sheets:
            file.execute(f"DROP TABLE [{name}]")
        for table in ("meta", *_CURRENT):
            file.execute(f"DELETE FROM {table}")
        file.execute("INSERT INTO meta VALUES (?, ?)", (_EPOCH, self.settings.epoch.hex()))

    def _note(self, name: str, value: object) -> None:
        with self._file() as file:
            file.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, msgspec.json.encode(value).decode()))

    def _in_making(self) -> dict[str, tuple[list[str], int]]:
        """Return, for each table that is being made, its columns, and the number of the last record in it."""
        return self._noted("sheets_making", dict[str, tuple[list[str], int]]) or {}

    def make_report_table(self, type: str, fields: Sequence[tuple[str, bool]], mark: str) -> int | None:
        columns, known, making = [mark, *(name for name, _ in fields)], self.report_tables(), self._in_making()
        if known.get(type) == columns:
            return None
        if not known and not making:
            self.mark_report_tables_current()  # what changes from here on is written anew in the end
        with self._file() as file:
            if type not in making or making[type][0] != columns:
                file.execute(f"DROP TABLE IF EXISTS [sheet/{type}]")
                names = "".join(f", [{name}]" for name, _ in fields)
                file.execute(
                    f"CREATE TABLE [sheet/{type}] (n INTEGER PRIMARY KEY, id BLOB, code, channel, in_review{names})"
                )
                known.pop(type, None)
                self._note("sheets", known)
                making[type] = columns, 0
            query = "SELECT n FROM directory WHERE type = ? AND n > ? ORDER BY n LIMIT ?"
            numbers = [row[0] for row in self.sql(query, (type, making[type][1], _SLICE))]
            if not numbers:
                file.execute(f"CREATE INDEX [sheet/{type}/id] ON [sheet/{type}] (id)")
                del making[type]
                self._note("sheets", known | {type: columns})
                self._note("sheets_making", making)
                return None
            self._fill(type, fields, numbers)
            making[type] = columns, numbers[-1]
            self._note("sheets_making", making)
            return len(numbers)

    def _fill(self, type: str, fields: Sequence[tuple[str, bool]], numbers: Sequence[int]) -> None:
        values = ", ".join(
            f"coalesce(unhex(value ->> {i}, '-'), value ->> {i})" if refers else f"value ->> {i}"
            for i, (_, refers) in enumerate(fields, 1)
        )
        names = ("_deleted", *(name for name, _ in fields))
        columns = f"n, id, code, channel, conflicts IS NOT NULL, {self.dialect.values('doc', names)}"
        wanted = f"SELECT n FROM directory WHERE n IN ({self.dialect.each_number()}) AND type = ? AND deleted = 0"
        marks = f"SELECT ?1, ?2, ?3, ?4, ?5{', ' + values if values else ''} FROM (SELECT ?6 AS value)"
        with self._file() as file:
            for some in _parts(numbers):
                here = [n for (n,) in self.sql(wanted, (dump_json(some).decode(), type))]
                file.executemany(f"INSERT INTO [sheet/{type}] {marks}", self.records_by_number(columns, here))

    def drop_report_tables(self) -> None:
        with self._file() as file:
            self._begin_anew(file)

    def collect_report_changes(self) -> int:
        with self._file() as file:
            taken = dict(file.execute("SELECT n, arrival FROM channel"))
            file.execute("DELETE FROM temp.changed")
            for n, arrival in self.sql("SELECT n, arrival FROM channel").fetchall():
                if arrival > taken.get(n, 0):
                    query = f"SELECT DISTINCT record FROM channel_entry WHERE {self.dialect.in_channel('?1')} AND arrival > ?2"
                    found = self.sql(query, (n, taken.get(n, 0))).fetchall()
                    file.executemany("INSERT OR IGNORE INTO temp.changed VALUES (?)", found)
            return int(file.execute("SELECT count(*) FROM temp.changed").fetchone()[0])

    def refresh_report_table(self, type: str, fields: Sequence[tuple[str, bool]]) -> None:
        with self._file() as file:
            file.execute(f"DELETE FROM [sheet/{type}] WHERE n IN (SELECT n FROM temp.changed)")
            self._fill(type, fields, [row[0] for row in file.execute("SELECT n FROM temp.changed ORDER BY n")])

    def purge_report_table(self, type: str) -> None:
        with self._file() as file:
            query = f"SELECT n FROM directory WHERE n IN ({self.dialect.each_number()})"
            for some in _parts([row[0] for row in file.execute(f"SELECT n FROM [sheet/{type}]")]):
                here = {row[0] for row in self.sql(query, (dump_json(some).decode(),))}
                gone = [(n,) for n in some if n not in here]
                file.executemany(f"DELETE FROM [sheet/{type}] WHERE n = ?", gone)

    def mark_report_tables_current(self) -> None:
        with self._file() as file:
            for type_ in self._in_making():
                file.execute(f"DROP TABLE IF EXISTS [sheet/{type_}]")
            self._note("sheets_making", {})
            for table in _CURRENT:
                file.execute(f"DELETE FROM {table}")
            file.executemany(
                "INSERT INTO channel VALUES (?,?,?)", self.sql("SELECT n, unit, arrival FROM channel").fetchall()
            )
            counted = self.sql("SELECT count(*), coalesce(max(n), 0) FROM directory").fetchall()
            file.executemany("INSERT INTO counted VALUES (?,?)", counted)
            file.executemany("INSERT INTO same VALUES (?,?)", self.sql("SELECT record, root FROM same").fetchall())
            merged = (
                "SELECT n, id, type, channel, code FROM directory WHERE id IN "
                f"(SELECT {self.dialect.id_of('record')} FROM same UNION SELECT {self.dialect.id_of('root')} FROM same)"
            )
            file.executemany(
                "INSERT INTO record (n, id, type, channel, code) VALUES (?,?,?,?,?)", self.sql(merged).fetchall()
            )


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yield numbers in parts that fit one statement."""
    return (numbers[start : start + _AT_ONCE] for start in range(0, len(numbers), _AT_ONCE))

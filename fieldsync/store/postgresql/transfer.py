"""Copies of whole stores between PostgreSQL and SQLite: for backups and `server migrate`."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from fieldsync import errors
from fieldsync.schema import model
from fieldsync.store.contract import channel_contents
from fieldsync.store.postgresql import tables
from fieldsync.store.postgresql.dialect import AREA
from fieldsync.store.postgresql.transactions import PostgresReadTx, PostgresTx
from fieldsync.store.sql.interning import NumberCache
from fieldsync.store.sqlite import encryption, migrations
from fieldsync.store.sqlite.store import SqliteReadTx, SqliteTx

_NAME = re.compile(r"CREATE TABLE (\w+)")
_OTHERWISE = {
    "version",
    "meta",
    "search",
    "directory",
    "departure",
    "unit",
}  # settings are sealed in PostgreSQL; the others are derived
_DERIVED = (
    (
        "INSERT INTO directory SELECT id, n, channel, type, owner, code, "
        "CASE WHEN document(doc) ->> '_deleted' IS NULL THEN 0 ELSE 1 END FROM record"
    ),
    "INSERT INTO departure SELECT DISTINCT record, channel FROM channel_entry WHERE gone = 1",
)
_TABLES = tuple(found[1] for one in tables.TABLES if (found := _NAME.match(one)) and found[1] not in _OTHERWISE)
_REPORTS = ("sheets", "sheets_making")  # settings about tables that are made anew
_AT_ONCE = 2_000  # rows
_Sql = Callable[..., Any]


def export_store(source: PostgresReadTx, path: Path, key: bytes) -> None:
    """Write a store into a new file, under a key."""
    file = encryption.connect(path, key, create=True)
    try:
        migrations.bring_up_to_date(encryption.sqlite_utils_database(file))
        file.execute("BEGIN")
        for table in _TABLES:
            names, rows = _exported_rows(source.raw, table)
            if table == "commit_log":
                rows = _with_bodies(names, rows, source.bodies.read_body, source.bodies.read_note)
            marks = ",".join("?" * len(names))
            file.execute(f"DELETE FROM {table}")
            file.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)
        for table, last in _last_numbers(source.raw):
            file.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (last, table))
        target = SqliteTx(file, NumberCache())
        _copy_settings(source, target)
        target.make_views(model.view_columns(model.decode_schema(source.settings.compiled_schema)))
        file.execute("COMMIT")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        file.close()


def import_store(source: SqliteReadTx, target: PostgresTx) -> None:
    """Copy a store from a file into an empty database; StoreDamaged where the copy is not equal."""
    numbers = {n: target.channel_number(unit) for n, unit in source.sql("SELECT n, unit FROM channel").fetchall()}
    target.raw.execute("DELETE FROM channel")  # they come with their counters
    for table in _TABLES:
        names = _columns(target.raw, table)
        rows: Iterable[Any] = source.sql(f"SELECT {', '.join(names)} FROM {table}")
        if table == "commit_log":
            rows = _with_bodies(names, rows, target.bodies.store_body, target.bodies.store_note)
        _copy_rows(target.raw, table, names, _renumbered(table, names, rows, numbers))
    for statement in _DERIVED:
        target.raw.execute(statement)
    given = dict(source.sql("SELECT name, seq FROM sqlite_sequence").fetchall())
    for table, _ in _last_numbers(target.raw):
        (last,) = source.sql(f"SELECT coalesce(max(n), 0) FROM {table}").fetchone()
        last = max(last, given.get(table, 0))
        target.raw.execute("SELECT setval(pg_get_serial_sequence($1, 'n'), greatest($2, 1), $2 > 0)", (table, last))
    _copy_settings(source, target)
    target.make_views(model.view_columns(model.decode_schema(source.settings.compiled_schema)))
    for table in _TABLES:
        count = f"SELECT count(*) FROM {table}"
        if source.sql(count).fetchone()[0] != target.sql(count).fetchone()[0]:
            raise errors.StoreDamaged(part="store")
    if channel_contents(source.channels()) != channel_contents(target.channels()):
        raise errors.StoreDamaged(part="store")


def _renumbered(
    table: str, names: list[str], rows: Iterable[Any], numbers: Mapping[int, int]
) -> Iterable[Sequence[Any]]:
    """Yield rows with the channels' new numbers, which have their areas; `numbers`: old → new."""
    name = "n" if table == "channel" else "channel"
    if name not in names:
        yield from rows
        return
    at = names.index(name)
    for row in rows:
        number = numbers.get(row[at], row[at])
        area = (number & AREA,) if table in tables.BY_AREA else ()
        yield (*row[:at], number, *row[at + 1 :], *area)


def _copy_rows(raw: psycopg.Connection[Any], table: str, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    columns = [*names, "area"] if table in tables.BY_AREA else names
    with raw.cursor() as cursor, cursor.copy(sql.SQL(f"COPY {table} ({', '.join(columns)}) FROM STDIN")) as copy:
        for row in rows:
            copy.write_row(row)


def _copy_settings(source: SqliteReadTx | PostgresReadTx, target: SqliteTx | PostgresTx) -> None:
    for (name,) in source.sql("SELECT key FROM meta").fetchall():
        if name not in _REPORTS:
            target.store_setting(name, source.stored_setting(name))


def _exported_rows(raw: psycopg.Connection[Any], table: str) -> tuple[list[str], Iterable[Sequence[Any]]]:
    """Return a table's columns and rows, a part of which is in memory at a time."""
    names = _columns(raw, table)
    rows = raw.cursor(name="export")
    rows.itersize = _AT_ONCE
    rows.execute(sql.SQL(f"SELECT {', '.join(names)} FROM {table}"))

    def each() -> Iterator[Sequence[Any]]:
        with rows:
            yield from rows

    return names, each()


def _with_bodies(
    names: list[str], rows: Iterable[Sequence[Any]], body: Callable[..., object], note: Callable[..., object]
) -> Iterator[Sequence[Any]]:
    """Yield rows of a commit log with bodies and notes as these functions of `CommitBodies` give them: opened, or sealed."""
    for row in rows:
        named = dict(zip(names, row, strict=True))
        at = named["device"], named["seq"]
        named |= {"body": body(*at, named["body"]), "note": note(*at, named["note"])}
        yield tuple(named.values())


def _columns(raw: psycopg.Connection[Any], table: str) -> list[str]:
    """Return the columns that a file has, too."""
    found = [one.name for one in raw.execute(sql.SQL(f"SELECT * FROM {table} LIMIT 0")).description or ()]
    return [name for name in found if name != "area"]


def _last_numbers(raw: psycopg.Connection[Any]) -> Iterator[tuple[str, int]]:
    """Yield the tables that number their rows, and the last number given out."""
    query = (
        "SELECT pg_get_serial_sequence($1, 'n') FROM pg_attribute "
        "WHERE attrelid = $1::regclass AND attname = 'n' AND attidentity <> ''"
    )
    for table in _TABLES:
        found = raw.execute(query, (table,)).fetchone()
        if found is not None:
            last, given = raw.execute(sql.SQL(f"SELECT last_value, is_called FROM {found[0]}")).fetchone() or (0, False)
            yield table, last if given else 0

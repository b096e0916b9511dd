"""Connections to PostgreSQL: statements as the store writes them, and no exception of psycopg outside the store."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from re import Match
from re import compile as pattern
from typing import Any

import psycopg
from psycopg import adapt, postgres, sql
from psycopg.types.numeric import Int8Dumper

from fieldsync import errors

_PARAMETER = pattern(r"\?(\d*)")
_PLAIN_INSERT = pattern(r"INSERT INTO (\w+(?: \([\w, ]+\))?) VALUES \(\?(?:,\?)*\)")
_MANY = 8  # rows
CONNECT_SECONDS = 10


class _TruthDumper(adapt.Dumper):
    """A bool as a number, as SQLite has it."""

    oid = postgres.types["int8"].oid

    def dump(self, obj: bool) -> bytes:
        return b"1" if obj else b"0"


class PostgresConnection:
    """A connection that takes `?` and `?1` for parameters; from so many rows on, it copies them into a table."""

    def __init__(self, raw: psycopg.Connection[Any], copies_from: int = _MANY) -> None:
        self.raw = raw
        self._copies_from = copies_from

    def execute(self, statement: str, parameters: Sequence[object] = (), /) -> psycopg.Cursor[Any]:
        return self.raw.execute(_numbered(statement), parameters or None)

    def executemany(self, statement: str, parameters: Iterable[Sequence[object]], /) -> None:
        several = list(parameters)
        plain = _PLAIN_INSERT.fullmatch(statement)
        if plain is not None and len(several) >= self._copies_from:  # one statement in place of thousands
            with self.raw.cursor() as cursor, cursor.copy(sql.SQL(f"COPY {plain[1]} FROM STDIN")) as copy:
                for row in several:
                    copy.write_row(row)
        elif len(several) == 1:  # without a pipeline, which is to be set up and ended
            self.execute(statement, several[0])
        elif several:
            self.raw.cursor().executemany(_numbered(statement), several)


@lru_cache(2_048)
def _numbered(statement: str) -> sql.SQL:
    """Return a statement with `$1` in place of `?` and `?1`; as in SQLite, `?` is the one after the largest so far."""
    largest = 0

    def number(found: Match[str]) -> str:
        nonlocal largest
        this = int(found[1]) if found[1] else largest + 1
        largest = max(largest, this)
        return f"${this}"

    return sql.SQL(_PARAMETER.sub(number, statement))


def configure(raw: psycopg.Connection[Any]) -> None:
    """Have all numbers be of one type, so that a statement is prepared once."""
    raw.server_cursor_factory = psycopg.RawServerCursor
    raw.adapters.register_dumper(int, Int8Dumper)
    raw.adapters.register_dumper(bool, _TruthDumper)


def options() -> dict[str, Any]:
    """Return how a connection is made, beside its address."""
    return {
        "autocommit": True,
        "cursor_factory": psycopg.RawCursor,
        "application_name": "fieldsync",
        "connect_timeout": CONNECT_SECONDS,
    }


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn psycopg's exceptions into ours."""
    try:
        yield
    except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory) as fault:
        raise errors.DiskFull from fault
    except psycopg.errors.ReadOnlySqlTransaction as fault:
        raise errors.StoreReadOnly from fault
    except (psycopg.errors.LockNotAvailable, psycopg.errors.TransactionRollback) as fault:
        raise errors.StoreBusy from fault
    except (psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted) as fault:
        raise errors.StoreDamaged(part="store") from fault
    except psycopg.OperationalError as fault:
        raise errors.DatabaseUnreachable from fault


def check_address(address: str) -> None:
    """Usage where this is no address of a PostgreSQL database."""
    try:
        psycopg.conninfo.conninfo_to_dict(address)
    except psycopg.ProgrammingError as fault:
        raise errors.Usage(reason="database") from fault

"""Reading some columns of some records, wherever they are kept."""

from collections.abc import Iterable
from typing import Any

from fieldsync.store.sql.interning import SqlNumberReads
from fieldsync.store.sql.row_codec import dump_json


def hex_list(records: Iterable[bytes]) -> str:
    """Return a parameter for `each_id`."""
    return dump_json([record.hex() for record in records]).decode()


class SqlRecordAccess(SqlNumberReads):
    """A transaction's records, by id and by number: a store that keeps them in several areas looks them up first."""

    # one statement for all: SQLite goes through its index in order, and we through Python once

    def records_by_id(self, columns: str, records: Iterable[bytes]) -> Iterable[Any]:
        """Return columns of those among these records that are here."""
        query = f"SELECT {columns} FROM record WHERE id IN ({self.dialect.each_id()})"
        return self.sql(query, (hex_list(records),))

    def records_by_number(self, columns: str, numbers: Iterable[int]) -> Iterable[Any]:
        """Return columns of the records with these numbers."""
        query = f"SELECT {columns} FROM record WHERE n IN ({self.dialect.each_number()})"
        return self.sql(query, (dump_json(list(numbers)).decode(),))

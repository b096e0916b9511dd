"""PostgreSQL's expressions for store/sql/dialect.py."""

from collections.abc import Sequence
from typing import Any

import msgspec

AREA = (1 << 16) - 1
"""The bits of a channel's number that are its area (docs/decisions/0056-areas.md)."""


class PostgresDialect:
    """Documents are bytes, read by the function `document` of store/postgresql/tables.py."""

    directory = "directory"

    def in_channel(self, parameter: str, column: str = "channel") -> str:
        table, dot, _ = column.rpartition(".")
        return f"{column} = {parameter} AND {table}{dot}area = ({parameter} & {AREA})"

    def area_of_unit(self, parameter: str) -> str:
        return f"area = area_of({parameter})"

    def are_apart(self, channel: int, other: int) -> bool:
        return bool((channel ^ other) & AREA)

    def is_there(self, entry: str) -> str:
        return f"{entry}.deleted = 0"

    def new_document(self, parameter: str = "?") -> str:
        return parameter

    def document(self, column: str) -> str:
        return column

    def each_id(self, parameter: str = "?") -> str:
        return f"SELECT decode(value, 'hex') AS value FROM json_array_elements_text({parameter}::json)"

    def each_number(self, parameter: str = "?") -> str:
        return f"SELECT value::bigint AS value FROM json_array_elements_text({parameter}::json)"

    def each_text(self, parameter: str = "?") -> str:
        return f"SELECT value FROM json_array_elements_text({parameter}::json)"

    def id_of(self, column: str) -> str:
        return f"uuid_bytes({column})"

    def value(self, document: str, field: str) -> str:
        return f"document({document}) ->> '{field}'"

    def equal_value(self, value: object) -> Any:
        return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()

    def order(self, document: str, field: str, *, descending: bool) -> str:
        # SQLite's order: what has no value first, then numbers, then texts
        text, way = f"document({document}) ->> '{field}'", "DESC" if descending else "ASC"
        number = f"CASE WHEN json_typeof(document({document}) -> '{field}') = 'number' THEN ({text})::numeric END"
        return f'({text}) IS NOT NULL {way}, {number} {way}, ({text}) COLLATE "C" {way}'

    def values(self, document: str, fields: Sequence[str]) -> str:
        several = ", ".join(f"document({document}) -> '{field}'" for field in fields)
        return f"json_build_array({several})::text"

    def members(self, document: str, field: str) -> str:
        return f"SELECT value FROM list_items(document({document}) -> '{field}')"

    def items(self, column: str) -> str:
        return f"SELECT value FROM json_array_elements_text({column}::json)"

    def joined(self, column: str) -> str:
        return f"string_agg(DISTINCT {column}, ',')"


POSTGRESQL = PostgresDialect()

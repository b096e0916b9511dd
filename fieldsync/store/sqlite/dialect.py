"""SQLite's expressions for store/sql/dialect.py."""

from collections.abc import Sequence


class SqliteDialect:
    """Documents are JSON text."""

    directory = "record"

    def in_channel(self, parameter: str, column: str = "channel") -> str:
        return f"{column} = {parameter}"

    def area_of_unit(self, parameter: str) -> str:  # noqa: ARG002 - a file has no areas
        return "true"

    def are_apart(self, channel: int, other: int) -> bool:  # noqa: ARG002
        return False

    def is_there(self, entry: str) -> str:
        return f"{self.value(f'{entry}.doc', '_deleted')} IS NULL"

    def new_document(self, parameter: str = "?") -> str:
        return f"CAST({parameter} AS TEXT)"

    def document(self, column: str) -> str:
        # as bytes, as it is written too: as text it would be decoded for Python, and encoded again for JSON
        return f"CAST({column} AS BLOB)"

    def each_id(self, parameter: str = "?") -> str:
        return f"SELECT unhex(value) AS value FROM json_each({parameter})"

    def each_number(self, parameter: str = "?") -> str:
        return f"SELECT value FROM json_each({parameter})"

    each_text = each_number

    def id_of(self, column: str) -> str:
        return f"unhex({column}, '-')"

    def value(self, document: str, field: str) -> str:
        return f"json_extract({document}, '$.{field}')"

    def order(self, document: str, field: str, *, descending: bool) -> str:
        return f"{self.value(document, field)} {'DESC' if descending else 'ASC'}"

    def equal_value(self, value: object) -> object:
        return value

    def values(self, document: str, fields: Sequence[str]) -> str:
        several = ", ".join(f"'$.{field}'" for field in fields)
        return f"json_extract({document}, {several})"

    def members(self, document: str, field: str) -> str:
        return f"SELECT value FROM json_each({document}, '$.{field}')"

    def items(self, column: str) -> str:
        return f"SELECT value FROM json_each({column})"

    def joined(self, column: str) -> str:
        return f"group_concat(DISTINCT {column})"


SQLITE = SqliteDialect()

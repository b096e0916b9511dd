"""A view per record type in the schema `forms`, with the form's field names as columns: derived, rebuilt at any time."""

from collections.abc import Callable, Mapping
from typing import Any

SCHEMA = "forms"


def make_views(sql: Callable[..., Any], types: Mapping[str, Mapping[str, bool]]) -> None:
    """Make the views of these types (name → field names, both from the schema's alphabet; whether a field is a reference)."""
    sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    sql(f"CREATE SCHEMA {SCHEMA}")
    for type_, fields in types.items():
        columns = "".join(f', {_column(field, refers=refers)} AS "{field}"' for field, refers in fields.items())
        sql(
            f"CREATE VIEW {SCHEMA}.\"{type_}\" AS SELECT encode(r.id, 'hex')::uuid::text AS id, r.code, c.unit, "
            "r.conflicts IS NOT NULL AS in_conflict, document(r.doc) ->> '_deleted' AS deleted, "
            "(SELECT root FROM same WHERE same.record = encode(r.id, 'hex')::uuid::text AND root <> same.record) AS same_as"
            f"{columns} FROM record AS r JOIN channel AS c ON c.n = r.channel WHERE r.type = '{type_}'"
        )


def _column(field: str, *, refers: bool) -> str:
    value = f"document(r.doc) ->> '{field}'"
    return f"coalesce((SELECT root FROM same WHERE same.record = {value}), {value})" if refers else value

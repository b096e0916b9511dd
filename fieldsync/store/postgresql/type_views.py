"""A view per record type in the schema `forms`, with the form's field names as columns: derived, rebuilt at any time."""

from collections.abc import Callable, Mapping
from typing import Any

SCHEMA = "forms"
_ID = "encode(r.id, 'hex')::uuid::text"


def make_views(sql: Callable[..., Any], types: Mapping[str, Mapping[str, bool]]) -> None:
    """Make the views of these types (name → field names, both from the schema's alphabet; whether a field is a reference)."""
    sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    sql(f"CREATE SCHEMA {SCHEMA}")
    for type_, fields in types.items():
        columns, joins = "", ""
        for number, (field, refers) in enumerate(fields.items()):
            value = f"document(r.doc) ->> '{field}'"
            if refers:  # merged records by the one that stands
                joins += f" LEFT JOIN same AS same_{number} ON same_{number}.record = {value}"
                value = f"coalesce(same_{number}.root, {value})"
            columns += f', {value} AS "{field}"'
        sql(
            f'CREATE VIEW {SCHEMA}."{type_}" AS SELECT {_ID} AS id, r.code, c.unit, r.conflicts IS NOT NULL AS in_conflict, '
            f"document(r.doc) ->> '_deleted' AS deleted, nullif(own.root, own.record) AS same_as{columns} "
            "FROM record AS r JOIN channel AS c ON c.n = r.channel AND c.area = r.area "
            f"LEFT JOIN same AS own ON own.record = {_ID}{joins} WHERE r.type = '{type_}'"
        )

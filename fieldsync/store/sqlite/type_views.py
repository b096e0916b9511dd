"""A view per record type, with the form's field names as columns, and the full-text table: derived, rebuilt at any time."""

from collections.abc import Mapping

from fieldsync.core import names
from fieldsync.store.sqlite.encryption import Connection, sqlite_utils_database, translate_errors

_ID = "lower(substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-' || substr(h, 13, 4) || '-' || substr(h, 17, 4) || '-' || substr(h, 21))"

_SAME_AS = (
    f"(SELECT root FROM same WHERE same.record = {_ID} AND root <> same.record)"  # whom it was merged into, if it did
)


def _view_column(field: str, *, refers: bool) -> str:
    value = f"json_extract(doc, '$.{field}')"
    return f"coalesce((SELECT root FROM same WHERE same.record = {value}), {value})" if refers else value


def make_views(connection: Connection, types: Mapping[str, Mapping[str, bool]]) -> None:
    """Make the views of these types (name → field names, both from the schema's alphabet) and the search table.

    A field that is said to be a reference shows the record that stands for the one it names.
    """
    with translate_errors():
        db = sqlite_utils_database(connection)
        for old in db.view_names():
            db.execute(f"DROP VIEW [{old}]")
        for type_, fields in types.items():
            columns = "".join(
                f", {_view_column(field, refers=refers)} AS [{field}]" for field, refers in fields.items()
            )
            connection.execute(
                f"CREATE VIEW [{type_}] AS SELECT {_ID} AS id, code, unit, conflicts IS NOT NULL AS in_conflict, "
                f"json_extract(doc, '$._deleted') AS deleted, {_SAME_AS} AS same_as{columns} "
                "FROM (SELECT *, hex(record.id) AS h FROM record JOIN channel ON channel.n = record.channel) "
                f"WHERE type = '{type_}'",
            )
        if "search" not in db.table_names():
            connection.execute(
                "CREATE VIRTUAL TABLE search USING fts5 "
                f"""(words, content = '', contentless_delete = 1, detail = none, tokenize = "{names.TOKENIZER}")""",
            )

"""Summaries of an organisation's record types, one line each."""

from msgspec import Struct

from fieldsync.schema.model import Schema


class TypeSummary(Struct, frozen=True):
    """A record type.

    label: its label, by language.
    retired: whether no new records of it are made.
    fields: the number of its fields.
    belongs_to: the field that refers to the owner of its records.
    owners: the possible types of the owner.
    """

    type: str
    label: dict[str, str]
    version: int
    retired: bool
    fields: int
    belongs_to: str | None
    owners: list[str]


def summaries(schema: Schema) -> list[TypeSummary]:
    """Return all record types."""
    return [
        TypeSummary(
            kind.name, kind.label, kind.version, kind.retired, len(kind.fields), kind.belongs_to,
            owners=list(kind.fields[kind.belongs_to].to) if kind.belongs_to else [],
        )
        for kind in schema.types.values()
    ]  # fmt: skip

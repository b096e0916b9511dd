"""The result of an import, as data."""

import msgspec
from msgspec import UNSET, Struct, UnsetType

from fieldsync import errors
from fieldsync.exchange.tables.row_doubts import NamelessRows, NewUnit


class RejectedRow(Struct, frozen=True):
    """A row of a file that was refused.

    row: its number, as a spreadsheet counts.
    column: the column whose value is refused.
    because: the reason, in the selected language.
    """

    row: int
    column: str | None
    because: str | None


class ImportedFile(Struct, frozen=True, kw_only=True):
    """The result of an import, or of its dry run.

    rejected_file: the file beside it with the bad rows, if some were left out.
    first: the first rejected rows, with the reasons.
    added: how many records.
    changed: how many records.
    unchanged: how many records.
    rejected: how many rows.
    columns: the field that each column is mapped to.
    key: the field whose value identifies the record to change.
    encoding: the encoding of a text file, if it is not UTF-8.
    sheet: the workbook's sheet that was read.
    other_sheets: the sheets that were not read.
    identical: the numbers of rows that say the same and name no record, a list for each such group.
    nameless: the fields of a new record's name that rows leave empty.
    new_units: the units of new records that are not known here yet.
    """

    rejected_file: str | UnsetType = UNSET
    first: list[RejectedRow] | UnsetType = UNSET
    identical: list[list[int]] | UnsetType = UNSET
    nameless: list[NamelessRows] | UnsetType = UNSET
    new_units: list[NewUnit] | UnsetType = UNSET
    added: int
    changed: int
    unchanged: int
    rejected: int
    file: str
    dry_run: bool
    columns: dict[str, str]
    key: str | None
    encoding: str | None
    sheet: str | None
    other_sheets: list[str]


def first_rejected(refused: errors.BadRows) -> list[RejectedRow]:
    """Return the first rows that were refused."""
    return msgspec.convert(refused.facts.get("first") or [], list[RejectedRow])

"""Conversion of file cells to stored values."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fieldsync import errors
from fieldsync.core import safetext
from fieldsync.exchange.tables import number_formats
from fieldsync.exchange.tables.readers import Row
from fieldsync.exchange.tables.rejects import ImportOutcome
from fieldsync.replica.value_reader import ValueReader
from fieldsync.schema import damaged_text, validate
from fieldsync.schema.model import Field
from fieldsync.schema.set_members import SEPARATORS, split_members
from fieldsync.schema.text_cleaning import plain_digits
from fieldsync.schema.text_columns import ColumnReader

_PHONES = re.compile(r"[,،;؛\n/|\\]|\s+(?:-|و|and)\s*(?=[+\d])")  # and between phone numbers
# between choices: only where all parts are some
_BETWEEN = re.compile(r"\s*[/|+\\]\s*|\s+[-–]\s+|\s+و\s*(?=\S)|\s+(?:and|&)\s+", re.IGNORECASE)
LONGEST_SET = 100_000  # characters of a cell that names members
_NUMERAL = re.compile(r"[\d.,٬٫ %-]+")
_SPACES = re.compile(r"\s{2,}")
# the words of a row below a list that adds its numbers up, in any case and with a colon behind them
_TOTALS = frozenset(
    f"{word}{end}"
    for said in ("المجموع", "المجموع الكلي", "المجموع العام", "الإجمالي", "الاجمالي", "الإجمالي العام", "الاجمالي العام", "إجمالي",
                 "اجمالي", "مجموع", "total", "totals", "grand total", "subtotal", "sum")
    for word in (said, said.capitalize(), said.title(), said.upper())
    for end in ("", ":", " :")
)  # fmt: skip
_YES = {"1", "true", "yes", "y", "x", "✓", "✔", "نعم", "صح"}
_NO = {"0", "false", "no", "n", "-", "لا", "خطأ"}
_WORTH = 2  # a column whose values come back more seldom than that gains nothing from a memory
_HASHED = {str, type(None)}  # 1, 1.0 and true are one key to a dict, and three values here

Normal = Callable[[object], object]


class CellMemory(dict[Any, Any]):
    """A cache of a column's converted cells, as most columns have few different values.

    `typed` reads columns without text, `plain` whole columns of text that differs from cell to cell.
    """

    def __init__(self, normal: Normal, typed: Normal | None = None, plain: ColumnReader | None = None) -> None:
        super().__init__()
        self.normal = normal
        self._typed = typed
        self._plain = plain
        self._seen = 0
        self._worth = True

    def __missing__(self, cell: Any) -> Any:
        value = self[cell] = self.normal(cell)
        return value

    def values_of(self, cells: Sequence[Any]) -> list[Any]:
        """Return the stored values of a column's cells; raise for the first illegal one."""
        types = set(map(type, cells))
        if self._typed is not None and str not in types:
            return list(map(self._typed, cells))
        kept = self._worth and types <= _HASHED
        if self._plain is not None and types <= _HASHED and len({*cells}) * _WORTH > len(cells):
            found = self._plain(cells)
            if found is not None:
                return found
        values = list(map(self.__getitem__ if kept else self.normal, cells))
        if kept:
            self._seen += len(cells)
            self._worth = len(self) * _WORTH < self._seen
            if not self._worth:
                self.clear()
        return values


def unquote_cell(cell: str) -> str:
    """Remove the quote that an export puts before formula-like text."""
    return cell[1:] if cell[:1] == "'" and safetext.csv_cell(cell[1:]) == cell else cell


def set_members(spec: Field, text: str) -> list[str]:
    """A set's members in one cell: with commas or line breaks between them; codes also with spaces, as phones send them."""
    if len(text) > LONGEST_SET:
        return [text]  # which is none
    single = _SPACES.sub(
        _one_space, text
    )  # looking for what stands between two takes as long as a run of spaces squared
    parts = split_members(spec, single, _PHONES) if spec.type == "phone" else split_members(spec, text, SEPARATORS)
    if len(parts) == 1 and spec.choices and text not in spec.codes:
        words = text.split()
        if len(words) > 1 and set(words) <= set(spec.codes):
            return words
        others = _BETWEEN.split(single)
        if len(others) > 1 and not _is_member(spec, text) and all(_is_member(spec, one) for one in others):
            return others
    return parts


def _one_space(run: re.Match[str]) -> str:
    return "\n" if "\n" in run[0] else " "


def _is_member(spec: Field, text: str) -> bool:
    try:
        return validate.check_new_member(spec, text) is not None
    except errors.BadInput:
        return False


def read_tick(spec: Field, member: str) -> Normal:
    """Return a function that tells whether a cell in a member's column is ticked; None for an empty cell."""
    choice = next((one for one in spec.choices if one.code == member), None)
    yes = _YES | {member.casefold()} | ({word.casefold() for word in choice.label.values()} if choice else set())

    def tick(cell: object) -> object:
        if cell is None or isinstance(cell, bool):
            return cell
        word = plain_digits(str(cell)).strip().casefold()
        if word == "":
            return None
        if word in yes or word in _NO:
            return word in yes
        if _names_nothing(str(cell).strip()):
            return None
        raise errors.IllegalValue(field=f"{spec.name}/{member}", reason="not_bool")

    return tick


def read_members(spec: Field, value: object, reader: ValueReader) -> list[str] | None:
    """Return a set's members, sorted; None for none."""
    parts = set_members(spec, value) if isinstance(value, str) else value if isinstance(value, list) else [value]
    given = [part.strip() if isinstance(part, str) and part not in spec.codes else part for part in parts]
    if spec.type == "phone":
        given = list(map(number_formats.usual_phone, given))
    wanted = [reader.read_value(spec, part) for part in given if part not in (None, "")]
    return sorted({str(validate.check_new_member(spec, part)) for part in wanted}) or None


def even_rows(
    rows: list[Row], first: int, width: int, outcome: ImportOutcome, *, pad: bool
) -> tuple[list[Row], Sequence[int]]:
    """Return the rows with as many cells as there are columns, and their numbers; the others are faults.

    Empty cells beyond the last column are none; a workbook's row ends with its last cell.
    """
    numbers: Sequence[int] = range(first, first + len(rows))
    if all(len(row) == width for row in rows):
        return rows, numbers
    rows = [as_wide(row, width, pad=pad) for row in rows]
    for number, row in zip(numbers, rows, strict=True):
        if len(row) != width:
            outcome.add_fault(number, row, "", {"reason": "columns", "found": len(row), "expected": width})
    kept = [(number, row) for number, row in zip(numbers, rows, strict=True) if len(row) == width]
    return [row for _, row in kept], [number for number, _ in kept]


def without_headers(
    rows: list[Row], numbers: Sequence[int], headers: Mapping[int, str]
) -> tuple[list[Row], Sequence[int]]:
    """Leave out rows that are the header again: of each printed page, or of merged cells that reach down from it."""
    at, head = next(iter(headers.items()))
    if not any(isinstance(row[at], str) and row[at].strip() == head for row in rows):
        return rows, numbers
    kept = [
        i
        for i, row in enumerate(rows)
        if not all(row[at] in (None, "") or str(row[at]).strip() == head for at, head in headers.items())
        or all(row[at] in (None, "") for at in headers)
    ]
    return [rows[i] for i in kept], [numbers[i] for i in kept]


def _is_total(row: Sequence[Any]) -> bool:
    words = [cell.strip() for cell in row if isinstance(cell, str) and cell.strip()]
    words = [word for word in words if not _NUMERAL.fullmatch(plain_digits(word))]
    return bool(words) and _TOTALS.issuperset(words)


def total_rows(columns: Sequence[Sequence[Any]]) -> list[int]:
    """Return which rows have a word for a total and otherwise only numbers."""
    if all(_TOTALS.isdisjoint(filter(_is_text, column)) for column in columns):
        return []
    return [i for i, row in enumerate(zip(*columns, strict=True)) if _is_total(row)]


def _is_text(cell: object) -> bool:
    return type(cell) is str


def blank_nothing(cells: Sequence[Any]) -> Sequence[Any]:
    """Return the cells of an id, code or unit with none for words that mean nothing."""
    return [None if isinstance(one, str) and _names_nothing(one.strip()) else one for one in cells]


def _names_nothing(text: str) -> bool:
    return damaged_text.means_nothing(text) or text in damaged_text.NO_ANSWER


def has_value(values: Sequence[Sequence[Any]], i: int) -> bool:
    """Return whether a row has a value in any of these columns."""
    return any(column[i] not in (None, "", []) for column in values)


def union_members(one: list[str] | None, other: list[str] | None) -> list[str] | None:
    """Return the union of two columns for one set."""
    return sorted({*(one or ()), *(other or ())}) or None


def _is_blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def as_wide(row: Sequence[Any], width: int, *, pad: bool) -> Sequence[Any]:
    """Return a row without empty cells beyond the last column; with `pad`, with empty ones up to it."""
    if len(row) > width and all(map(_is_blank, row[width:])):
        return row[:width]
    return [*row, *[None] * (width - len(row))] if pad and len(row) < width else row

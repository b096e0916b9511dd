"""The workbook of an XLSForm, read by pyxform; rows that its own check refuses are left out and reported.

pyxform is an optional dependency; it may raise any exception on a foreign file, and none of them escapes.
"""

import copy
import io
import re
import warnings
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from fieldsync import errors
from fieldsync.exchange.tables.workbook import check_zip
from fieldsync.exchange.xlsform import ods_reader
from fieldsync.exchange.xlsform.model import ConversionNote, Table

MAX_SURVEY, MAX_CHOICES = 5_000, 50_000  # rows
MAX_FILE = 32 * 1024 * 1024  # bytes
MAX_OLD = 4 * 1024 * 1024  # bytes of a file that is read as a whole: .xls, .csv
_ZIPPED = (".xlsx", ".xlsm")
_OPEN = ".ods"
_KINDS = (*_ZIPPED, _OPEN, ".xls", ".csv")
_RESERVED = "meta"
_ROW = re.compile(r"\[row\s*:\s*(\d+)\]\s*")
_SHEET = re.compile(r"[Oo]n the '(\w+)' sheet")
_CELL = re.compile(r"[Oo]n the 'survey' sheet, the '([\w: ]+)' value")
_SPACED = re.compile(r"^Choice names with spaces .*\[(.+)\] in \[(.+)\]$")
_FRAME = ("begin", "end")  # the first word of rows without which others would be in the wrong place
_MOST_FAULTS = 50


class Workbook(NamedTuple):
    """A form as read by pyxform, the rows of its sheets, and the dropped or renamed parts."""

    survey: Table
    rows: Any
    notes: list[ConversionNote]


class _OpenCell(NamedTuple):
    """A cell of an .ods file, as pyxform's own reader of rows wants one."""

    value: ods_reader.Cell


def read(path: Path) -> Workbook:
    """Return a form's workbook. BadFile, Usage."""
    try:
        import xlrd  # type: ignore[import-untyped]
        from pyxform import xls2json_backends
    except ImportError as fault:
        raise errors.Usage(reason="no_pyxform") from fault
    _check_file(path)
    # it writes what it thinks of a file to standard output
    xls2json_backends.xlrd_open = partial(xlrd.open_workbook, logfile=io.StringIO())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = xls2json_backends.get_xlsform(_read_open(path) if path.suffix.lower() == _OPEN else str(path))
            _check_size(path, rows)
            _allow_doubles(rows)
            notes = [*_without_reserved(rows), *_without_nameless(rows)]
            survey = _read_leniently(path, rows, notes)
    except errors.FieldsyncError:
        raise
    except Exception as fault:
        raise errors.BadFile(file=path.name, reason="form_refused", why=_reason(fault)) from fault
    if survey.get("public_key"):
        raise errors.BadFile(file=path.name, reason="form_encrypted")
    return Workbook(survey, rows, notes)


def is_expression(default: str, type: str) -> bool:
    """Return whether a question's default is an expression, and not words."""
    from pyxform.utils import default_is_dynamic

    return bool(default_is_dynamic(default, type))


def _read_open(path: Path) -> Table:
    """Return the sheets of an .ods file as pyxform has those of an .xlsx file."""
    from pyxform import constants, xls2json_backends

    sheets = ods_reader.read_sheets(path)
    book: Table = {"sheet_names": list(sheets), "fallback_form_name": path.stem}
    for name, rows in sheets.items():
        known = name.lower() if name.lower() in constants.SUPPORTED_SHEET_NAMES else ""
        if not known and len(sheets) > 1:
            continue
        heads = xls2json_backends.get_excel_column_headers(
            None if cell is None else str(cell) for cell in (rows[0] if rows else ())
        )
        book[known or constants.SURVEY] = xls2json_backends.get_excel_rows(
            headers=heads, rows=(tuple(map(_OpenCell, row)) for row in rows[1:]), cell_func=_cell_text
        )
        book[f"{known or constants.SURVEY}_header"] = [dict.fromkeys(head for head in heads if head is not None)]
    return book


def _cell_text(cell: _OpenCell, _row: int, _column: str) -> str | None:
    from pyxform import xls2json_backends

    value = cell.value.strip() if isinstance(cell.value, str) else cell.value
    return None if value in (None, "") else str(xls2json_backends.xlsx_value_to_str(value))


def _reason(fault: Exception) -> str:
    """Return pyxform's message; for unexpected exceptions only the kind."""
    from pyxform import errors as theirs

    known = isinstance(fault, theirs.PyXFormError | theirs.PyXFormReadError)
    return " ".join(_ROW.sub("", str(fault)).split())[:300].rstrip(".") if known else fault.__class__.__name__


def _read_leniently(path: Path, rows: Any, notes: list[ConversionNote]) -> Table:
    """Return the form without the cells and questions that pyxform refuses; each is noted."""
    from pyxform import errors as theirs
    from pyxform import xls2json

    for _ in range(_MOST_FAULTS):
        try:
            found: Table = xls2json.workbook_to_json(copy.deepcopy(rows), fallback_form_name=path.stem, warnings=[])
        except theirs.PyXFormError as fault:
            at, why = _ROW.search(str(fault)), _reason(fault)
            if at is None:
                spaced = _without_spaced(rows, why)
                if not spaced:
                    raise
                notes += spaced
                continue
            row = int(at[1])
            found_in = _SHEET.search(why)
            sheet = found_in[1] if found_in else "survey"
            left = _left_out(rows, sheet, row, why)
            if left is None:
                raise errors.BadFile(file=path.name, reason="form_row", row=row, sheet=sheet, why=why) from fault
            notes.append(left)
        else:
            return found
    raise errors.BadFile(file=path.name, reason="form_faulty")


def _left_out(rows: Any, sheet: str, number: int, why: str) -> ConversionNote | None:
    """Take out of a survey the cell that is refused, or else the question; None where neither can go. Entities go as a whole."""
    if sheet == "entities":
        rows.entities, rows.entities_header = [], []
        return ConversionNote(sheet, number, "", "entity", f"faulty {why}")
    if sheet == "choices" and 0 <= number - 2 < len(rows.choices or ()):
        row = rows.choices[number - 2]
        name = str(row.get("name") or "")
        row.clear()
        return ConversionNote("choices", number, name, "choice", f"faulty {why}")
    if sheet != "survey":
        return None
    survey = rows.survey or ()
    row = survey[number - 2] if 0 <= number - 2 < len(survey) else {}
    name, cell = str(row.get("name") or ""), _CELL.search(why)
    if cell is not None and cell[1].lower() in ("type", "name"):
        return None  # a slip that costs a whole question: whoever made the form mends it
    column = next((key for key in row if cell is not None and str(key).strip().lower() == cell[1].lower()), None)
    if column is not None:
        del row[column]
        return ConversionNote("survey", number, name, column, f"faulty {why}")
    if not row or str(row.get("type") or "").split(" ")[0].split("_")[0] in _FRAME:
        return None
    row.clear()
    return ConversionNote("survey", number, name, "question", f"faulty {why}")


def _check_file(path: Path) -> None:
    kind = path.suffix.lower()
    if kind not in _KINDS:
        raise errors.BadFile(file=path.name, reason="form_kind")
    if kind in _ZIPPED:
        check_zip(path)
    try:
        large = path.stat().st_size > (MAX_FILE if kind in _ZIPPED else MAX_OLD)
    except OSError as fault:
        raise errors.BadFile(file=path.name, reason="unreadable") from fault
    if large:
        raise errors.BadFile(file=path.name, reason="workbook_large")


def _allow_doubles(book: Any) -> None:
    """Allow duplicate choice names in a list, as real forms have them; the result is listed."""
    name = "allow_choice_duplicates"
    rows, heads = (
        {key: value for key, value in next(iter(found or ()), {}).items() if str(key).strip().lower() != name}
        for found in (book.settings, book.settings_header)
    )
    book.settings, book.settings_header = [rows | {name: "yes"}], [heads | {name: None}]


def _without_reserved(book: Any) -> list[ConversionNote]:
    """Rename questions and groups with names reserved by pyxform, and what refers to them; each is listed."""
    rows = book.survey or ()
    taken = {str(row.get("name") or "") for row in rows}
    notes = []
    for number, row in enumerate(rows, 2):
        if str(row.get("name") or "").strip() != _RESERVED or not row.get("type"):
            continue
        kind = str(row["type"]).replace("_", " ").split()
        end = kind[1] if kind[:1] == ["begin"] and len(kind) > 1 else "question"
        name = next(made for n in range(len(taken) + 2) if (made := f"{_RESERVED}_{end}{n or ''}") not in taken)
        taken.add(name)
        row["name"] = name
        for other in rows:
            for column, cell in other.items():
                if isinstance(cell, str) and f"${{{_RESERVED}}}" in cell:
                    other[column] = cell.replace(f"${{{_RESERVED}}}", f"${{{name}}}")
        notes.append(ConversionNote("survey", number, _RESERVED, "name", f"reserved {name}"))
    return notes


def _without_nameless(book: Any) -> list[ConversionNote]:
    """Empty the rows of choices without a name, and of questions whose list has no other; each is listed."""
    notes, lists = [], dict[str, int]()
    for number, row in enumerate(book.choices or (), 2):
        listed = str(row.get("list_name") or row.get("list name") or "").strip()
        named = str(row.get("name") or row.get("value") or "").strip()
        if listed:
            lists[listed] = lists.get(listed, 0) + bool(named)
        if listed and not named:
            row.clear()
            notes.append(ConversionNote("choices", number, listed, "choice", "no_name"))
    for number, row in enumerate(book.survey or (), 2):
        words = str(row.get("type") or "").split()
        empty = next((one for one in words[1:] if lists.get(one) == 0), None)
        if empty is not None and words[0].startswith(("select", "rank")):
            notes.append(
                ConversionNote("survey", number, str(row.get("name") or ""), "question", f"empty_list {empty}")
            )
            row.clear()
    return notes


def _without_spaced(book: Any, why: str) -> list[ConversionNote]:
    """Empty the rows of a choice whose name has spaces, where several choices may be chosen; each is listed."""
    found = _SPACED.match(why)
    notes = []
    for number, row in enumerate(book.choices or (), 2) if found else ():
        place = (str(row.get("name") or ""), str(row.get("list_name") or row.get("list name") or ""))
        if found is not None and place == found.groups():
            row.clear()
            notes.append(ConversionNote("choices", number, place[0], "choice", "spaces"))
    return notes


def _check_size(path: Path, book: Any) -> None:
    sizes = {"survey": (book.survey, MAX_SURVEY), "choices": (book.choices, MAX_CHOICES)}
    for sheet, (rows, most) in sizes.items():
        if len(rows or ()) > most:
            raise errors.BadFile(file=path.name, reason="form_large", sheet=sheet, most=most)
    if not book.survey:
        raise errors.BadFile(file=path.name, reason="form_empty")

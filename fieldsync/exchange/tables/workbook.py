"""Excel workbooks (.xlsx), the only module that knows openpyxl: reads one sheet's rows in batches and writes sheets row by row.

Workbooks come from anybody: their unpacked size is limited beforehand, and none of the library's exceptions escapes.
"""

import datetime as dt
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from fieldsync import errors
from fieldsync.exchange.tables.plain_values import UNCOMPUTED
from fieldsync.schema.damaged_text import FAULTS

BATCH = 2_000
MAX_ROWS = 1_048_576  # of a sheet, as Excel has it
MAX_COLUMNS = 2_000
MAX_HEADER = 500  # characters, as in other tables
MAX_PARTS = 5_000
MAX_UNPACKED = 1024 * 1024 * 1024  # bytes: a sheet is read as a stream
MAX_TEXTS = 96 * 1024 * 1024  # bytes: what openpyxl keeps in memory
MAX_FAR = 100  # cells beyond the columns that are read: such a row costs as much as eight of the widest
MAX_RATIO = 200  # that small a file never unpacks to so much
_SMALL = 16 * 1024 * 1024
_OLD = b"\xd0\xcf\x11\xe0"  # .xls, or a workbook behind a password
_PLAIN = {str, int, type(None), bool}
_PIECE = 1024 * 1024
_MERGED = re.compile(rb"""mergeCell\s[^>]{0,100}?ref=["']([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})["']""")
# a cell beyond the columns that are read: AAAA1, or beyond BXX (2,000)
_FAR = re.compile(rb"""<(?:\w+:)?c\s[^>]{0,200}?\br=["'](?:[A-Z]{4,}|[C-Z][A-Z]{2}|B[YZ][A-Z])\d""")
_MAX_TEXT = 1024 * 1024  # bytes between two tags: 32,767 characters, each written in the longest way, and much more
_WHOLE_TAG = 200  # bytes at most
MAX_MERGED = 100_000
_SHEET = "xl/worksheets/sheet1.xml"
MAX_CELL = 32_767  # UTF-16 units in a cell, as Excel has it
_EXACT = 10**15  # Excel keeps no more digits
_FIRST_DAY = dt.date(1900, 3, 1)  # Excel has no days before 1900, and a wrong one in its February
_NOT_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NO_TITLE = re.compile(r"[\\*?:/\[\]\x00-\x1f]")  # what a sheet's name cannot hold
_CELL = re.compile(  # a formula that no program has computed: no value, or an empty one that is not said to be text
    rb"""<c r="([A-Z]{1,3})(\d{1,7})"(?![^>]*\bt="str")[^>]*>\s*<f\b[^>]*(?:/>|>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>"""
)
_LONGEST_CELL = 64 * 1024  # bytes
MAX_UNCOMPUTED = 100_000

Row = Sequence[Any]


def check_zip(path: Path) -> None:
    """Refuse an invalid workbook, or one that would unpack to an excessive size; BadFile."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
        if head == _OLD:
            raise errors.BadFile(file=path.name, reason="old_workbook")
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            large = _is_bomb(parts) or any(_is_too_large(archive, part) for part in parts)
    except OSError as fault:
        raise errors.BadFile(file=path.name, reason="unreadable") from fault
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, RuntimeError, EOFError) as fault:
        raise errors.BadFile(file=path.name, reason="workbook") from fault
    if large:
        raise errors.BadFile(file=path.name, reason="workbook_large")


def _is_bomb(parts: Sequence[zipfile.ZipInfo]) -> bool:
    whole = sum(part.file_size for part in parts)
    texts = sum(part.file_size for part in parts if "worksheets/" not in part.filename)
    packed = sum(part.compress_size for part in parts)
    bomb = whole > _SMALL and whole > MAX_RATIO * max(packed, 1)
    return bomb or whole > MAX_UNPACKED or texts > MAX_TEXTS or len(parts) > MAX_PARTS


def _is_too_large(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Return whether a library would make of a part a cell of megabytes, rows of all columns, or entities that grow."""
    if not part.filename.lower().endswith((".xml", ".rels")):
        return False
    left, far = b"", 0
    with archive.open(part) as file:
        while piece := file.read(_PIECE):
            whole = left + piece
            if b"<!DOCTYPE" in whole or b"<!ENTITY" in whole or any(len(one) > _MAX_TEXT for one in whole.split(b"<")):
                return True
            far += len(_FAR.findall(whole)) if "worksheets/" in part.filename else 0
            if far > MAX_FAR:
                return True
            left = whole[max(whole.rfind(b"<"), 0) :]
    return False


class WorkbookSheet:
    """A sheet of a workbook as rows: dates as text, integral numbers as integers, formulas by their last value."""

    quoted = False
    headed = True
    faulty: frozenset[str] | None = FAULTS | {UNCOMPUTED}
    encoding: str | None = None

    def __init__(self, path: Path, sheet: str | None = None) -> None:
        self.sheet: str | None = None
        self.names: list[str] = []
        self.tags: dict[str, str] = {}
        self.others: list[str] = []
        self._name = path.name
        self._at = 0
        check_zip(path)
        self._book = self._open_book(path)
        self._sheet, self._total = self._choose_sheet(sheet)
        self._rows = self._sheet_rows()
        for number, row in self._rows:
            self.names = ["" if cell is None else str(cell)[:MAX_HEADER].strip() for cell in row]
            self._at = number
            break
        if not any(self.names):
            if self.others:
                raise self._bad_file("sheet_empty", sheet=self.sheet, sheets=self.others)
            raise self._bad_file("empty")
        if len(self.names) > MAX_COLUMNS:
            raise self._bad_file("workbook_large")

    def _open_book(self, path: Path) -> Any:
        import openpyxl

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        except OSError as fault:
            raise self._bad_file("unreadable") from fault
        except Exception as fault:  # a foreign file makes it raise anything
            raise self._bad_file("workbook") from fault

    def _choose_sheet(self, wanted: str | None) -> tuple[Any, int | None]:
        """Return the named sheet, else the first visible one, and its declared number of rows."""
        try:
            sheets = {sheet.title: sheet for sheet in self._book.worksheets}
            if wanted is not None and wanted not in sheets:
                raise self._bad_file("no_sheet", sheet=wanted, sheets=list(sheets))  # noqa: TRY301 - let through below
            shown = [sheet for sheet in sheets.values() if sheet.sheet_state == "visible"]
            sheet = sheets[wanted] if wanted is not None else next(iter([*shown, *sheets.values()]))
            self.sheet, self.others = sheet.title, [one.title for one in shown if one is not sheet]
            total = sheet.max_row
            sheet.reset_dimensions()  # what a sheet says of its size is often not so
        except errors.BadFile:
            raise
        except Exception as fault:  # as above
            raise self._bad_file("workbook") from fault
        return sheet, total if isinstance(total, int) and total <= MAX_ROWS else None

    def _sheet_rows(self) -> Iterator[tuple[int, Row]]:
        """Yield the rows that are not empty, with their numbers."""
        number = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                merged = _MergedCells(self._book, self._sheet)
                self._total = self._total or merged.rows
                for row in self._sheet.iter_rows(values_only=True):
                    number += 1
                    if number > MAX_ROWS:
                        raise self._bad_file("workbook_large")  # noqa: TRY301 - let through below
                    self._at = number
                    row = merged.mark_uncomputed(number, row)  # noqa: PLW2901 - the row as it is seen
                    if any(cell is not None for cell in row):
                        if merged.there:
                            row = merged.fill_merged(number, row)  # noqa: PLW2901 - the row as it is seen
                        yield number, [cell if type(cell) in _PLAIN else _plain_cell(cell) for cell in row]
        except errors.BadFile:
            raise
        except Exception as fault:  # as above
            raise self._bad_file("workbook", line=number + 1) from fault

    def batches(self) -> Iterator[tuple[int, list[Row]]]:
        """Yield the rows in batches with consecutive numbers."""
        first = last = 0
        rows: list[Row] = []
        for number, row in self._rows:
            if rows and (number != last + 1 or len(rows) >= BATCH):
                yield first, rows
                rows = []
            if not rows:
                first = number
            last = number
            rows.append(row)
        if rows:
            yield first, rows

    def place(self) -> tuple[int, int | None]:
        """Return how many rows were read, and of how many."""
        return self._at, self._total

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._rows.close()  # type: ignore[attr-defined]  # a generator
        self._book.close()

    def _bad_file(self, reason: str, **facts: object) -> errors.BadFile:
        return errors.BadFile(file=self._name, reason=reason, **facts)


class _MergedCells:
    """Data missing from streamed rows: merged cells, and formulas without a value."""

    def __init__(self, book: Any, sheet: Any) -> None:
        self._from: dict[int, list[tuple[int, int]]] = {}  # first row → (column, last row)
        self._open: dict[int, tuple[int, object]] = {}  # column → (last row, value)
        self._uncomputed: dict[int, list[int]] = {}  # row → columns
        self.rows = count = uncomputed = 0
        # a sheet that is read as a stream does not tell them
        with book._archive.open(sheet._worksheet_path) as part:  # noqa: SLF001 - no other way to its bytes
            left = cells = b""
            while piece := part.read(_PIECE):
                self.rows += piece.count(b"<row ")
                for found in _MERGED.finditer(left + piece):
                    first, last = int(found[2]), int(found[3])
                    count += 1
                    if last > first and count < MAX_MERGED:
                        self._from.setdefault(first, []).append((_column_number(found[1]), last))
                left = (left + piece)[-_WHOLE_TAG:]
                cells += piece
                for found in _CELL.finditer(cells) if b"<f" in cells else ():
                    uncomputed += 1
                    if uncomputed < MAX_UNCOMPUTED:
                        self._uncomputed.setdefault(int(found[2]), []).append(_column_number(found[1]))
                whole = cells.rfind(b"</c>") + 4
                cells = cells[whole:][-_LONGEST_CELL:] if whole > 3 else cells[-_LONGEST_CELL:]
        self.there = bool(self._from)

    def mark_uncomputed(self, number: int, row: Row) -> Row:
        """Return a row with a mark in cells whose formula was never computed: they are not empty."""
        columns = self._uncomputed.get(number)
        if columns is None:
            return row
        cells = [*row, *[None] * (max(columns) + 1 - len(row))]
        for column in columns:
            cells[column] = UNCOMPUTED if cells[column] is None else cells[column]
        return cells

    def fill_merged(self, number: int, row: Row) -> Row:
        """Return a row with the values of merged cells from above; rows come in order."""
        cells = list(row)
        for column, (last, value) in list(self._open.items()):
            if number > last:
                del self._open[column]
            elif column >= len(cells):
                cells += [*[None] * (column - len(cells)), value]
            elif cells[column] is None:
                cells[column] = value
        for column, last in self._from.get(number, ()):
            if column < len(cells) and cells[column] is not None:
                self._open[column] = (last, cells[column])
        return cells


def _column_number(letters: bytes) -> int:
    """A column's place, from its letters."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


def _plain_cell(cell: object) -> object:
    """A cell as other files would have it."""
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
    if isinstance(cell, dt.datetime):
        return cell.isoformat()[:10] if cell.time() == dt.time() else cell.isoformat(" ", "seconds")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return cell if isinstance(cell, str | int | bool) or cell is None else str(cell)


def write_workbook(
    file: IO[bytes], title: str, heads: Sequence[Row], rows: Iterable[Row], *, rtl: bool = False
) -> None:
    """Write a workbook of one sheet: `heads` stay in sight and can be filtered by. Text is text, whatever it begins with.

    Whatever a record holds has a place in a cell: see `_workbook_cell`.
    """
    from openpyxl import Workbook as New
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
    from openpyxl.styles import Font
    from openpyxl.worksheet._writer import WorksheetWriter
    from openpyxl.writer.excel import ExcelWriter

    class Direct(ExcelWriter):  # type: ignore[misc]  # untyped
        """Left to itself it keeps each sheet in a plain file in the system's temporary folder; ours is in the archive already."""

        def write_worksheet(self, sheet: Any) -> None:
            sheet._drawing = SpreadsheetDrawing()  # noqa: SLF001 - as it does itself
            sheet._rels = sheet._writer._rels  # noqa: SLF001
            self.manifest.append(sheet)

    book = New(write_only=True)
    sheet = book.create_sheet(_NO_TITLE.sub(" ", title).strip(" '")[:31] or None)
    sheet.sheet_view.rightToLeft = rtl
    sheet.freeze_panes = f"A{len(heads) + 1}"

    def cell(value: object, font: Font | None = None) -> object:
        value = _workbook_cell(value)
        if isinstance(value, dt.date):
            made = WriteOnlyCell(sheet, value)
            made.number_format = "yyyy-mm-dd hh:mm" if isinstance(value, dt.datetime) else "yyyy-mm-dd"
            return made
        if not isinstance(value, str):
            return value
        if font is None and not value.startswith(("=", "+", "-", "@", "\t", "\r")):
            return value
        made = WriteOnlyCell(sheet, value)
        made.data_type = "s"
        made.quotePrefix = font is None  # so it stays when somebody edits the cell
        if font is not None:
            made.font = font
        return made

    fonts = [Font(bold=True), *[Font(color="808080", size=9)] * (len(heads) - 1)]
    for at, name in enumerate(heads[0] if heads else ()):
        column = sheet.column_dimensions[_column_letters(at + 1)]
        column.width = min(max(len(str(name)) + 2, 12), 40)
    archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
    try:
        with archive.open(_SHEET, "w", force_zip64=True) as entry, _ArchivePart(entry) as part:
            sheet._writer = WorksheetWriter(sheet, part)  # noqa: SLF001 - no other way to say where to
            sheet._writer.write_top()  # noqa: SLF001
            for head, font in zip(heads, fonts, strict=True):
                sheet.append([cell(str(name), font) for name in head])
            last = len(heads)
            for last, row in enumerate(rows, len(heads) + 1):  # noqa: B007 - how many there were
                sheet.append([cell(value) for value in row])
            if heads and heads[0]:
                corner = f"{_column_letters(len(heads[0]))}{last}"
                sheet.auto_filter.ref = f"A{len(heads)}:{corner}"
            sheet.close()
        Direct(book, archive).save()
    except BaseException:
        archive.fp = None  # or it would be ended when it is forgotten, in a file that is closed by then
        raise


class _ArchivePart:
    """A part of an archive to write to; openpyxl's generators write once more when they are forgotten, which then goes nowhere."""

    def __init__(self, entry: IO[bytes]) -> None:
        self._entry: IO[bytes] | None = entry

    def write(self, data: bytes) -> int:
        return len(data) if self._entry is None else self._entry.write(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._entry = None


def _workbook_cell(value: object) -> object:
    """A value as a workbook can hold it: more digits than Excel keeps are text, and what no XML may contain is left out."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if -_EXACT < value < _EXACT else str(value)  # and what is no number at all
    if isinstance(value, dt.date):
        day = value.date() if isinstance(value, dt.datetime) else value
        return value if day >= _FIRST_DAY else value.isoformat()
    text = _NOT_XML.sub("", str(value))
    if len(text) > MAX_CELL // 2:  # Excel counts as UTF-16 does
        text = text.encode("utf-16-le")[: 2 * MAX_CELL].decode("utf-16-le", "ignore")
    return text


def _column_letters(number: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(number))

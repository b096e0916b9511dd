"""OpenDocument workbooks (.ods), the only module that knows python-calamine: the rows of each sheet.

A cell, row or space may carry a repeat count, so that a few bytes expand to a sheet of billions of cells. The expanded size
is counted before the library, which would expand it, sees the file.
"""

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any
from xml.parsers import expat

from fieldsync import errors
from fieldsync.exchange.tables.workbook import check_zip

MAX_CONTENT = 32 * 1024 * 1024  # bytes of its XML; a form of 5,000 questions has 8 MB
MAX_ELEMENTS = 1_000_000
MAX_CELLS = 2_000_000  # of a sheet, from its first to the last that has something
MAX_SPACES = 32_767  # that one element stands for, as in a cell of Excel
_CONTENT = "content.xml"
_PIECE = 256 * 1024
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0 "
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0 "
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0 "
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")

Cell = str | int | float | bool | dt.date | dt.time | dt.timedelta | None


def read_sheets(path: Path) -> dict[str, list[tuple[Cell, ...]]]:
    """Return the rows of each sheet, from its first cell on. BadFile, Usage."""
    try:
        import python_calamine
    except ImportError as fault:
        raise errors.Usage(reason="no_pyxform") from fault
    check_zip(path)
    _check_content(path)
    try:
        book = python_calamine.load_workbook(str(path))
        return {
            name: [tuple(None if cell == "" else cell for cell in row) for row in rows]
            for name in book.sheet_names
            for rows in [book.get_sheet_by_name(name).to_python(skip_empty_area=False)]
        }
    except Exception as fault:  # the library raises anything for a malformed file
        raise errors.BadFile(file=path.name, reason="workbook") from fault


def _check_content(path: Path) -> None:
    """Refuse a workbook whose cells would be too many, or too long."""
    counter = _CellCounter()
    try:
        with zipfile.ZipFile(path) as archive, archive.open(_CONTENT) as part:
            counter.start_document(archive.getinfo(_CONTENT).file_size)
            parser = expat.ParserCreate(namespace_separator=" ")
            parser.StartElementHandler = counter.start_element
            parser.EndElementHandler = counter.end_element
            while piece := part.read(_PIECE):
                parser.Parse(piece, False)
            parser.Parse(b"", True)
    except _TooLargeError as fault:
        raise errors.BadFile(file=path.name, reason="workbook_large") from fault
    except (KeyError, ValueError, expat.ExpatError, RuntimeError) as fault:  # without content, or behind a password
        raise errors.BadFile(file=path.name, reason="workbook") from fault


class _TooLargeError(Exception):
    """Content that would expand beyond the size limit."""


class _CellCounter:
    """Counts the cells of a workbook, each as often as it is repeated, as its XML is read."""

    def __init__(self) -> None:
        self._elements = self._width = 0
        self._row = self._column = 0  # where the next row of a sheet, and the next cell of a row, stand
        self._repeated = 1  # how often the present row is

    def start_document(self, size: int) -> None:
        """Take note of how many bytes there are."""
        if size > MAX_CONTENT:
            raise _TooLargeError

    def start_element(self, name: str, given: dict[str, Any]) -> None:
        """Take note of an element."""
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise _TooLargeError
        if name == f"{_TABLE}table":
            self._row = self._width = 0
        elif name == f"{_TABLE}table-row":
            self._column = 0
            self._repeated = _count_of(given.get(f"{_TABLE}number-rows-repeated"))
        elif name in _CELLS:
            self._column += _count_of(given.get(f"{_TABLE}number-columns-repeated"))
            if any(key.startswith(_OFFICE) for key in given):
                self._note_filled()
        elif name.startswith(_TEXT):
            self._note_filled()
            if name == f"{_TEXT}s" and _count_of(given.get(f"{_TEXT}c")) > MAX_SPACES:
                raise _TooLargeError

    def _note_filled(self) -> None:
        self._width = max(self._width, self._column)
        if (self._row + self._repeated) * self._width > MAX_CELLS:
            raise _TooLargeError

    def end_element(self, name: str) -> None:
        """Take note of an element's end."""
        if name == f"{_TABLE}table-row":
            self._row += self._repeated


def _count_of(text: str | None) -> int:
    """Return a repeat count; ValueError for an invalid number."""
    if text is None:
        return 1
    if len(text) > 9:  # a billion of anything
        raise _TooLargeError
    return max(int(text), 1)

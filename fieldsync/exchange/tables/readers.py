"""Readers of files with one record per row, in batches: CSV and workbooks as spreadsheets save them, JSON lines. They validate nothing."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import msgspec

from fieldsync import errors

BATCH = 2_000
MAX_CELL = 1024 * 1024  # characters
MAX_HEADER = 500  # and of a header: no label is so long, and looking for one in it takes long
_SEPARATORS = ",;\t"
_HEAD = 64 * 1024
_PIECE = 1024 * 1024
_TOLD = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # a first line that is for Excel only
_ARABIC_WINDOWS = "cp1256"
_MOST = 0.9  # of a text's letters beyond ASCII are Arabic if it is read rightly
_object = msgspec.json.Decoder(dict[str, Any]).decode


Row = Sequence[Any]


class SheetReader(Protocol):
    """Rows in batches; `names` may grow from one batch to the next where a file has no header."""

    names: list[str]
    tags: dict[str, str]  # columns whose HXL hashtags say which fields they are
    quoted: bool  # whether text that looks like a formula stands behind a '
    headed: bool  # whether the first row names the columns
    faulty: frozenset[str] | None  # what stands in a cell for a value that could not be computed
    encoding: str | None  # how a text file is written, where it is not UTF-8
    sheet: str | None  # which of a workbook's sheets it is
    others: list[str]  # those that are shown beside it

    def batches(self) -> Iterator[tuple[int, list[Row]]]:
        """Yield (number of the batch's first row as a spreadsheet counts, rows); BadFile."""
        ...

    def place(self) -> tuple[int, int | None]:
        """Return how many bytes or rows were read, and of how many."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


def open_sheet(path: Path, sheet: str | None = None) -> SheetReader:
    """Open a .csv, .xlsx or .jsonl file; `sheet` is one of a workbook's, the first if none is named. BadFile."""
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        from fieldsync.exchange.tables.workbook import WorkbookSheet

        return WorkbookSheet(path, sheet)
    if path.suffix.lower() == ".xls":
        raise errors.BadFile(file=path.name, reason="old_workbook")
    kinds: dict[str, type[_SourceFile]] = {
        ".csv": _CsvSheet,
        ".tsv": _CsvSheet,
        ".txt": _CsvSheet,
        ".jsonl": _JsonLinesSheet,
        ".ndjson": _JsonLinesSheet,
    }
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise errors.BadFile(file=path.name, reason="kind")
    try:
        return kind(path)  # type: ignore[return-value]  # both are sheets
    except OSError as fault:
        raise errors.BadFile(file=path.name, reason="unreadable") from fault


class _SourceFile:
    quoted = False
    headed = False
    faulty = None
    encoding: str | None = None
    sheet = None

    def __init__(self, path: Path) -> None:
        self.names: list[str] = []
        self.tags: dict[str, str] = {}
        self.others: list[str] = []
        self._name = path.name
        self._bytes: BinaryIO = path.open("rb")
        self._size = path.stat().st_size
        self._line = 0

    def place(self) -> tuple[int, int]:
        return min(self._bytes.tell(), self._size), self._size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._bytes.close()

    def _bad_file(self, reason: str, **facts: object) -> errors.BadFile:
        return errors.BadFile(file=self._name, reason=reason, **facts)


class _CsvSheet(_SourceFile):
    """Comma, semicolon or tab, whichever the first line that has any has most of; UTF-8, or as Excel saves text otherwise."""

    quoted = True
    headed = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        encoding = self._encoding()
        self.encoding = {"utf-16": "UTF-16", _ARABIC_WINDOWS: "windows-1256"}.get(encoding)
        self._text = io.TextIOWrapper(self._bytes, encoding, newline="")
        lines = self._text.read(_HEAD).splitlines()
        self._text.seek(0)
        told = _TOLD.fullmatch(lines[0]) if lines else None
        csv.field_size_limit(MAX_CELL)
        self._reader = csv.reader(self._text, delimiter=told[1] if told else _separator(lines), strict=True)
        self._at = 0
        if told:
            self._next_row()
        while (row := self._next_row()) is not None:
            if any(map(str.strip, row)):
                self.names = [name[:MAX_HEADER].strip() for name in row]
                break
        else:
            raise self._bad_file("empty")

    def _encoding(self) -> str:
        """Return the file's encoding: by its byte order mark, or by trial."""
        head = self._bytes.read(2)
        self._bytes.seek(0)
        if head in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        decoder = codecs.getincrementaldecoder("utf-8")()
        line = 1
        try:
            while piece := self._bytes.read(_PIECE):
                decoder.decode(piece)
                line += piece.count(b"\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as fault:
            self._bytes.seek(0)
            if _is_windows_arabic(self._bytes.read(_PIECE)):
                return _ARABIC_WINDOWS
            raise self._bad_file("encoding", line=line + piece[: fault.start].count(b"\n")) from fault
        finally:
            self._bytes.seek(0)
        return "utf-8-sig"

    def _next_row(self) -> list[str] | None:
        try:
            row = next(self._reader, None)
        except csv.Error as fault:
            raise self._bad_file("csv", line=self._reader.line_num) from fault
        except UnicodeError as fault:
            raise self._bad_file("encoding", line=self._reader.line_num + 1) from fault
        self._at += 1
        return row

    def batches(self) -> Iterator[tuple[int, list[Row]]]:
        """Yield the rows; empty lines count, and are left out."""
        first = 0
        rows: list[Row] = []
        while (row := self._next_row()) is not None:
            if any(row):
                if not rows:
                    first = self._at
                rows.append(row)
            # a batch's rows stand together, so that their numbers follow from the first
            if rows and (len(rows) >= BATCH or not any(row)):
                yield first, rows
                rows = []
        if rows:
            yield first, rows


def _separator(lines: Sequence[str]) -> str:
    for line in lines:
        parts = line.split('"')[::2]  # what stands outside quotes
        counts = {sign: sum(part.count(sign) for part in parts) for sign in _SEPARATORS}
        if any(counts.values()):
            return max(counts, key=lambda sign: counts[sign])
    return _SEPARATORS[0]


def _is_windows_arabic(data: bytes) -> bool:
    """Return whether non-UTF-8 bytes are plausible Windows Arabic; damaged UTF-8 never is."""
    if b"\0" in data:
        return False
    text = data.decode("utf-8", "replace")
    if _count_arabic(text) > text.count("\ufffd"):
        return False
    text = data.decode(_ARABIC_WINDOWS, "replace")
    return _count_arabic(text) > _MOST * sum(letter.isalpha() and not letter.isascii() for letter in text)


def _count_arabic(text: str) -> int:
    return sum("\u0620" <= letter <= "\u064a" for letter in text)


class _JsonLinesSheet(_SourceFile):
    """One JSON object per line: the fields, or a record as `show --json` prints it.

    Lines are decoded straight into a structure made from the keys met so far; one that does not fit, because it has a
    new key or its fields in an object of their own, is looked at alone.
    """

    def batches(self) -> Iterator[tuple[int, list[Row]]]:
        """Yield the rows; with a key that turns up later, a new batch begins."""
        rows: list[Row] = []
        decode = None
        for line in self._bytes:
            self._line += 1
            row = None if decode is None else _decode_fitting(decode, line)
            if row is None:
                one = self._read_line(line)
                fresh = [] if one is None else [name for name in one if name not in self.names]
                if rows and (one is None or fresh):
                    yield self._line - len(rows), rows
                    rows = []
                if one is None:
                    continue
                if fresh:
                    self.names = [*self.names, *fresh]
                    decode = _lines_decoder(self.names)
                row = list(map(one.get, self.names))
            rows.append(row)
            if len(rows) >= BATCH:
                yield self._line - len(rows) + 1, rows
                rows = []
        if rows:
            yield self._line - len(rows) + 1, rows
        if not self.names:
            raise self._bad_file("empty")

    def _read_line(self, line: bytes) -> dict[str, Any] | None:
        if not line.strip():
            return None
        try:
            one = _object(line.removeprefix(b"\xef\xbb\xbf") if self._line == 1 else line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
            raise self._bad_file("json_line", line=self._line) from fault
        inner = one.get("fields")
        if isinstance(inner, dict):
            one = {**{name: value for name, value in one.items() if name != "fields"}, **inner}
        return one


def _lines_decoder(names: Sequence[str]) -> Callable[[bytes], msgspec.Struct] | None:
    """Return a decoder of lines with these keys and no others; None where a key is too odd for one."""
    inner = [f"f{at}" for at in range(len(names))]
    try:
        kind = msgspec.defstruct(
            "Line",
            [(name, Any, None) for name in inner],
            rename=dict(zip(inner, names, strict=True)),
            forbid_unknown_fields=True,
            gc=False,
        )
    except ValueError:
        return None
    return msgspec.json.Decoder(kind).decode


def _decode_fitting(decode: Callable[[bytes], msgspec.Struct], line: bytes) -> Row | None:
    try:
        return msgspec.structs.astuple(decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None

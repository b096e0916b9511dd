"""Files with one record a row, read in batches: CSV and workbooks as spreadsheets save them, JSON lines. Nothing is judged here."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import msgspec

from fieldsync import errors

BATCH = 2_000
MAX_CELL = 1024 * 1024  # characters
_SEPARATORS = ",;\t"
_HEAD = 64 * 1024
_object = msgspec.json.Decoder(dict[str, Any]).decode

Row = Sequence[Any]


class Sheet(Protocol):
    """Rows in batches; `names` may grow from one batch to the next where a file has no header."""

    names: list[str]
    quoted: bool  # whether text that looks like a formula stands behind a '
    headed: bool  # whether the first row names the columns
    faulty: frozenset[str] | None  # what stands in a cell for a value that could not be computed

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


def open_sheet(path: Path, sheet: str | None = None) -> Sheet:
    """Open a .csv, .xlsx or .jsonl file; `sheet` is one of a workbook's, the first if none is named. BadFile."""
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        from fieldsync.exchange.workbook import Workbook

        return Workbook(path, sheet)
    if path.suffix.lower() == ".xls":
        raise errors.BadFile(file=path.name, reason="old_workbook")
    kinds: dict[str, type[_File]] = {".csv": _Csv, ".tsv": _Csv, ".txt": _Csv, ".jsonl": _Lines, ".ndjson": _Lines}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise errors.BadFile(file=path.name, reason="kind")
    try:
        return kind(path)  # type: ignore[return-value]  # both are sheets
    except OSError as fault:
        raise errors.BadFile(file=path.name, reason="unreadable") from fault


class _File:
    quoted = False
    headed = False
    faulty = None

    def __init__(self, path: Path) -> None:
        self.names: list[str] = []
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

    def _bad(self, reason: str, **facts: object) -> errors.BadFile:
        return errors.BadFile(file=self._name, reason=reason, **facts)

    def _texts(self) -> Iterator[str]:
        for data in self._bytes:
            self._line += 1
            try:
                yield data.decode("utf-8-sig" if self._line == 1 else "utf-8")
            except UnicodeDecodeError as fault:
                raise self._bad("encoding", line=self._line) from fault


class _Csv(_File):
    """Comma, semicolon or tab, whichever the first line has most of."""

    quoted = True
    headed = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        head = self._bytes.read(_HEAD)
        self._bytes.seek(0)
        first = head.decode("utf-8-sig", "replace").lstrip("\r\n").split("\n", 1)[0]
        parts = first.split('"')[::2]  # what stands outside quotes
        separator = max(_SEPARATORS, key=lambda sign: sum(part.count(sign) for part in parts))
        csv.field_size_limit(MAX_CELL)
        self._reader = csv.reader(self._texts(), delimiter=separator, strict=True)
        self.names = [name.strip() for name in self._next() or []]
        if not any(self.names):
            raise self._bad("empty")

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except csv.Error as fault:
            raise self._bad("csv", line=self._reader.line_num) from fault

    def batches(self) -> Iterator[tuple[int, list[Row]]]:
        """Yield the rows; empty lines count, and are left out."""
        number = first = 2
        rows: list[Row] = []
        while (row := self._next()) is not None:
            if any(row):
                if not rows:
                    first = number
                rows.append(row)
            number += 1
            # a batch's rows stand together, so that their numbers follow from the first
            if rows and (len(rows) >= BATCH or not any(row)):
                yield first, rows
                rows = []
        if rows:
            yield first, rows


class _Lines(_File):
    """One JSON object a line: the fields, or a record as `show --json` prints it.

    Lines are decoded straight into a structure made from the keys met so far; one that does not fit, because it has a
    new key or its fields in an object of their own, is looked at alone.
    """

    def batches(self) -> Iterator[tuple[int, list[Row]]]:
        """Yield the rows; with a key that turns up later, a new batch begins."""
        rows: list[Row] = []
        decode = None
        for line in self._bytes:
            self._line += 1
            row = None if decode is None else _fitting(decode, line)
            if row is None:
                one = self._read(line)
                fresh = [] if one is None else [name for name in one if name not in self.names]
                if rows and (one is None or fresh):
                    yield self._line - len(rows), rows
                    rows = []
                if one is None:
                    continue
                if fresh:
                    self.names = [*self.names, *fresh]
                    decode = _decoder(self.names)
                row = list(map(one.get, self.names))
            rows.append(row)
            if len(rows) >= BATCH:
                yield self._line - len(rows) + 1, rows
                rows = []
        if rows:
            yield self._line - len(rows) + 1, rows
        if not self.names:
            raise self._bad("empty")

    def _read(self, line: bytes) -> dict[str, Any] | None:
        if not line.strip():
            return None
        try:
            one = _object(line.removeprefix(b"\xef\xbb\xbf") if self._line == 1 else line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
            raise self._bad("json_line", line=self._line) from fault
        inner = one.get("fields")
        if isinstance(inner, dict):
            one = {**{name: value for name, value in one.items() if name != "fields"}, **inner}
        return one


def _decoder(names: Sequence[str]) -> Callable[[bytes], msgspec.Struct] | None:
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


def _fitting(decode: Callable[[bytes], msgspec.Struct], line: bytes) -> Row | None:
    try:
        return msgspec.structs.astuple(decode(line))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None

"""Rejected rows: the faults found, row by row, and the file beside the import that lists them."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.core import safetext
from fieldsync.exchange.tables import target_files
from fieldsync.exchange.tables.column_mapping import REJECT_HEADERS
from fieldsync.exchange.tables.plain_values import plain_value
from fieldsync.exchange.tables.readers import Row
from fieldsync.schema.labels import clause_separator, list_comma, reader_language

Facts = dict[str, object]
Words = Callable[[Mapping[str, object]], str]
MAX_FAULTS = 10_000
SHOWN = 10  # reasons shown on the screen
HEADERS = REJECT_HEADERS["en"]
OWN_HEADERS = frozenset(one for heads in REJECT_HEADERS.values() for one in heads)
"""The columns that a file of rejected rows has before those of the import, in any language."""


@dataclass
class ImportOutcome:
    """The result of an import, or of its dry run; `faults` are (row number, cells, field, facts)."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    key: str | None = None
    faults: list[tuple[int, Row, str, Facts]] = field(default_factory=list)
    unknown: dict[str, dict[str, None]] = field(default_factory=dict)  # field → words that are none of its choices
    most: int = MAX_FAULTS
    bad_rows: set[int] = field(default_factory=set)

    @property
    def count_acceptable(self) -> int:
        """Return the number of valid rows."""
        return self.added + self.changed + self.unchanged

    def headers_by_field(self) -> dict[str, str]:
        """Return the columns' headers by field."""
        return {name: header for header, name in reversed(self.columns.items())}

    def add_fault(self, number: int, row: Row, name: str, facts: Facts) -> None:
        """Record a row's fault; the first ten thousand are reported."""
        self.bad_rows.add(number)
        if len(self.faults) < self.most:
            self.faults.append((number, row, name, facts))


class RowBatch:
    """Some rows, their numbers, and the faults found in them."""

    def __init__(self, rows: list[Row], numbers: Sequence[int], outcome: ImportOutcome) -> None:
        self.rows = rows
        self.units: list[str] | None = None
        self._numbers = numbers
        self._outcome = outcome

    def number_of_row(self, i: int) -> int:
        """Return a row's number, as a spreadsheet counts."""
        return self._numbers[i]

    def unit_of_row(self, i: int) -> str:
        """Return the unit that a row names, or nothing."""
        return self.units[i] if self.units is not None else ""

    def add_fault(self, i: int, name: str, facts: dict[str, object]) -> None:
        """Note that a row is not acceptable."""
        self._outcome.add_fault(self._numbers[i], self.rows[i], name, facts)

    def is_bad(self, i: int) -> bool:
        """Return whether a fault was found in a row."""
        return bool(self._outcome.bad_rows) and self._numbers[i] in self._outcome.bad_rows

    def try_step(self, i: int, name: str, step: Callable[..., Any], *values: object) -> Any:
        """Return a step's result; if it raises, add the row's fault and return None."""
        try:
            return step(*values)
        except (errors.BadInput, errors.NotFound, errors.Refused) as refused:
            facts = {"reason": refused.code, **refused.facts}
            if isinstance(refused, errors.IllegalStep):
                name = "state"
            self.add_fault(i, str(facts.get("field", name)), facts)
            return None


def write_rejects(path: Path, headers: Sequence[str], outcome: ImportOutcome, words: Words | None) -> errors.BadRows:
    """Write the rejected rows with their reasons to a file of the same kind; return the error."""
    kind = next((one for one in (".xlsx", ".jsonl") if path.suffix.lower() in _ALIKE[one]), ".csv")
    target = path.with_name(f"{path.name}.rejected{kind}")
    told = sorted(outcome.faults, key=lambda fault: fault[0])
    lead, heads = _own_headers(words), reject_headers(headers, words)[len(HEADERS) :]
    places = [at for at, one in enumerate(headers) if one not in OWN_HEADERS]
    try:
        _WRITERS[kind](target, lead, heads, list(_reject_lines(told, places, words, outcome.headers_by_field())))
        written: str | None = str(target)
    except errors.FieldsyncError:
        written = None  # the error still lists them
    rows = [
        {"row": number, "field": name, "reason": facts.get("reason")} for number, _, name, facts in told[:MAX_FAULTS]
    ]
    heads_of = outcome.headers_by_field()
    first = [
        {"row": number, "column": heads_of.get(name, name), "because": words(facts) if words else facts.get("reason")}
        for number, _, name, facts in told[:SHOWN]
    ]
    refused = errors.BadRows(file=path.name, count=len(outcome.bad_rows), rejected=written, rows=rows, first=first)
    refused.unknown = outcome.unknown
    if any(outcome.unknown.values()):
        refused.facts["reason"] = "words"
    return refused


def reject_headers(headers: Sequence[str], words: Words | None) -> list[str]:
    """Return the columns of the file of a file's bad rows."""
    return [*_own_headers(words), *(one for one in headers if one not in OWN_HEADERS)]


def _reject_lines(
    told: Sequence[tuple[int, Row, str, Facts]],
    places: Sequence[int],
    words: Words | None,
    headers: Mapping[str, str],
) -> Iterator[tuple[list[Any], list[Any]]]:
    """A line for each row: its number, columns and reasons, and its cells as they were."""
    told = [(number, row, headers.get(name, name), facts) for number, row, name, facts in told]
    for number, group in groupby(told, key=lambda fault: fault[0]):
        faults = list(group)
        row = faults[0][1]
        fields = list_comma(reader_language.get()).join(dict.fromkeys(name for _, _, name, _ in faults if name))
        reasons = [words(facts) if words is not None else str(facts.get("reason")) for _, _, _, facts in faults]
        if len(faults) > 1:
            reasons = [
                f"{name}: {reason}" if name else reason for (_, _, name, _), reason in zip(faults, reasons, strict=True)
            ]
        cells = [*(row[at] for at in places if at < len(row)), *row[len(places) + len(HEADERS) :]]
        yield (
            [number, plain_value(fields), plain_value(clause_separator(reader_language.get()).join(reasons))],
            list(map(plain_value, cells)),
        )


def _own_headers(words: Words | None) -> tuple[str, ...]:
    """Return the columns that the file has before those of the import: in the reader's language where its reasons are in words."""
    return HEADERS if words is None else REJECT_HEADERS.get(reader_language.get(), HEADERS)


def _write_csv(
    path: Path, lead: Sequence[str], headers: Sequence[str], lines: Sequence[tuple[list[Any], list[Any]]]
) -> None:
    with target_files.open_target(path) as raw, target_files.text_writer(raw, "utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow([*lead, *map(safetext.csv_cell, headers)])
        for said, cells in lines:
            writer.writerow(
                [
                    *map(safetext.csv_cell, map(str, said)),
                    *(safetext.csv_cell("" if cell is None else str(cell)) for cell in cells),
                ]
            )


def _write_json(
    path: Path, _lead: Sequence[str], headers: Sequence[str], lines: Sequence[tuple[list[Any], list[Any]]]
) -> None:
    with target_files.open_target(path) as file:
        for said, cells in lines:
            row = {name: cell for name, cell in zip(headers, cells, strict=False) if cell is not None}
            file.write(msgspec.json.encode(dict(zip(HEADERS, said, strict=True)) | row) + b"\n")


def _write_workbook(
    path: Path, lead: Sequence[str], headers: Sequence[str], lines: Sequence[tuple[list[Any], list[Any]]]
) -> None:
    from fieldsync.exchange.tables import workbook

    with target_files.open_target(path) as file:
        workbook.write_workbook(file, "rejected", [[*lead, *headers]], ([*said, *cells] for said, cells in lines))


_WRITERS = {".csv": _write_csv, ".jsonl": _write_json, ".xlsx": _write_workbook}
_ALIKE = {".xlsx": {".xlsx", ".xlsm"}, ".jsonl": {".jsonl", ".ndjson"}}

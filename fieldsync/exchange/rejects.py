"""What a file's rows are refused for: the faults found, row by row, and the file beside it that tells them."""

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldsync import errors
from fieldsync.core import safetext
from fieldsync.exchange.sheets import Row

Facts = dict[str, object]
Words = Callable[[Mapping[str, object]], str]
MAX_FAULTS = 10_000


@dataclass
class Outcome:
    """What an import did, or would do; `faults` are (row number, cells, field, facts)."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[int, Row, str, Facts]] = field(default_factory=list)
    bad_rows: set[int] = field(default_factory=set)

    def fault(self, number: int, row: Row, name: str, facts: Facts) -> None:
        """Note that a row is not acceptable; the first ten thousand are told."""
        self.bad_rows.add(number)
        if len(self.faults) < MAX_FAULTS:
            self.faults.append((number, row, name, facts))


class Batch:
    """Some rows, their numbers, and the faults found in them."""

    def __init__(self, rows: list[Row], numbers: Sequence[int], outcome: Outcome) -> None:
        self.rows = rows
        self.units: list[str] | None = None
        self._numbers = numbers
        self._outcome = outcome

    def unit(self, i: int) -> str:
        """Return the unit that a row names, or nothing."""
        return self.units[i] if self.units is not None else ""

    def fault(self, i: int, name: str, facts: dict[str, object]) -> None:
        """Note that a row is not acceptable."""
        self._outcome.fault(self._numbers[i], self.rows[i], name, facts)

    def is_bad(self, i: int) -> bool:
        """Say whether a fault was found in a row."""
        return bool(self._outcome.bad_rows) and self._numbers[i] in self._outcome.bad_rows

    def tried(self, i: int, name: str, step: Callable[..., Any], *values: object) -> Any:
        """Return what a step gives; what it refuses is a fault of the row, and None."""
        try:
            return step(*values)
        except (errors.BadInput, errors.NotFound, errors.Refused) as refused:
            facts = {"reason": refused.code, **refused.facts}
            self.fault(i, str(facts.get("field", name)), facts)
            return None


def rejected(path: Path, headers: Sequence[str], outcome: Outcome, words: Words | None) -> errors.BadRows:
    """Write the refused rows beside the file, each with its reasons, and return the error that says so."""
    target = path.with_name(path.name + ".rejected.csv")
    told = sorted(outcome.faults, key=lambda fault: fault[0])
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["rejected_row", "rejected_field", "rejected_reason", *headers])
            writer.writerows(_lines(told, words))
        written: str | None = str(target)
    except OSError:
        written = None  # the error still lists them
    rows = [{"row": number, "field": name, "reason": facts.get("reason")} for number, _, name, facts in told]
    return errors.BadRows(file=path.name, count=len(outcome.bad_rows), rejected=written, rows=rows)


def _lines(told: Sequence[tuple[int, Row, str, dict[str, object]]], words: Words | None) -> Iterator[list[str]]:
    for number, row, name, facts in told:
        reason = words(facts) if words is not None else str(facts.get("reason"))
        cells = [
            "" if cell is None else ",".join(map(str, cell)) if isinstance(cell, list) else str(cell) for cell in row
        ]
        yield [str(number), name, reason, *map(safetext.csv_cell, cells)]

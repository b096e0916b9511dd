"""The period of a report: a month or a year, the periods it is compared with, and its reference day."""

import datetime as dt
import re
from typing import NamedTuple

from fieldsync import errors
from fieldsync.schema import dates

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_YEAR = re.compile(r"\d{4}")
Span = tuple[str, str, str]  # name, first day, the day after the last


class Period(NamedTuple):
    """A month "2026-10" or a year "2026"; `today` limits it."""

    name: str
    today: str

    @property
    def is_year(self) -> bool:
        """Whether it is a year."""
        return len(self.name) == 4

    @property
    def first_day(self) -> str:
        """The first day."""
        return f"{self.name}-01-01" if self.is_year else f"{self.name}-01"

    @property
    def end_day(self) -> str:
        """The day after the last."""
        return f"{self.period_before(-1).name}-01-01"[:10]

    @property
    def as_at(self) -> str:
        """The reference day for open and overdue entries: the period's last day, or today."""
        last = dt.date.fromisoformat(self.end_day) - dt.timedelta(days=1)
        return min(self.today, last.isoformat())

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.end_day <= self.today

    def period_before(self, months: int) -> "Period":
        """Return the period a number of months before (for a year: multiples of twelve)."""
        if self.is_year:
            years = months if abs(months) < 12 else months // 12
            return self._replace(name=f"{int(self.name) - years:04}")
        count = int(self.name[:4]) * 12 + int(self.name[5:]) - 1 - months
        return self._replace(name=f"{count // 12:04}-{count % 12 + 1:02}")

    def spans(self) -> list[Span]:
        """Every stretch that a report's `period` table has: this, last, ytd, same (of last year), and twelve months m01…m12."""
        last, same = self.period_before(1), self.period_before(12)
        year = f"{self.name[:4]}-01-01"
        months = [
            Period(f"{self.name[:4]}-12" if self.is_year else self.name, self.today).period_before(11 - n)
            for n in range(12)
        ]
        return [
            ("this", self.first_day, self.end_day),
            ("last", last.first_day, last.end_day),
            ("ytd", year, self.end_day),
            ("same", same.first_day, same.end_day),
            *((f"m{n:02}", one.first_day, one.end_day) for n, one in enumerate(months, 1)),
        ]


def period_of(month: str | None, year: str | None, today: str) -> Period:
    """Return the period that was asked for, the running month if none was. Usage."""
    if month and year:
        raise errors.Usage(reason="month_or_year")
    month = (dates.usual_date(month) or month)[:7] if month else None
    if month and not _MONTH.fullmatch(month):
        raise errors.Usage(reason="month")
    if year and not _YEAR.fullmatch(year):
        raise errors.Usage(reason="year")
    made = Period(month or year or today[:7], today)
    # calendars end at both ends, and before the first month of all there is none to compare with
    if not 1901 <= int(made.name[:4]) <= 9998:
        raise errors.Usage(reason="year" if year else "month")
    return made

"""The pilot's diary, and the page of docs that it becomes."""

import datetime as dt
import sys
from pathlib import Path
from typing import NamedTuple

from fieldsync.core.version import VERSION
from tests.cast import ROOT
from tests.pilot.plan import FIRST, Plan

PAGE = ROOT / "docs" / "pilot.md"


class Entry(NamedTuple):
    """A line of the diary."""

    day: int
    who: str
    what: str
    said: str


class Diary:
    """What happened, in the order of its happening."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.day = 0

    def note(self, who: str, what: str, said: str = "") -> None:
        """Write a line."""
        self.entries.append(Entry(self.day, who, what, said))
        print(f"{self.day:2} {who}: {what}: {said}", file=sys.stderr, flush=True)

    def page(self, plan: Plan) -> str:
        """Return the page."""
        laptops = len(plan.people)
        rows = []
        before = 0
        for one in self.entries:
            day = f"{one.day} · {FIRST + dt.timedelta(days=one.day - 1):%a}" if one.day != before else ""
            rows.append(f"| {day} | {one.who} | {one.what} | {one.said} |")
            before = one.day
        return _PAGE.format(
            version=VERSION, played=f"{dt.datetime.now(tz=dt.UTC).date():%-d %B %Y}", days=plan.days,
            first=f"{FIRST:%-d %B %Y}", laptops=laptops, branches=len(plan.branches), seed=plan.seed, rows="\n".join(rows),
        )  # fmt: skip


_PAGE = """\
# A pilot, played

A month of one headquarters, {branches} branches and {laptops} laptops, with the update from 0.1 to 0.2 in the middle, a branch that
stays behind, a lost laptop, a full disk and a restore. Played by a script: every computer is an encrypted store of its own, each command a
process, each sync HTTPS or a bundle; the month of {days} days from {first} on is simulated, with one clock for all processes. 0.1 is the program
as it was released.

Played on {played} with fieldsync {version}, seed {seed}. To play it again (about ten minutes on two cores; a disk can be full only where the script may mount
one, otherwise that branch is switched off for these days):

```sh
python -m tests.pilot
```

It ends with an error if a digest differs, an acknowledged save is missing, or a conflict is neither decided nor listed. A part of it (six days) is
played by `make test`, all of it by `make test-long`. Computers: `hq` (LAT), `jbl` (LAT/JBL, Jableh), `qrd` (LAT/QRD, Qardaha), `hfa` (LAT/HFA,
Haffeh, which has no connection and exchanges bundles on a USB stick).

| day | who | what | what the program said |
|---|---|---|---|
{rows}
"""


def write(page: str, file: Path = PAGE) -> None:
    """Write the page."""
    file.write_text(page, "utf-8")

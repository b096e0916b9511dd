"""The pilot's computers: 0.1's or today's program as processes, a calendar for all of them, a disk that can fill up."""

import contextlib
import datetime as dt
import json
import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from tests.older import Computer, Release
from tests.pilot import shifted_clock

DISK = 48  # MB


class Calendar:
    """The simulated date and time, as all computers have it."""

    def __init__(self, file: Path, first: dt.date) -> None:
        self.file = file
        self.first = first
        self.set(1, 8)

    def set(self, day: int, hour: int, minute: int = 0) -> None:
        """Turn all clocks to a time of a day of the pilot, counted from 1."""
        self.day = day
        then = dt.datetime.combine(self.date(day), dt.time(hour, minute), dt.UTC)
        draft = self.file.with_suffix(".new")
        draft.write_text(str(int(then.timestamp() * 1e9) - time.time_ns()), "ascii")
        draft.replace(self.file)

    def date(self, day: int) -> dt.date:
        """Return the date of a day."""
        return self.first + dt.timedelta(days=day - 1)


class Result(NamedTuple):
    """What a command told: its exit code and its JSON document."""

    code: int
    told: Any

    @property
    def error(self) -> str:
        """The error's code, or nothing."""
        return self.told["error"]["code"] if self.code else ""

    @property
    def message(self) -> str:
        """The error's message and hint."""
        fault = self.told["error"]
        return f"{fault['message']} {fault['hint']}".strip()


class PilotComputer(Computer):
    """A computer of the pilot, whose clock is the calendar's."""

    def __init__(self, home: Path, release: Release | None, calendar: Calendar) -> None:
        super().__init__(home, release)
        self.calendar = calendar
        self.skew = dt.timedelta()
        self._service = ExitStack()

    @property
    def _environment(self) -> dict[str, str]:
        skew = str(int(self.skew.total_seconds()) * 1_000_000_000)
        clock = {shifted_clock.FILE: str(self.calendar.file), shifted_clock.SKEW: skew, "TZ": "UTC"}
        return super()._environment | clock

    def ask(self, *words: str) -> Result:
        """Run a command, whatever comes of it; only an internal fault ends the pilot."""
        done = self.run(*words, "--json")
        assert done.returncode != 1 or "disk_full" in done.stdout, (words, done)
        assert "Traceback" not in done.stderr, (words, done)
        return Result(done.returncode, json.loads(done.stdout))

    def start(self) -> None:
        """Serve until stopped."""
        self._service.enter_context(self.serving())

    def stop(self) -> None:
        """Stop serving."""
        self._service.close()


class SmallDisk:
    """A disk of a few megabytes that can be full; only those who may mount can have one."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(place)], capture_output=True, check=False
        )
        self.mounted = made.returncode == 0

    def fill_up(self) -> None:
        """Leave no room at all."""
        with contextlib.suppress(OSError):  # somebody writes meanwhile
            (self.place / "filler").write_bytes(bytes(shutil.disk_usage(self.place).free))

    def empty(self) -> None:
        """Make room."""
        (self.place / "filler").unlink()

    def close(self) -> None:
        """Take the disk away."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.place)], check=True)


def clocked_release(folder: Path) -> Release:
    """Return 0.1's program, whose clock can be set."""
    folder.mkdir()
    source = Path(shifted_clock.__file__).read_text("utf-8")
    (folder / "sitecustomize.py").write_text(source, "utf-8")
    return Release(folder)


def remove(home: Path) -> None:
    """Destroy a store, as a broken disk does."""
    shutil.rmtree(home)
    assert not os.path.exists(home)

"""The journeys of docs/architecture.md: played, and compared with the page's tables; and its map of tasks leads to files."""

import json
import re
import subprocess
import sys
from functools import cache
from itertools import groupby
from typing import NamedTuple

import pytest

from tests.cast import ROOT

PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
SECTIONS = {
    "save": "Follow a save",
    "sync": "Follow a sync",
    "decision": "Follow a decision",
    "referral": "Follow a referral",
}
_NAMED = re.compile(r"`([\w.]+)`")
_EXPLAINED = re.compile(r"`([\w.]+(?<!\.py))`")


class Row(NamedTuple):
    """A row of a table: the command that is typed, a file, its functions, and those that the explanation names."""

    step: str
    file: str
    functions: list[str]
    explained: list[str]


def _section(title: str) -> str:
    return re.split(r"^##+ ", PAGE.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def _rows(journey: str) -> list[Row]:
    found = re.findall(
        r"^\| \d+ \| (\w+: [\w ]+) \| `([\w/.]+)` \| (.+?) \| (.+) \|$", _section(SECTIONS[journey]), re.MULTILINE
    )
    return [
        Row(step.lower(), file, _NAMED.findall(functions), _EXPLAINED.findall(told))
        for step, file, functions, told in found
    ]


@cache
def _played() -> dict[str, list[tuple[str, list[list[str]]]]]:
    """Return what each command of each journey called: played once, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.journeys", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    played: dict[str, list[tuple[str, list[list[str]]]]] = json.loads(done.stdout)
    return played


@pytest.mark.parametrize("journey", SECTIONS)
def test_a_journey_passes_its_files_in_order(journey: str) -> None:
    """Each command calls the functions of its rows, in the order of the table."""
    rows, steps = _rows(journey), _played()[journey]
    told = [(step, list(several)) for step, several in groupby(rows, key=lambda row: row.step)]
    assert [step for step, _ in told] == [step for step, _ in steps]
    for (step, several), (_, calls) in zip(told, steps, strict=True):
        order = {(file, function): at for at, (file, function) in enumerate(calls)}
        wanted = [(row.file, function) for row in several for function in row.functions]
        assert [one for one in wanted if one not in order] == [], step
        assert wanted == sorted(wanted, key=lambda one: order[one]), step
        called = {function for _, function in order} | {function.rpartition(".")[2] for _, function in order}
        assert [name for row in several for name in row.explained if name not in called] == [], step


def test_no_row_is_left_out() -> None:
    """Each row of a journey's table is read, numbered from 1 on."""
    for journey, title in SECTIONS.items():
        numbers = re.findall(r"^\| (\d+) \|", _section(title), re.MULTILINE)
        assert len(_rows(journey)) == len(numbers) > 4
        assert numbers == [str(n) for n in range(1, len(numbers) + 1)]


def test_the_map_of_tasks_leads_to_files() -> None:
    """At least 25 tasks; each names a file or folder that is there, and nothing that is not."""
    rows = re.findall(r"^\| ([^|`]+) \| ([^|]+) \| ([^|]+) \|$", _section("To change something"), re.MULTILINE)
    tasks = {task: (opened, then) for task, opened, then in rows if task != "to"}
    assert len(tasks) == len(rows) - 1 >= 25
    paths = {task: re.findall(r"`([\w/.*-]+(?:/|\.\w+))`", " ".join(cells)) for task, cells in tasks.items()}
    assert [task for task, (opened, _) in tasks.items() if not re.search(r"`[\w/.*-]+(?:/|\.\w+)`", opened)] == []
    missing = [(task, path) for task, several in paths.items() for path in several if not _is_there(path)]
    assert missing == []


def _is_there(path: str) -> bool:
    return any(any(top.glob(path)) for top in (ROOT, ROOT / "fieldsync", ROOT / "docs"))

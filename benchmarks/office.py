"""What a laptop with many families feels like: what is due, who has how much, and saving with every rule checked.

    python -m benchmarks.office --households 5000

`agenda`, `caseload` and `show` are whole processes on a real encrypted laptop's store, from the command to its last byte;
saves are timed within the process, through the same functions as `add`, each durable before the clock stops.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import reports
from fieldsync.casework import agenda
from fieldsync.core import record_ids
from fieldsync.replica import duplicate_index, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import assistance_overlaps, duplicate_pairs
from tests import cast

UNIT = "LAT"
COMMANDS: tuple[tuple[str, ...], ...] = (
    (),
    ("agenda", "--overdue"),
    ("agenda",),
    ("agenda", "--everybody"),
    ("caseload",),
    ("referral", "list", "--unanswered"),
    ("status",),
)


def main() -> None:
    """Fill a laptop and print the table."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--households", type=int, default=5_000)
    asked.add_argument("--saves", type=int, default=200)
    asked.add_argument("--runs", type=int, default=5)
    asked.add_argument("--home", help="keep the stores in this folder, and use them again")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="fieldsync-") as folder:
        home = Path(given.home or folder)
        if not (home / "samar").exists():
            _found(home, given.households)
        (home / "key").write_bytes(cast.SECRET)
        print("| | median | slowest, or 95 of 100 | |\n|---|---|---|---|")
        base = _process(home, ("--help",), given.runs)
        print(_line("a process that only starts (`--help`)", base, "ms"))
        for words in COMMANDS:
            print(_line(f"`{' '.join(('fieldsync', *words))}`", _process(home, words, given.runs), "ms"), flush=True)
        node = cast.open_node(home / "samar")
        print(f"| lines of the agenda, of everybody | {len(agenda.list_due(node, everybody=True)):,} | | |")
        started = time.perf_counter()
        duplicate_index.update_index(node, compare=False)
        print(f"| keys of who may be one, once | {time.perf_counter() - started:.1f} s | | |")
        for type_, change in _wanted(node).items():
            print(_line(f"add {type_}", _saves(node, type_, change, given.saves), "ms"), flush=True)
        node.close()


def _found(home: Path, households: int) -> None:
    cast.found_office(home / "hq")
    hq = cast.open_node(home / "hq")
    cast.join_directly(hq, home / "samar", "Samar", "supervisor", [UNIT])
    hq.close()
    node = cast.open_node(home / "samar")
    reports.fill(node, households, told=lambda text: print(text, file=sys.stderr))
    node.close()


def _process(home: Path, words: tuple[str, ...], runs: int) -> list[float]:
    """Return how long whole processes took, in milliseconds; the first, which reads the disk, is not counted."""
    environment = {**os.environ, "FIELDSYNC_HOME": str(home / "samar"), "FIELDSYNC_KEY_FILE": str(home / "key")}
    took = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "fieldsync", *words], check=True, capture_output=True, env=environment)
        took.append((time.perf_counter() - started) * 1_000)
    return took[1:]


def _wanted(node: Node) -> dict[str, Callable[[int], Changes]]:
    """Return, for each type to be added, what is typed the n-th time: on families that are spread over the register."""
    with node.store.read() as tx:
        homes = [record_ids.id_text(one) for one in tx.ids_of_type("household")]
        charities = [record_ids.id_text(one) for one in tx.ids_of_type("organisation")]
        cases = [record_ids.id_text(one) for one in tx.ids_of_type("case")]

    def of(ids: list[str], n: int) -> str:
        return ids[n * 7_919 % len(ids)]

    def household(n: int) -> Changes:
        return Changes(
            set={"family_name": reports.FAMILY[n % 8], "registered_on": "2026-11-01", "displacement": "idp"},
            put={"phones": [f"0944{n:06}"], "groups": ["crisis_family"]},
        )

    def person(n: int) -> Changes:
        name = {"given": reports.GIVEN[n % 10], "father": reports.GIVEN[n % 7], "family": reports.FAMILY[n % 8]}
        born = {"birth_date": f"{1950 + n % 70}-03-04", "birth_precision": "day", "sex": "f", "alive": "alive"}
        return Changes(set={**name, **born, "household": of(homes, n), "wg_walk": "3"}, put={"phones": [f"0933{n:06}"]})

    def benefit(n: int) -> Changes:
        aid = {"period": "2026-11", "kind": "food", "quantity": 1, "quantity_unit": "سلة", "provider": of(charities, n)}
        return Changes(set={**aid, "recipient": of(homes, n)})

    def follow_up(n: int) -> Changes:
        return Changes(set={"case": of(cases, n), "kind": "home", "due_on": "2026-12-01"})

    return {"household": household, "person": person, "benefit": benefit, "follow_up": follow_up}


def _saves(node: Node, type_: str, change: Callable[[int], Changes], count: int) -> list[float]:
    """Return how long each took, in milliseconds: the save, and what `add` looks for beside it, doubles and duplicates."""
    took = []
    for n in range(count):
        changes = change(n)
        started = time.perf_counter()
        _add(node, type_, changes)
        took.append((time.perf_counter() - started) * 1_000)
    return took


def _add(node: Node, type_: str, changes: Changes) -> None:
    """Do what the command `add` does, but for printing."""
    duplicate_pairs.likely_duplicates(node, type_, changes)
    record = record_ids.id_text(save.add_record(node, type_, changes))
    queries.show(node, record)
    assistance_overlaps.overlaps_of(node, record)


def _line(what: str, took: list[float], unit: str) -> str:
    took = sorted(took)
    high = took[-1] if len(took) < 20 else took[int(len(took) * 0.95)]
    return f"| {what} | {statistics.median(took):.0f} {unit} | {high:.0f} {unit} | {len(took)} times |"


if __name__ == "__main__":
    main()

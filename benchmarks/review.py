"""How long `review` takes from its start to the first question, with thousands of open conflicts; and to decide all alike.

`python -m benchmarks.review --conflicts 10000 --against ../before` runs the two in turn, on one store. `--alike` decides all of
them by one rule on a copy of it, takes that back, and does it again where twice as many saves are unsent.
"""

import argparse
import fcntl
import os
import pty
import random
import re
import select
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

from fieldsync.core.register import Head, Register
from fieldsync.core.state import Base, State
from fieldsync.replica import duplicate_index
from fieldsync.replica.apply import apply_states
from fieldsync.replica.node import Node
from tests import cast

A, B, C = (bytes([n]) * 16 for n in (7, 8, 9))
UNIT = "LAT/JBL"
GIVEN = ("محمد", "أحمد", "علي", "فاطمة", "مريم", "زينب", "حسن", "ريما", "سلمى", "عمر")
FAMILY = ("الحسن", "العلي", "إبراهيم", "حيدر", "سليمان", "ديب", "صقر", "عيسى")
PLACES = ("جبلة", "حمص", "حماة", "بانياس", "طرطوس", "القرداحة")


def states(conflicts: int, dice: random.Random) -> Iterator[State]:
    """Yield households, of each of which two people wrote different places, and two persons in each; one in fifty twice."""
    seq = 0

    def made(type_: str, values: dict[str, object], fields: dict[str, Register] | None = None) -> State:
        nonlocal seq
        seq += 1
        base = Base(A, seq, (1_700_000_000_000 + seq) << 16, "Bench")
        known = {"_unit": UNIT, "_code": f"JBL-BM-{seq}", "state": "draft", **values}
        return State(dice.randbytes(16), type_, base, known, fields or {})  # type: ignore[arg-type]

    def heads(one: str, other: str) -> Register:
        at = (1_700_100_000_000 + seq) << 16
        two = Head(B, seq + 1, at, "Amal", one), Head(C, seq + 1, at + (1 << 16), "Basim", other)
        return Register(two, {A: seq + 1, B: seq + 1, C: seq + 1})

    person: dict[str, object] = {}
    for n in range(conflicts):
        here, there, was = dice.sample(PLACES, 3)
        yield made("household", {"family_name": dice.choice(FAMILY), "location": was}, {"location": heads(here, there)})
        for _ in range(2):
            again = n % 50 == 0 and person
            person = person if again else {
                "given": dice.choice(GIVEN), "father": dice.choice(GIVEN), "grandfather": dice.choice(GIVEN), "family": dice.choice(FAMILY),
                "sex": "m", "birth_date": f"{dice.randint(1950, 2020)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
                "birth_precision": "day", "alive": "alive",
            }  # fmt: skip
            yield made("person", person)


def fill(node: Node, conflicts: int) -> None:
    """Put them into a store, as if they had come by a sync, and compare all but the last hundred."""
    several = list(states(conflicts, random.Random(7)))
    with node.store.write(durable=False) as tx:
        for start in range(0, len(several), 5_000):
            apply_states(tx, node.rules, several[start : start + 5_000], unit=UNIT, index=True)
    duplicate_index.update_index(node, compare=True)
    node.store.run_maintenance()


class Terminal:
    """`review` at a terminal of 80 by 24."""

    def __init__(self, home: Path, checkout: Path) -> None:
        self._mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        wanted = {
            "FIELDSYNC_HOME": str(home / "samar"),
            "FIELDSYNC_KEY_FILE": str(home / "key"),
            "PYTHONPATH": str(checkout),
        }
        environment = (
            os.environ | wanted | {"TERM": "xterm-256color", "FIELDSYNC_LANG": "en", "PYTHONDONTWRITEBYTECODE": ""}
        )
        self._since = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fieldsync", "review"], env=environment, cwd=checkout, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def press(self, keys: str) -> None:
        """Type something."""
        self._since = time.perf_counter()
        os.write(self._mine, keys.encode())

    def until(self, shows: str) -> tuple[float, float]:
        """Return how long after the last key a text shows, and the longest that nothing moved meanwhile, in seconds."""
        seen, still, last = "", 0.0, self._since
        while shows not in re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", seen):
            if not select.select([self._mine], [], [], 120)[0]:
                sys.exit(f"no {shows!r} in {seen!r}")
            seen += os.read(self._mine, 65_536).decode(errors="replace")
            still, last = max(still, time.perf_counter() - last), time.perf_counter()
        return last - self._since, still

    def leave(self) -> None:
        """Leave it."""
        os.write(self._mine, b"q")
        while self._process.poll() is None:
            if select.select([self._mine], [], [], 0.05)[0]:
                try:
                    os.read(self._mine, 65_536)
                except OSError:
                    break
        self._process.wait(60)
        os.close(self._mine)


def first_question(home: Path, checkout: Path) -> float:
    """Start `review`; return the seconds until the first question shows, and leave it."""
    terminal = Terminal(home, checkout)
    took, _ = terminal.until(" of ")
    terminal.leave()
    return took


def alike(home: Path, checkout: Path) -> None:
    """Decide all of the first question's kind by the first rule, take it back, and do it again; print what it takes."""
    terminal = Terminal(home, checkout)
    terminal.until(" of ")
    many = (
        ("a", "by one rule", "rules"),
        ("\r", "will be decided", "preview"),
        ("\r", "undoes all of them", "decided"),
    )
    back = (("u", "Undone", "taken back"),)
    for told, steps in (("none unsent", many), ("as many unsent", back), ("twice as many", many)):
        for keys, shows, what in steps:
            terminal.press(keys)
            took, still = terminal.until(shows)
            print(
                f"{checkout.name:12} {told:15} {what:10} after {took:6.2f} s, without a sign for at most {still:.2f} s"
            )
    terminal.leave()


def main() -> None:
    """Make the store and time the start."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--conflicts", type=int, default=10_000)
    asked.add_argument("--against", type=Path, help="another checkout")
    asked.add_argument("--runs", type=int, default=5)
    asked.add_argument("--alike", action="store_true", help="decide all of them alike, too")
    asked.add_argument("--home", type=Path, help="keep the store in this folder, and use it again")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="fieldsync-") as folder:
        home = (given.home or Path(folder)).absolute()
        if not (home / "samar").exists():
            home.mkdir(parents=True, exist_ok=True)
            (home / "key").write_bytes(cast.SECRET)
            cast.found_cast(home)
            node = cast.open_node(home / "samar")
            fill(node, given.conflicts)
            node.close()
        checkouts = [Path(__file__).parent.parent, *filter(None, [given.against and given.against.absolute()])]
        took: dict[Path, list[float]] = {checkout: [] for checkout in checkouts}
        for _ in range(given.runs + 1):  # the first one fills the caches
            for checkout in checkouts:
                took[checkout].append(first_question(home, checkout))
        for checkout, times in took.items():
            print(
                f"{checkout.name:12} first question after {statistics.median(times[1:]):.2f} s (best {min(times[1:]):.2f} s)"
            )
        if given.against:
            here, there = (min(times[1:]) for times in took.values())
            print(f"{here / there:.2f} × the time of {given.against.name}")
        for checkout in checkouts if given.alike else ():
            with tempfile.TemporaryDirectory(prefix="fieldsync-") as copy:
                shutil.copytree(home, copy, dirs_exist_ok=True)
                alike(Path(copy), checkout)


if __name__ == "__main__":
    main()

"""Every report on an office's two years: households, four people in each, services, aid, visits, cases.

    python -m benchmarks.reports --households 100000

The records are made by the way all records come in (replica/apply.py), in a real encrypted store; each report is timed as
`report NAME --month` counts it, the first time after the store was opened. While the first one makes its sheets, another
process saves: how long each save waited for the store is told.
"""

import argparse
import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from uuid import UUID

from fieldsync.core import record_ids
from fieldsync.core.state import Base, State
from fieldsync.crypto.slots import Slots
from fieldsync.replica import node as nodes
from fieldsync.replica import save
from fieldsync.replica.apply import apply_states
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.reports import definitions, run, table_refresh
from fieldsync.schema import load
from fieldsync.server import administration

OTHER = b"\x07" * 16
SECRET = b"a key file's bytes, 32 of them.."
UNITS = [f"LAT/{name}" for name in ("JBL", "QRD", "HAF", "LTK")]
MONTH, YEAR = "2026-10", "2026"
PART = 5_000
GIVEN = ("محمد", "أحمد", "علي", "فاطمة", "مريم", "زينب", "حسن", "ريما", "سلمى", "عمر")
FAMILY = ("الحسن", "العلي", "إبراهيم", "حيدر", "سليمان", "ديب", "صقر", "عيسى")


def records(households: int, dice: random.Random) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield (id, type, unit, values) of the whole office."""

    def new() -> str:
        return str(UUID(int=dice.getrandbits(128)))

    def day(first: int = 2024, last: int = 2026) -> str:
        return f"{dice.randint(first, last)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"

    def recent() -> str:
        return (
            dice.choice((f"2025-{dice.randint(1, 12):02}", f"2026-{dice.randint(1, 10):02}"))
            + f"-{dice.randint(1, 28):02}"
        )

    charities = [new() for _ in range(32)]
    workers = [new() for _ in range(200)]
    places = [new() for _ in range(60)]
    corners = [new() for _ in range(19)]
    programmes = [new() for _ in range(12)]
    for one in charities:
        yield (
            one,
            "organisation",
            "LAT",
            {"name_ar": f"جمعية {dice.choice(FAMILY)}", "kind": "charity", "agreement_until": "2027-01-01"},
        )
    for one in workers:
        yield one, "worker", "LAT", {
            "name": f"{dice.choice(GIVEN)} {dice.choice(FAMILY)}", "sex": dice.choice("fm"), "role": "researcher", "active": True,
            "supervisor": dice.choice(workers[:10]),
        }  # fmt: skip
    for one in places:
        yield (
            one,
            "location",
            "LAT",
            {"name_ar": f"قرية {dice.choice(FAMILY)} {dice.randint(1, 99)}", "level": 4, "place_code": one[:8]},
        )
    for one in corners:
        yield one, "corner", dice.choice(UNITS), {
            "host": dice.choice(charities), "activated_on": recent(), "state": "active", "researchers": dice.sample(workers, 2),
        }  # fmt: skip
    for one in programmes:
        yield (
            one,
            "programme",
            "LAT",
            {"name_ar": "برنامج", "kind": "safety_net", "exclusive_with": [dice.choice(programmes)]},
        )
    for number in range(households):
        unit, home = dice.choice(UNITS), new()
        people = [new() for _ in range(4)]
        yield home, "household", unit, {
            "state": dice.choice(("registered", "verified")), "family_name": dice.choice(FAMILY), "head": people[0],
            "family_book_no": str(dice.randint(1, 10 * households)), "registered_on": day(), "location": dice.choice(places),
            "displacement": "idp", "groups": ["crisis_family"], "housing": "rented", "housing_damage": "partial",
            "phones": [f"+9639441{dice.randint(0, 99999):05}"], "size_stated": dice.randint(3, 5), "last_verified_on": day(),
        }  # fmt: skip
        for at, person in enumerate(people):
            yield person, "person", unit, {
                "household": home, "given": dice.choice(GIVEN), "father": dice.choice(GIVEN), "grandfather": dice.choice(GIVEN),
                "family": dice.choice(FAMILY), "mother": f"{dice.choice(GIVEN)} {dice.choice(FAMILY)}", "sex": dice.choice("fm"),
                "birth_date": f"{dice.randint(1940, 2025)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
                "birth_precision": "day", "nationality": "SY", "alive": "alive", "education": "primary", "wg_see": "1", "wg_hear": "1",
                "wg_walk": dice.choice("1112234"), "wg_mind": "1", "wg_self": "1", "wg_comm": "1",
                "ids": [f"national:SY:{dice.randint(10**10, 10**11 - 1)}"] if dice.random() < 0.8 else [],
            }  # fmt: skip
            yield new(), "membership", unit, {
                "household": home, "person": person, "relation": "head" if at == 0 else "son_daughter", "from_date": day(),
            }  # fmt: skip
        for _ in range(2):
            yield new(), "service", unit, {
                "person": dice.choice(people), "service_type": dice.choice(("health", "food", "cash")), "provider": dice.choice(charities),
                "given_on": recent(), "outcome": "given",
            }  # fmt: skip
        for _ in range(2):
            yield new(), "benefit", unit, {
                "recipient": home, "period": recent()[:7], "kind": dice.choice(("cash", "food")), "amount": "100.00",
                "provider": dice.choice(charities), "state": "received",
            }  # fmt: skip
        if number % 4 == 0:
            yield new(), "corner_visit", unit, {
                "corner": dice.choice(corners), "served_on": recent(), "person": dice.choice(people), "sex": dice.choice("fm"),
                "topics": ["platform_help"], "researcher": dice.choice(workers),
            }  # fmt: skip
            yield new(), "statement", unit, {
                "about": home, "requested_by": dice.choice(charities), "issued_by": dice.choice(charities), "purpose": "income",
                "state": "issued", "issued_on": recent(),
            }  # fmt: skip
            yield new(), "household_event", unit, {
                "household": home, "kind": dice.choice(("move", "birth", "death")), "event_date": recent(), "state": "verified",
                "from_location": dice.choice(places), "to_location": dice.choice(places),
            }  # fmt: skip
            yield new(), "referral", unit, {
                "person": dice.choice(people), "kind": dice.choice(("charity_help", "home_repair", "service")), "from_org": charities[0],
                "to_org": dice.choice(charities), "urgency": "urgent", "sent_on": recent(),
                "state": dice.choice(("sent", "accepted", "done")),
            }  # fmt: skip
        if number % 5 == 0:
            case = new()
            yield case, "case", unit, {
                "person": people[0], "case_type": "family", "state": dice.choice(("registered", "in_service", "closed")),
                "opened_on": recent(), "closed_on": recent(), "found_by": "self", "risk": dice.choice(("low", "medium", "high")),
                "worker": dice.choice(workers), "concerns": ["neglect"],
            }  # fmt: skip
            for _ in range(3):
                yield new(), "follow_up", unit, {
                    "case": case, "kind": "home", "due_on": recent(), "done_on": recent(), "worker": dice.choice(workers),
                    "state": dice.choice(("done", "done", "done", "planned")),
                }  # fmt: skip


def fill(node: Node, households: int, told: Callable[[str], None] = print) -> int:
    """Put the office into a store, as another device had made it; return how many records it has."""
    made, seq = 0, 0
    started = time.perf_counter()
    part: dict[str, list[State]] = {}
    with node.store.write(durable=False) as tx:
        for record, type_, unit, values in records(households, random.Random(7)):
            seq += 1
            values["_unit"], values["_code"] = unit, f"{unit[4:] or 'LAT'}-BM-{seq}"
            base = Base(OTHER, seq, (1_700_000_000_000 + seq) << 16, "Bench")
            part.setdefault(unit, []).append(State(record_ids.from_text(record), type_, base, values, {}))
            made += 1
            if len(part[unit]) == PART:
                apply_states(tx, node.rules, part.pop(unit), unit=unit, index=node.is_laptop)
        for unit, states in part.items():
            apply_states(tx, node.rules, states, unit=unit, index=node.is_laptop)
    node.store.run_maintenance()
    told(f"{made:,} records made in {time.perf_counter() - started:.0f} s")
    return made


def save_meanwhile(home: Path, begin: Event, done: Event) -> None:
    """Save a household every tenth of a second until told to stop; print how long that took."""
    node = nodes.open_node(home, lambda slots: Slots.open_keyfile(slots, SECRET))
    begin.set()
    took = []
    while not done.wait(0.1):
        started = time.perf_counter()
        save.add_record(node, "household", Changes(set={"family_name": "الحسن"}), unit=UNITS[0])
        took.append(1_000 * (time.perf_counter() - started))
    node.close()
    took.sort()
    print(
        f"meanwhile {len(took)} saves: {took[len(took) // 2]:.0f} ms at the median, {took[-1]:.0f} ms at most",
        flush=True,
    )


def main() -> None:
    """Make the office and time every report."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--households", type=int, default=100_000)
    asked.add_argument("--home", help="keep the store in this folder, and use it again")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="fieldsync-") as folder:
        home = Path(given.home or folder) / "hq"
        fresh = not home.exists()
        if fresh:
            plan = administration.ServerPlan(org="Office", unit="LAT", address="https://127.0.0.1:9")
            administration.init_server(
                home, lambda slots, key: slots.add_keyfile(key, SECRET), plan, load.shipped_texts()
            )
        node = nodes.open_node(home, lambda slots: Slots.open_keyfile(slots, SECRET))
        if fresh:
            fill(node, given.households)
        spawn = multiprocessing.get_context("spawn")
        begin, done = spawn.Event(), spawn.Event()
        writer = spawn.Process(target=save_meanwhile, args=(home, begin, done))
        writer.start()
        begin.wait()
        started = time.perf_counter()
        table_refresh.refresh_tables(node, definitions.find_report(home, "monthly"))
        print(f"sheets made or caught up in {time.perf_counter() - started:.1f} s")
        done.set()
        writer.join()
        print(f"{'report':14} {'month':>8} {'year':>8} {'rows':>8}")
        for name, report in definitions.available_reports(home).items():
            seconds, rows = [], 0
            for asked_for in ({"month": MONTH}, {"year": YEAR}):
                started = time.perf_counter()
                document = run.make_report(node, name, **asked_for)
                seconds.append(time.perf_counter() - started)
                rows = rows or len(document.rows)
            print(f"{report.name:14} {seconds[0]:6.2f} s {seconds[1]:6.2f} s {rows:8,}", flush=True)
        node.close()


if __name__ == "__main__":
    main()

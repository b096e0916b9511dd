"""How well duplicates are found, and what that costs, on noisy persons in a real encrypted store.

    python -m benchmarks.linkage 10000 100000

Part A is what the weights were looked at on; part B, with other names and other noise, was held back; list C somebody else made,
who had not seen the program. National numbers are withheld. Every figure comes through the program's own ways: import,
`duplicates scan`, `duplicates list`, and the check at `add`.
"""

import csv
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import people
from fieldsync.core import record_ids
from fieldsync.exchange.tables import import_records
from fieldsync.replica import duplicate_index
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import duplicate_pairs
from tests import cast

ASKED = 300


def main() -> None:
    """Print the table."""
    print(
        "| list | persons | true pairs | P | R | F1 | import | keys | of import | compare all | one arriving: median, p99 |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for n in map(int, sys.argv[1:] or ["10000"]):
        for part, seed, noise in (("A", 1, people.TUNED), ("B", 2, people.HELD)):
            with tempfile.TemporaryDirectory(prefix="fieldsync-linkage-") as folder:
                found = people.registrations(n, part=part, seed=seed, noise=noise)
                others = people.registrations(ASKED, part=part, seed=seed + 100, noise=noise)
                print(measured(Path(folder), part, found, others), flush=True)
    with tempfile.TemporaryDirectory(prefix="fieldsync-linkage-") as folder:
        found = people.others()
        print(measured(Path(folder), "C", found, found[:ASKED]), flush=True)


def measured(home: Path, part: str, found: list[people.Person], others: list[people.Person]) -> str:
    """Return a row of the table."""
    cast.found_office(home / "hq")
    hq = cast.open_node(home / "hq")
    cast.join_directly(hq, home / "samar", "Samar", "supervisor", ["LAT"])
    hq.close()
    node = cast.open_node(home / "samar")
    started = time.perf_counter()
    households, ids = imported(node, home, found)
    import_took = time.perf_counter() - started
    started = time.perf_counter()
    duplicate_index.update_index(node, compare=False)
    keys_took = time.perf_counter() - started
    started = time.perf_counter()
    duplicate_index.update_index(node, compare=True)
    compare_took = time.perf_counter() - started
    place = {record: at for at, record in enumerate(ids)}
    pairs = {tuple(sorted((place[pair.a], place[pair.b]))) for pair in duplicate_pairs.list_pairs(node, type="person")}
    truth = people.truth(found)
    right = len(pairs & truth)
    precision, recall = right / len(pairs), right / len(truth)
    median, high = arriving(node, others, households)
    node.close()
    return (
        f"| {part} | {len(found):,} | {len(truth):,} | {precision:.3f} | {recall:.3f} | "
        f"{2 * precision * recall / (precision + recall):.3f} | {import_took:.1f} s | {keys_took:.1f} s | "
        f"{keys_took / import_took:.0%} | {compare_took:.1f} s | {median:.2f} ms, {high:.2f} ms |"
    )


def imported(node: Node, home: Path, found: list[people.Person]) -> tuple[list[str], list[str]]:
    """Import the households, and the persons into them; return the ids of both, each in the order of the list."""
    homes = {one.household: (one.home_name, one.place, one.home_phone) for one in found}
    with (home / "households.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("family_name", "address", "phones"), *homes.values()])
    brought(node, home / "households.csv", "household")
    households = dict(zip(homes, ids_of(node, "household"), strict=True))
    fields = [
        "given",
        "father",
        "grandfather",
        "family",
        "mother",
        "name_latin",
        "aliases",
        "sex",
        "birth_date",
        "birth_precision",
        "phones",
        "household",
    ]
    with (home / "persons.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(fields)
        for one in found:
            doc, _ = people.document(one)
            told: dict[str, Any] = {
                **doc,
                "aliases": one.alias,
                "phones": one.phone,
                "household": households[one.household],
            }
            writer.writerow([told.get(name, "") for name in fields])
    brought(node, home / "persons.csv", "person")
    return list(households.values()), ids_of(node, "person")


def brought(node: Node, path: Path, type: str) -> None:
    """Import a file, of which every row must be taken."""
    told = import_records.import_file(node, path, type)
    assert not told["rejected"], told


def ids_of(node: Node, type: str) -> list[str]:
    """Return the ids of a type in the order of their making."""
    with node.store.read() as tx:
        return [record_ids.id_text(record) for record in tx.ids_of_type(type)]


def arriving(node: Node, others: list[people.Person], households: list[str]) -> tuple[float, float]:
    """Return median and 99th percentile, in milliseconds, of checking one new person against all."""
    times = []
    for at, one in enumerate(others):
        doc, _ = people.document(one)
        fields = {name: value for name, value in doc.items() if name not in ("phones", "aliases")} | {
            "household": households[at % len(households)]
        }
        changes = Changes(
            set=fields,
            put={name: told.split("; ") for name, told in (("phones", one.phone), ("aliases", one.alias)) if told},
        )
        times.append(time.perf_counter())
        duplicate_pairs.likely_duplicates(node, "person", changes)
    times.append(time.perf_counter())
    took = sorted((end - start) * 1_000 for start, end in pairwise(times))
    return statistics.median(took), took[int(len(took) * 0.99)]


if __name__ == "__main__":
    main()

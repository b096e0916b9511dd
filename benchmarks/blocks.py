"""How many duplicates meet in a block at all, by the size of the list: what recall can be at most.

    python -m benchmarks.blocks 100000 1000000

The list is by a generator of another hand (`strangers.py`), whose author did not know how persons are compared. Printed besides:
the share of true pairs that met before large blocks were split, and how many others a record is compared with.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations

from benchmarks import strangers
from fieldsync.linkage import blocks, features
from fieldsync.replica.duplicate_index import MOST

SEED = 3


def main() -> None:
    """Print the table."""
    print("| persons | true pairs | meet | without splitting | compared with |\n|---|---|---|---|---|")
    for count in map(int, sys.argv[1:] or ["100000"]):
        print(measured(count), flush=True)


def measured(count: int) -> str:
    """Return a row of the table."""
    seen = Counter(one.truth for one in strangers.registrations(count, SEED))
    several = {truth for truth, times in seen.items() if times > 1}
    del seen
    keys: dict[int, list[dict[int, tuple[int, ...]]]] = {}
    for one in strangers.registrations(count, SEED):
        if one.truth in several:
            keys.setdefault(one.truth, []).append(blocks.split_keys(features_of(one)))
    wanted = {key for of_one in keys.values() for each in of_one for key in _both(each)}
    sizes = Counter[int]()
    for one in strangers.registrations(count, SEED):
        sizes.update(key for key in _both(blocks.split_keys(features_of(one))) if key in wanted)
    met = coarse = pairs = compared = 0
    for of_one in keys.values():
        used = [set(_used(each, sizes)) for each in of_one]
        compared += sum(sizes[key] - 1 for each in used for key in each)
        for (a, mine), (b, theirs) in combinations(zip(of_one, used, strict=True), 2):
            pairs += 1
            met += not mine.isdisjoint(theirs)
            coarse += any(sizes[key] <= MOST for key in a.keys() & b.keys())
    records = sum(map(len, keys.values()))
    return f"| {count:,} | {pairs:,} | {met / pairs:.4f} | {coarse / pairs:.4f} | {compared / records:.0f} |"


def features_of(one: strangers.Person) -> features.Features:
    """Return what is compared of a registration."""
    told = {name: getattr(one, name) for name in ("given", "father", "grandfather", "family", "mother", "sex")}
    birth = {"birth_date": one.birth_date} if len(one.birth_date) == 10 else {}
    if one.birth_date and not birth:
        birth = {"birth_date": f"{one.birth_date}-01-01"[:10], "birth_precision": "year"}
    return features.features_of("person", {**told, **birth, "phones": [one.phone] if one.phone else []})


def _both(keys: dict[int, tuple[int, ...]]) -> Iterator[int]:
    yield from keys
    for smaller in keys.values():
        yield from smaller


def _used(keys: dict[int, tuple[int, ...]], sizes: Counter[int]) -> Iterable[int]:
    for key, smaller in keys.items():
        if sizes[key] <= MOST:
            yield key
        else:
            yield from (one for one in smaller if sizes[one] <= MOST)


if __name__ == "__main__":
    main()

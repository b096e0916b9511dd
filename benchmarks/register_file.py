"""The file of an old register for `benchmarks.million`: households of four persons, one unit's spread over the whole of it."""

import random
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import strangers

PERSONS = 4
UNIT, HOMES = "LAT/JBL/HOME", 1_000  # the measured unit, and its households
UNITS = [f"LAT/{branch}/U{number}" for branch in "ABCDEFGHIJKLMNOPQRST" for number in range(10)]
SEED = 5


def write_file(path: Path, households: int) -> None:
    """Write the file that `server load` takes."""
    persons = strangers.registrations(households * PERSONS, SEED)
    chance, each = random.Random(SEED), households // HOMES
    with path.open("wb") as file:
        for number in range(households):
            home = number % each == 0 and number // each < HOMES
            members = list(islice(persons, PERSONS))
            group = {"unit": UNIT if home else chance.choice(UNITS), "records": list(_group(number, members))}
            file.write(msgspec.json.encode(group) + b"\n")


def _group(number: int, members: Sequence[strangers.Person]) -> Iterator[dict[str, Any]]:
    yield {"type": "household", "as": "h", "fields": household_fields(number, members[0])}
    for one in members:
        yield {"type": "person", "fields": person_fields(one) | {"household": {"ref": "h"}}}


def household_fields(number: int, first: strangers.Person) -> dict[str, Any]:
    """Return the fields of a household; its phones, if any, are a set."""
    fields: dict[str, Any] = {
        "family_name": first.family, "location": first.place, "size_stated": PERSONS, "housing": "rented",
        "registered_on": "2024-10-01", "family_book_no": f"{number}",
    }  # fmt: skip
    return fields | ({"phones": [first.phone]} if first.phone else {})


def person_fields(one: strangers.Person) -> dict[str, Any]:
    """Return the fields of a person, without the household."""
    told = {name: getattr(one, name) for name in ("given", "father", "grandfather", "family", "mother", "sex")}
    told["birth_date"] = one.birth_date if len(one.birth_date) == len("2016-05-12") else ""
    kinds = {"birth_precision": "day", "alive": "alive", "nationality": "SY"}
    return {name: value for name, value in told.items() if value} | kinds

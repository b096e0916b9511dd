"""The results of the demo and their display."""

from collections.abc import Sequence

from msgspec import Struct

from fieldsync.api import Fetched, Sent
from fieldsync.ui.views.tables import Tables


class StoryCost(Struct, frozen=True):
    """The cost of a sync in the demo.

    who: the folder of the computer that synced.
    requests: the number of requests.
    """

    who: str
    up: Sent
    down: Fetched
    requests: int
    seconds: float


class StoryTold(Struct, frozen=True):
    """A story with the expected result.

    record: the code of the family that it is about.
    digests: of the records of the story's unit, by computer; all are equal.
    costs: sync by sync.
    """

    ok: bool
    seconds: float
    record: str
    digests: dict[str, str]
    costs: list[StoryCost]


class TreeTold(Struct, frozen=True):
    """The tree story with the expected result.

    record: the code of the family that it is about.
    digests: of the records of each unit, by computer; those of a unit are equal.
    costs: sync by sync.
    """

    ok: bool
    seconds: float
    record: str
    digests: dict[str, dict[str, str]]
    costs: list[StoryCost]


class StoryFailed(Struct, frozen=True):
    """A story with an unexpected result.

    fault: the difference.
    """

    ok: bool
    fault: str


class ExamplePerson(Struct, frozen=True):
    """A person of the example office.

    home: the folder of the laptop's store.
    """

    home: str
    person: str
    role: str
    unit: str


class ExampleOffice(Struct, frozen=True):
    """An example office to try all commands on.

    office: its folder.
    key: the key file that opens all its stores.
    start: the commands that start its server.
    records: the number of records, by type.
    conflicts: the number of open conflicts.
    duplicates: the number of possible duplicates.
    overlaps: the number of overlaps.
    """

    office: str
    key: str
    start: list[str]
    people: list[ExamplePerson]
    records: dict[str, int]
    conflicts: int
    duplicates: int
    overlaps: int
    seconds: float


def show_costs(out: Tables, costs: Sequence[StoryCost]) -> None:
    """Draw what each sync cost."""
    rows: list[list[object]] = [
        [
            one.who,
            *(f"{n:,}" for n in (one.up.commits, one.down.states, one.up.bytes, one.down.bytes)),
            one.requests,
            f"{one.seconds:.2f}",
        ]
        for one in costs
    ]
    names = ("who", "sent", "fetched", "up", "down", "requests", "seconds")
    out.table([out.phrase(f"column_{name}") for name in names], rows)


def show_office(out: Tables, made: ExampleOffice) -> None:
    """Print the example office's people, pending work and next steps."""
    out.say("office_built", seconds=made.seconds)
    out.line(f"  {made.office}")
    out.say("office_people")
    rows: list[list[object]] = [[one.home, one.person, out.phrase(f"role_{one.role}"), one.unit] for one in made.people]
    out.table([out.phrase(f"column_{name}") for name in ("laptop", "person", "role", "unit")], rows)
    out.say("office_waits", conflicts=made.conflicts, duplicates=made.duplicates, overlaps=made.overlaps)
    out.say("office_start")
    for command in made.start:
        out.line(f"  {command}")
    first = made.people[0]
    out.say("office_next", person=first.person)
    out.line(f"  {made.start[0]}")
    out.line(f"  fieldsync --home {first.home} agenda")

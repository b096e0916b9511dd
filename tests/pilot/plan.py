"""Who takes part in the pilot, who updates when, and what happens on which day."""

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

FIRST = dt.date(2026, 11, 1)  # a Sunday
NEVER = 99


class Branch(NamedTuple):
    """A branch: its computer, unit, the day of its update, and whether bundles on a USB stick are its only connection."""

    name: str
    unit: str
    update: int
    stick: bool = False


class Person(NamedTuple):
    """A laptop's user: role, unit, the server it syncs with, the day of its update, days away from work."""

    name: str
    role: str
    unit: str
    server: str
    update: int
    away: range = range(0)


Event = tuple[str, ...]  # a method of tests.pilot.events.Events, and its arguments


class Plan(NamedTuple):
    """A whole pilot."""

    days: int
    update: int  # headquarters'
    branches: tuple[Branch, ...]
    people: tuple[Person, ...]
    events: Mapping[int, tuple[Event, ...]]
    seed: int = 2026

    def is_weekend(self, day: int) -> bool:
        """Return whether offices are closed: Friday and Saturday."""
        return (FIRST + dt.timedelta(days=day - 1)).weekday() in {4, 5}


JBL, QRD, HFA = "LAT/JBL", "LAT/QRD", "LAT/HFA"

MONTH = Plan(
    days=30,
    update=15,
    branches=(Branch("jbl", JBL, 15), Branch("qrd", QRD, 29), Branch("hfa", HFA, 16, stick=True)),
    people=(
        Person("Samar", "supervisor", "LAT", "hq", 15),
        Person("Huda", "admin", "LAT", "hq", 16),
        Person("Amal", "caseworker", JBL, "jbl", 16),
        Person("Basim", "caseworker", JBL, "jbl", 17),
        Person("Dina", "caseworker", JBL, "jbl", 16),
        Person("Elias", "caseworker", JBL, "jbl", 23),
        Person("Rima", "caseworker", QRD, "qrd", 29),
        Person("Nour", "caseworker", QRD, "qrd", 18),
        Person("Omar", "caseworker", QRD, "qrd", 30),
        Person("Hala", "caseworker", HFA, "hfa", 16),
        Person("Jamal", "caseworker", HFA, "hfa", 19, range(22, 30)),
        Person("Karim", "caseworker", HFA, "hfa", 18),
    ),
    events={
        2: (("disagree", "Amal", "Basim"),),
        4: (("wrong_clock", "Omar"),),
        8: (("move", "Amal", QRD),),
        9: (("settle", "Samar"), ("right_clock", "Omar")),
        11: (("disagree", "Rima", "Nour"),),
        16: (("publish",),),
        17: (("disagree", "Amal", "Elias"),),
        18: (("lose", "Dina"),),
        19: (("replace", "Dina"), ("visit", "Nour")),
        22: (("fill_disk", "jbl"), ("move", "Basim", QRD)),
        24: (("free_disk", "jbl"), ("disagree", "Hala", "Karim")),
        25: (("lose_headquarters", "Samar"), ("remove", "Huda")),
        26: (("fleet",),),
        29: (("disagree", "Rima", "Nour"), ("fleet",), ("rehearse",)),
    },
)

SHORT = Plan(
    days=6,
    update=3,
    branches=(Branch("jbl", JBL, 4),),
    people=(
        Person("Samar", "supervisor", "LAT", "hq", 3),
        Person("Amal", "caseworker", JBL, "jbl", 6),
        Person("Basim", "caseworker", JBL, "jbl", 4),
        Person("Dina", "caseworker", JBL, "jbl", 6),
    ),
    events={
        2: (("disagree", "Amal", "Basim"),),
        3: (("publish",), ("lose", "Dina")),
        4: (("fill_disk", "jbl"),),
        5: (("free_disk", "jbl"), ("replace", "Dina"), ("lose_headquarters", "Samar"), ("fleet",)),
        6: (("rehearse",),),
    },
)

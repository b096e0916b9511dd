"""Device renewal killed with kill -9: the next sync completes it, and nothing is lost or duplicated."""

import random
import shutil

from fieldsync.authority import integrity
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests import directly, kills, warm
from tests.cast import JBL, copy_node, rows
from tests.offices import Office
from tests.scale import LONG

PARTS = 40 if LONG else 6


def test_a_killed_renewal_is_completed_by_the_next_sync(own_office: Office) -> None:
    """The clone's `sync` is killed at different moments; both copies' work is present once in the end."""
    office = own_office
    office.register("amal", 3)
    case = save.add_record(office["amal"], "case", Changes(count={"reopen_count": 1}), unit=JBL)
    office.sync("amal")
    office.shut("amal")
    copy_node(office.home / "amal", office.home / "clone")
    for name, count in (("amal", 10), ("clone", 100)):
        for _ in range(2):
            save.add_record(office[name], "household", Changes(set={"family_name": name}))
        save.edit_record(office[name], case.hex(), Changes(count={"reopen_count": count}))
    office.sync("amal")
    before = office["clone"].device
    names = ("hq", "amal", "clone")
    for name in names:
        office.shut(name)
    office.server.stop()
    for name in names:
        copy_node(office.home / name, office.home / "before" / name)

    def as_before() -> None:
        if office.server.running:
            office.server.kill()
        for name in names:
            shutil.rmtree(office.home / name)
            copy_node(office.home / "before" / name, office.home / name)
        office.server.start()

    def start() -> warm.Process:
        return office.begin("clone", "sync")

    found: set[tuple[bool, bool]] = set()  # whether it has a key to become another, whether it is what it was
    for _ in kills.all_over(start, as_before, found, parts=PARTS, chance=random.Random(12)):
        with office["clone"].store.read() as tx:
            found.add((tx.settings.renewing_key is not None, office["clone"].device == before))
        office.shut("clone")
        for _ in range(2):
            for name in ("clone", "amal", "clone"):
                office.sync(name)
            directly.approve(office["amal"], office["clone"], hq=office["hq"])
        office.equal("amal", "clone")
        assert len({before, office["amal"].device, office["clone"].device}) == 3
        assert all(integrity.check_integrity(office[name]).ok for name in names)
        held = rows(office["hq"])
        assert held[case].doc["reopen_count"] == 111
        assert sum(row.state.type == "household" for row in held.values()) == 3 + 2 + 2
        for name in names:
            office.shut(name)

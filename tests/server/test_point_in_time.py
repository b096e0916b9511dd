"""The database was put back to an earlier time: `server restore --in-place` tells the store, and laptops give what it lost."""

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.crypto.slots import Slots
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.store import database_address, name_database
from fieldsync.topology import backups, store_epochs
from tests import postgresql
from tests.cast import JBL, rows, unlock
from tests.conftest import Cast
from tests.directly import differing, sync
from tests.offices import Office
from tests.reports.desk import Desk
from tests.reports.test_database_tables import compare
from tests.server.test_two_processes import issue_statement

pytestmark = pytest.mark.parametrize("headquarters_store", ["postgresql"], indirect=True)


def go_back(people: Cast, earlier: str) -> None:
    """Have headquarters' store be an earlier one."""
    people.hq.close()
    name_database(people.home / "hq", key_of(people), earlier)
    people.hq = people.open("hq")


def key_of(people: Cast) -> bytes:
    """Return the key of headquarters' store."""
    return unlock(Slots.from_bytes((people.home / "hq" / "slots.json").read_bytes()))


def copy_of_now(people: Cast) -> str:
    """Return the address of a copy of headquarters' database as it is now."""
    people.hq.close()
    address = database_address(people.home / "hq", key_of(people))
    assert address is not None
    copied = postgresql.copy_database(address)
    people.hq = people.open("hq")
    return copied


def test_laptops_give_what_the_database_lost(people: Cast) -> None:
    """Saves before and after the moment are there again, once, and the laptops know of the new store epoch."""
    register = "household", Changes(set={"family_name": "Ahmad"})
    save.add_record(people.amal, *register, unit=JBL)
    sync(people.amal, people.hq)
    sync(people.samar, people.hq)
    earlier = copy_of_now(people)
    later = [save.add_record(node, *register, unit=JBL) for node in (people.amal, people.samar)]
    for node in (people.amal, people.samar, people.amal):
        sync(node, people.hq)
    with people.hq.store.read() as tx:
        epoch = tx.settings.epoch
    go_back(people, earlier)
    assert len(rows(people.hq)) == 1
    assert backups.restore_in_place(people.hq).records == 1
    with people.hq.store.read() as tx:
        assert tx.settings.epoch != epoch
    for node in (people.samar, people.amal, people.samar, people.amal):
        sync(node, people.hq)
    assert set(later) < rows(people.hq).keys()
    assert [differing(node, people.hq) for node in (people.amal, people.samar)] == [[], []]
    assert integrity.check_integrity(people.hq).faults == []
    with people.hq.store.read() as tx, people.amal.store.read() as mine:
        assert store_epochs.last_epoch_of(mine, mine.servers()[0].id) == tx.settings.epoch
        assert tx.log_head(people.amal.device) == mine.log_head(people.amal.device)


def test_serials_go_on_in_a_series_of_their_own(people: Cast) -> None:
    """The database lost the second serial: no other statement gets it."""
    home = save.add_record(people.amal, "household", Changes(set={"family_name": "Ahmad"}), unit=JBL)
    issue_statement(people.amal, home)
    sync(people.amal, people.hq)
    sync(people.basim, people.hq)
    earlier = copy_of_now(people)
    issue_statement(people.amal, home)
    sync(people.amal, people.hq)
    assert serials(people) == ["LAT-2026-1", "LAT-2026-2"]
    go_back(people, earlier)
    backups.restore_in_place(people.hq)
    for _ in range(2):
        issue_statement(people.basim, home)
        sync(people.basim, people.hq)
    with people.hq.store.read() as tx:
        series = tx.settings.serial_series
    assert serials(people) == ["LAT-2026-1", f"LAT-2026-{series}-1", f"LAT-2026-{series}-2"]


def serials(people: Cast) -> list[str]:
    """Return the serials that headquarters holds."""
    return sorted(str(row.doc["serial"]) for row in rows(people.hq).values() if row.state.type == "statement")


def test_reports_are_of_the_earlier_time(people: Cast) -> None:
    """The tables of this computer's reports, caught up since the moment, are made anew without anybody's hand."""
    desk = Desk(people.hq)
    home = desk.add("household", JBL, family_name="الحسن")
    person = desk.add("person", given="مريم", sex="f", household=home)
    earlier = copy_of_now(people)
    Desk(people.hq).edit(person, birth_date="1990-01-01")
    compare(people.hq, people.home / "before")
    go_back(people, earlier)
    backups.restore_in_place(people.hq)
    compare(people.hq, people.home / "after")


def test_the_command_stands_alone(own_office: Office) -> None:
    """It takes no file and no rehearsal; a laptop has nothing to restore in place."""
    own_office.server.stop()
    before = own_office.json("hq", "server", "devices")
    for words in (("x.fsbackup",), ("--rehearse",)):
        assert own_office.run("hq", "server", "restore", "--in-place", *words).returncode == errors.Usage.exit
    assert own_office.run("amal", "server", "restore", "--in-place").returncode == errors.Usage.exit
    assert own_office.json("hq", "server", "restore", "--in-place")["kind"] == "server"
    assert own_office.json("hq", "server", "devices") == before

"""Two server processes on one database meet the same devices at the same moment."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.crypto.keys import DeviceKey
from fieldsync.protocol import invites
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.server import administration, enrolment
from tests.cast import JBL, copy_cast, fill, join_request, open_node, rows
from tests.directly import sync
from tests.tree import enrol_branch

pytestmark = pytest.mark.parametrize("headquarters_store", ["postgresql"], indirect=True)


@pytest.fixture
def processes(cast_template: Path, tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    """Return headquarters as two processes have it open; the cast is in the folder."""
    copy_cast(cast_template, tmp_path)
    both = open_node(tmp_path / "hq"), open_node(tmp_path / "hq")
    yield both
    for node in both:
        node.close()


def at_once(*works: Callable[[], object]) -> list[object]:
    """Do all at the same moment; return what each returned, or raised."""
    start, found = threading.Barrier(len(works)), dict[int, object]()

    def run(number: int, work: Callable[[], object]) -> None:
        start.wait()
        try:
            found[number] = work()
        except errors.FieldsyncError as fault:
            found[number] = fault

    threads = [threading.Thread(target=run, args=one) for one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(len(works))]


def test_an_invite_is_used_once(processes: tuple[Node, Node]) -> None:
    """Of two devices that bring it to two processes, one is enrolled and the other refused; ten times."""
    for number in range(10):
        invite = invites.parse_invite(
            administration.make_invite(processes[0], f"Huda {number}", "caseworker", [JBL]).invite
        )
        keys = [DeviceKey.from_bytes(bytes([number, one]) * 16) for one in range(2)]
        done = at_once(
            *(
                lambda node=node, key=key: enrolment.enrol_device(node, join_request(invite, key))  # type: ignore[misc]
                for node, key in zip(processes, keys, strict=True)
            )
        )
        assert sorted(isinstance(one, errors.FieldsyncError) for one in done) == [False, True]
        with processes[1].store.read() as tx:
            assert sum(tx.device(key.device) is not None for key in keys) == 1


def test_letters_have_no_twins(processes: tuple[Node, Node]) -> None:
    """Ten devices join at two processes."""
    told = []
    for number in range(5):
        requests = []
        for node in processes:
            made = administration.make_invite(node, f"Huda {number}", "caseworker", [JBL])
            key = DeviceKey.from_bytes(bytes([100 + number, len(requests)]) * 16)
            requests.append((node, join_request(invites.parse_invite(made.invite), key)))
        told += at_once(*(lambda one=one: enrolment.enrol_device(*one) for one in requests))  # type: ignore[misc]
    letters = [one.letters for one in told]  # type: ignore[attr-defined]
    assert len(set(letters)) == len(letters) == 10


def test_a_laptop_s_push_reaches_two_processes_at_once(processes: tuple[Node, Node], tmp_path: Path) -> None:
    """Its copy sends the same: each save is there once, and both know it."""
    amal = open_node(tmp_path / "amal")
    for name in ("Ahmad", "Basil", "Dana"):
        save.add_record(amal, "household", Changes(set={"family_name": name}), unit=JBL)
    amal.close()
    shutil.copytree(tmp_path / "amal", tmp_path / "again")
    same = [open_node(tmp_path / name) for name in ("amal", "again")]
    done = at_once(*(lambda one=one: sync(*one) for one in zip(same, processes, strict=True)))  # type: ignore[misc]
    assert not [
        one for one in done if isinstance(one, errors.FieldsyncError) and not isinstance(one, errors.StaleNonce)
    ]
    for node in processes:
        assert len(rows(node)) == 3
        assert integrity.check_integrity(node).faults == []
        with node.store.read() as tx:
            assert tx.log_head(same[0].device) == 3
    for node in same:
        node.close()


def issue_statement(node: Node, home: bytes, day: str = "2026-03-01") -> None:
    """Issue a statement about a family: its serial is the server's to give."""
    fields = {
        "about": home.hex(), "requested_by": "جمعية", "issued_by": "المكتب", "purpose": "income", "body": "نص", "issued_on": day,
    }  # fmt: skip
    record = save.add_record(node, "statement", Changes(set=fields))
    for state in ("drafted", "issued"):
        save.edit_record(node, record.hex(), Changes(set={"state": state}))


def test_serial_numbers_have_no_twins_and_no_gaps(processes: tuple[Node, Node], tmp_path: Path) -> None:
    """Two laptops send statements of two years to two processes at once; each process goes on where the other one was."""
    laptops = [open_node(tmp_path / name) for name in ("amal", "basim")]
    for _ in range(2):
        for node in laptops:
            home = save.add_record(node, "household", Changes(set={"location": "Jableh"}), unit=JBL)
            for day in ("2026-03-01", "2025-03-01", "2026-03-02"):
                issue_statement(node, home, day)
        at_once(*(lambda one=one: sync(*one) for one in zip(laptops, processes, strict=True)))  # type: ignore[misc]
    given = [str(row.doc["serial"]) for row in rows(processes[0]).values() if row.state.type == "statement"]
    assert sorted(given) == [
        f"LAT-{year}-{number}" for year, last in ((2025, 4), (2026, 8)) for number in range(1, last + 1)
    ]
    for node in laptops:
        node.close()


def test_a_process_knows_what_another_one_attached(processes: tuple[Node, Node], tmp_path: Path) -> None:
    """One process makes the server a branch, with other letters: the other one gives serials in its new name at once."""
    plan = administration.ServerPlan(org="Ministry", unit="LAT", address="https://127.0.0.1:9")
    with processes[0].store.read() as tx:
        administration.init_server(tmp_path / "top", fill, plan, tx.settings.schema_texts)
    top, amal = open_node(tmp_path / "top"), open_node(tmp_path / "amal")
    issue_statement(amal, save.add_record(amal, "household", Changes(set={"location": "Jableh"}), unit=JBL))
    enrol_branch(top, processes[0], "LAT")
    before = amal.device
    sync(amal, processes[1])
    given = [row.doc["serial"] for row in rows(processes[1]).values() if row.state.type == "statement"]
    assert given == ["LAT-2026-1"]
    assert amal.device == before, "she is not told that her device was copied"
    sync(processes[0], top)
    assert [(node.letters, node.org) for node in processes] == [("B", "Ministry")] * 2
    for node in (top, amal):
        node.close()

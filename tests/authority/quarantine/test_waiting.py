"""Quarantined commits are judged again when the record, commit or form they await arrives, and cost nothing until then."""

import secrets
from typing import Any

import pytest

from fieldsync.authority.permissions import Permit
from fieldsync.core import codes, record_ids
from fieldsync.core.commit import Commit
from fieldsync.core.register import Head, Value
from fieldsync.core.settle import pack_head
from fieldsync.replica import commit_writer, queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.store.contract import PERSON, WaitKey, commit_key, form_key, record_key
from tests import directly
from tests.cast import JBL, QRD, open_node, rows
from tests.conftest import Cast
from tests.handmade import HandMade
from tests.offices import write


def waiting(node: Node) -> int:
    """Return how many commits wait on a server."""
    with node.store.read() as tx:
        return sum(map(len, tx.waiting_commits().values()))


def awaited(node: Node) -> list[WaitKey]:
    """Return what commits wait for on a server."""
    with node.store.read() as tx:
        return [WaitKey(kind, what) for kind, what, *_ in tx.sql("SELECT * FROM awaited ORDER BY kind, what")]


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of each commit that a server judges."""
    found: list[int] = []
    objection = Permit.find_objection

    def counting(permit: Permit, commit: Commit) -> Any:
        found.append(commit.seq)
        return objection(permit, commit)

    monkeypatch.setattr(Permit, "find_objection", counting)
    return found


def test_commits_awaiting_a_missing_record_are_not_judged_by_other_syncs(people: Cast, judged: list[int]) -> None:
    """Basim edits 300 unknown records; when Amal syncs, only her own commits are judged."""
    for _ in range(300):
        write(people.basim, secrets.token_bytes(16), {"location": "x"})
    assert directly.sync(people.basim, people.hq).refused == 300
    judged.clear()
    save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    assert directly.sync(people.amal, people.hq).refused == 0
    assert len(judged) == 1
    directly.sync(people.basim, people.hq)
    assert len(judged) == 1
    assert waiting(people.hq) == 300


def test_an_edit_that_arrives_before_its_record_is_applied_later(people: Cast, judged: list[int]) -> None:
    """Basim's edit of Amal's record arrives first; it is quarantined and applied once hers arrives."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    write(people.basim, record, {"location": "by the well"})
    write(people.basim, secrets.token_bytes(16), {"location": "x"})
    assert directly.sync(people.basim, people.hq).refused == 2
    assert record_key(record) in awaited(people.hq)
    judged.clear()
    directly.sync(people.amal, people.hq)
    assert len(judged) == 2  # hers, and the one of his that waited for it
    assert rows(people.hq)[record].doc["location"] == "by the well"
    assert waiting(people.hq) == 1
    directly.sync(people.basim, people.hq)
    assert [one["seq"] for one in queries.status(people.basim).refused] == [2]


def test_saves_await_the_move_of_their_family(people: Cast, judged: list[int]) -> None:
    """Basim's family moved to Amal's unit, unknown to headquarters: her saves are quarantined until the move arrives, then judged once."""
    family = save.add_record(people.basim, "household", Changes(set={"family_name": "أحمد"}), unit=QRD)
    child = save.add_record(
        people.basim, "person", Changes(set={"given": "علي", "household": record_ids.id_text(family)})
    )
    directly.sync(people.basim, people.hq)
    directly.sync(people.samar, people.hq)
    write(people.amal, family, {"location": "by the well"})
    write(people.amal, child, {"family": "حسن"}, type="person")
    with people.amal.store.write() as tx:
        code = commit_writer.next_code(people.amal, tx, JBL)[0]
    write(
        people.amal,
        people.amal.new_id(),
        {"_code": code, "_unit": JBL, "given": "سلمى", "household": record_ids.id_text(family)},
        type="person",
    )
    directly.sync(people.amal, people.hq)
    assert [one["code"] for one in queries.status(people.amal).refused] == ["no_record"] * 3
    save.edit_record(people.basim, family.hex(), Changes(set={"address": "x"}))
    judged.clear()
    directly.sync(people.basim, people.hq)
    assert len(judged) == 1
    transfer.transfer_record(people.samar, family.hex(), JBL)
    directly.sync(people.samar, people.hq)
    assert len(judged) == 5
    there = rows(people.hq)
    assert (there[family].doc["location"], there[child].doc["family"]) == ("by the well", "حسن")
    directly.sync(people.amal, people.hq)
    assert queries.status(people.amal).refused == []


def test_due_commits_are_judged_in_portions(people: Cast, judged: list[int]) -> None:
    """Basim's 50 edits await Amal's record: her sync judges twenty, the next syncs the rest."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    write(people.basim, record, *({"location": f"x {i}"} for i in range(50)))
    directly.sync(people.basim, people.hq)
    judged.clear()
    directly.sync(people.amal, people.hq)
    assert (len(judged), waiting(people.hq)) == (21, 30)
    for _ in range(2):
        save.edit_record(people.amal, record.hex(), Changes(set={"address": secrets.token_bytes(4).hex()}))
        directly.sync(people.amal, people.hq)
    assert waiting(people.hq) == 0


def test_quarantined_commits_survive_an_upgrade(people: Cast) -> None:
    """A server is upgraded while Basim's edit is quarantined; it is indexed, and applied when Amal's record arrives."""
    record = save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    write(people.basim, record, {"location": "by the well"})
    directly.sync(people.basim, people.hq)
    with people.hq.store.write() as tx:  # as 0.1 had it
        for statement in (
            "DROP TABLE awaited", "DROP INDEX refusal_by_arrival", "DROP INDEX refusal_due", "DROP TABLE quarantine_act",
            "ALTER TABLE refusal DROP COLUMN at", "DELETE FROM _sqlite_migrations WHERE name = '0002_quarantine'",
            "PRAGMA user_version = 1",
        ):  # fmt: skip
            tx.sql(statement)
    people.hq.close()
    people.hq = open_node(people.home / "hq", people.clock)
    assert awaited(people.hq) == [record_key(record)]
    directly.sync(people.amal, people.hq)
    assert rows(people.hq)[record].doc["location"] == "by the well"
    assert (waiting(people.hq), awaited(people.hq)) == (0, [])


def test_commits_awaiting_a_person_are_due_for_nothing_else(people: Cast) -> None:
    """A commit that awaits a person is not judged by arrivals; one that awaits a commit is due when that is judged."""
    write(people.basim, secrets.token_bytes(16), {"location": "x"}, {"location": "y"}, {"location": "z"})
    directly.sync(people.basim, people.hq)
    me = people.basim.device
    with people.hq.store.write() as tx:
        reason = tx.refusals(me)[0]
        assert reason[1] == "no_record"
        for seq, key in ((1, PERSON), (2, commit_key(me, 1)), (3, form_key("household"))):
            tx.sql("DELETE FROM awaited WHERE seq = ?", (seq,))
            tx.sql("INSERT INTO awaited VALUES (?,?,?,?)", (key.kind, key.what, tx.device_number(me), seq))
        tx.wake_waiting([record_key(secrets.token_bytes(16)), form_key("person")])
        tx.wake_commits(secrets.token_bytes(16))
        assert tx.due_commits(9) == {}
        tx.wake_waiting([form_key("household")])
        assert tx.due_commits(9) == {me: [3]}
        tx.accept_commit(me, 1)
        assert tx.due_commits(9) == {me: [2, 3]}


def test_a_decision_about_a_code_waits_for_the_commits_that_gave_it(people: Cast) -> None:
    """Samar chose the code that Basim's copied laptop gave a family of Amal's: it waits for his commit, not for hers, which is here."""
    family = save.add_record(people.amal, "household", Changes(set={"family_name": "أحمد"}), unit=JBL)
    for node in (people.amal, people.samar):
        directly.sync(node, people.hq)
    with people.hq.store.write() as tx:
        tx.set_device_state(people.basim.device, "forked")
    theirs = Head(people.basim.device, 1, 1, "Basim", codes.make_code(JBL, people.basim.letters, 9))
    decided: dict[str, Value] = {
        "_code": theirs.value,
        "_decided/_code": {"heads": [pack_head(theirs)], "base": None, "note": None},
    }
    named = tuple(sorted([(people.amal.device, 1), (people.basim.device, 1)]))
    context = ((tuple(decided), named),)
    assert HandMade(people.samar, people.hq).write(decided, record=family, context=context) == "illegal_value"
    assert awaited(people.hq) == [commit_key(people.basim.device, 1)]

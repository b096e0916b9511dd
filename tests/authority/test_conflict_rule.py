"""The conflict rule: which heads an edit covers, and that only an authorised decision ends a conflict between people."""

from collections.abc import Iterator

import pytest

from fieldsync import errors
from fieldsync.core import deletion, record_ids
from fieldsync.core.register import Value
from fieldsync.core.state import canonical_bytes, register_of
from fieldsync.protocol import ack_lists
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.server import SyncServer
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import commit_writer, history, queries, save
from fieldsync.replica.changes import Changes, Draft
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.store.sql.commit_log_queries import SqlCommitReads
from fieldsync.wire.messages import Ack
from tests import directly
from tests.cast import JBL, join_directly, rows
from tests.conftest import Cast

FIELD = "location"


@pytest.fixture
def family(people: Cast) -> bytes:
    """A family in Jableh that everybody has; Samar registered it, so that what she wrote is nobody's part in a conflict."""
    record = save.add_record(people.samar, "household", Changes(set={"family_name": "محمد", FIELD: "m"}), unit=JBL)
    sync(people, people.samar, people.amal, people.basim)
    return record


@pytest.fixture
def phone(people: Cast) -> Iterator[Node]:
    """Amal's second device."""
    join_directly(people.hq, people.home / "phone", "Amal", "caseworker", [JBL], device="phone")
    node = people.open("phone")
    yield node
    node.close()


def sync(people: Cast, *nodes: Node) -> list[int]:
    """Sync in turn; return how many commits of each were quarantined by it."""
    return [directly.sync(node, people.hq).refused for node in nodes]


def edit(node: Node, record: bytes, value: str, field: str = FIELD) -> None:
    """Edit a field as the command does."""
    save.edit_record(node, record.hex(), Changes(set={field: value}))


def forge(node: Node, record: bytes, value: Value, seen: dict[bytes, int], field: str = FIELD) -> None:
    """Save with a context that no command would make."""
    with node.store.write() as tx:
        commit_writer.commit_drafts(node, tx, [Draft(record, "household", 1, {field: value}, {field: seen})])


def head(node: Node, record: bytes, field: str = FIELD) -> dict[bytes, int]:
    """Return a device's own head of a field, as a context names it."""
    heads = register_of(rows(node)[record].state, field).heads
    return {one.device: one.seq for one in heads if one.device == node.device}


def seen(node: Node, record: bytes, field: str = FIELD) -> dict[bytes, int]:
    """Return all that a laptop has seen of a field."""
    return dict(register_of(rows(node)[record].state, field).seen)


def values(node: Node, record: bytes, field: str = FIELD) -> list[Value]:
    """Return what is to be decided of a field: nothing where it is not in conflict."""
    items = [item for item in decisions.conflicts_of(node, record.hex()) if item.field == field]
    return sorted(one.value for item in items for one in item.heads)


def equal(people: Cast, *nodes: Node) -> None:
    """Assert that these laptops hold what headquarters holds, byte for byte."""
    theirs = rows(people.hq)
    for node in nodes:
        assert directly.differing(node, people.hq) == []
        for record, row in rows(node).items():
            assert canonical_bytes(row.state) == canonical_bytes(theirs[record].state)
            assert (row.doc, row.conflicts.keys()) == (theirs[record].doc, theirs[record].conflicts.keys())


def refusals(node: Node) -> list[str]:
    """Return the codes of a person's own quarantined commits."""
    return [one["code"] for one in queries.status(node).refused]


def test_an_edit_replaces_only_the_author_s_own_head(people: Cast, family: bytes) -> None:
    """Amal's and Basim's heads conflict and his is shown: her next edit replaces hers only, and the conflict stays open."""
    edit(people.amal, family, "amal")
    people.clock.now += 1_000
    edit(people.basim, family, "basim")
    sync(people, people.amal, people.basim, people.amal)
    assert rows(people.amal)[family].doc[FIELD] == "basim"
    edit(people.amal, family, "amal again")
    assert values(people.amal, family) == ["amal again", "basim"]
    assert sync(people, people.amal, people.basim, people.samar) == [0, 0, 0]
    assert values(people.hq, family) == ["amal again", "basim"]
    equal(people, people.amal, people.basim, people.samar)


def test_adopting_the_other_value_hides_no_head(people: Cast, family: bytes) -> None:
    """Over Samar's value Amal writes x and Basim y; Huda, who saw only Amal's, writes y over it: x stays visible."""
    join_directly(people.hq, people.home / "huda", "Huda", "caseworker", [JBL])
    huda = people.open("huda")
    edit(people.amal, family, "x")
    edit(people.basim, family, "y")
    sync(people, people.amal, huda)
    edit(huda, family, "y")
    assert sync(people, huda, people.basim, people.samar, huda) == [0, 0, 0, 0]
    assert values(people.samar, family) == ["y", "y"]
    lost = [
        one
        for one in history.history(people.hq, family.hex())
        if FIELD in one.changes and one.changes[FIELD].new == "x"
    ]
    assert [one.by for one in lost] == ["Amal"]
    equal(people, huda, people.basim, people.samar)
    huda.close()


def test_a_forged_context_ends_no_conflict(people: Cast, family: bytes) -> None:
    """Huda's commit names both values, or omits what Amal's had replaced; neither ends the conflict."""
    join_directly(people.hq, people.home / "huda", "Huda", "caseworker", [JBL])
    huda = people.open("huda")
    edit(people.amal, family, "x")
    edit(people.basim, family, "y")
    sync(people, people.amal, people.basim, huda)
    base = head(people.samar, family)
    forge(huda, family, "y", {**base, **head(people.amal, family), **head(people.basim, family)})
    assert sync(people, huda) == [1]
    forge(huda, family, "y", head(people.amal, family))
    assert sync(people, huda) == [1]
    assert refusals(huda) == ["undecided", "undecided"]
    assert values(people.hq, family) == ["x", "y"]
    sync(people, people.amal, people.basim, huda)
    equal(people, people.amal, people.basim, huda)
    huda.close()


def test_an_incomplete_context_hides_no_value(people: Cast, family: bytes) -> None:
    """Amal replaces Basim's value, then claims in the next commit to have seen only hers: no value is hidden."""
    edit(people.basim, family, "x")
    sync(people, people.basim, people.amal)
    edit(people.amal, family, "z")
    sync(people, people.amal)
    join_directly(people.hq, people.home / "huda", "Huda", "caseworker", [JBL])
    huda = people.open("huda")
    forge(huda, family, "y", head(people.samar, family))  # as if she had not synced since the family was registered
    sync(people, huda)
    forge(
        people.amal, family, "y", head(people.amal, family)
    )  # equal to Huda's, and what it had written over is left out
    assert sync(people, people.amal) == [1]
    assert values(people.hq, family) == ["y", "z"]
    huda.close()


def test_a_person_may_settle_between_own_devices(people: Cast, family: bytes, phone: Node) -> None:
    """Amal wrote on two devices; she may settle that herself as long as nobody else has written."""
    sync(people, phone)
    edit(people.amal, family, "laptop")
    edit(phone, family, "phone")
    assert sync(people, people.amal, phone, people.amal) == [0, 0, 0]
    assert values(people.amal, family) == ["laptop", "phone"]
    edit(people.amal, family, "both")
    assert sync(people, people.amal, phone, people.basim) == [0, 0, 0]
    assert values(people.hq, family) == []
    assert rows(phone)[family].doc[FIELD] == "both"
    equal(people, people.amal, phone, people.basim)
    # with Basim's value beside them, each of her devices speaks for itself
    edit(people.basim, family, "basim")
    edit(phone, family, "phone 2")
    edit(people.amal, family, "laptop 2")
    sync(people, people.basim, phone, people.amal, phone)
    edit(phone, family, "phone 3")
    assert sync(people, phone, people.amal) == [0, 0]
    assert values(people.hq, family) == ["basim", "laptop 2", "phone 3"]
    equal(people, people.amal, phone)


def test_an_edit_over_equal_values_is_accepted(people: Cast, family: bytes) -> None:
    """Amal and Basim wrote the same value; Huda, who saw only Amal's, edits it: both heads stay, and all commits are accepted."""
    join_directly(people.hq, people.home / "huda", "Huda", "caseworker", [JBL])
    huda = people.open("huda")
    edit(people.amal, family, "same")
    edit(people.basim, family, "same")
    sync(people, people.amal, huda)
    edit(huda, family, "on")
    assert sync(people, people.basim, huda, people.amal) == [0, 0, 0]
    assert values(people.hq, family) == ["on", "same"]
    # and who knows both covers both
    other = save.add_record(people.samar, "household", Changes(set={"family_name": "حسن", FIELD: "m"}), unit=JBL)
    sync(people, people.samar, people.amal, people.basim)
    edit(people.amal, other, "same")
    edit(people.basim, other, "same")
    sync(people, people.amal, people.basim, huda)
    assert values(huda, other) == []
    edit(huda, other, "on")
    assert sync(people, huda) == [0]
    assert (rows(people.hq)[other].doc[FIELD], values(people.hq, other)) == ("on", [])
    huda.close()


def test_a_set_member_added_twice_can_be_removed(people: Cast, family: bytes) -> None:
    """Two people added the same set member; Amal, who has seen both, removes it without review."""
    for node in (people.amal, people.basim):
        save.edit_record(node, family.hex(), Changes(put={"groups": ["disability"]}))
    sync(people, people.amal, people.basim, people.amal)
    assert len(rows(people.amal)[family].state.fields["groups/disability"].heads) == 2
    save.edit_record(people.amal, family.hex(), Changes(drop={"groups": ["disability"]}))
    assert sync(people, people.amal, people.basim) == [0, 0]
    assert "groups" not in rows(people.hq)[family].doc
    equal(people, people.amal, people.basim)


def test_a_supervisor_s_edit_does_not_end_a_conflict(people: Cast, family: bytes) -> None:
    """Samar's edit of a field in conflict is a third head; her decision in review covers all three."""
    edit(people.amal, family, "amal")
    edit(people.basim, family, "basim")
    sync(people, people.amal, people.basim, people.samar)
    edit(people.samar, family, "samar")
    assert sync(people, people.samar) == [0]
    assert values(people.hq, family) == ["amal", "basim", "samar"]
    decisions.decide_conflict(people.samar, family.hex(), FIELD, value="decided")
    assert sync(people, people.samar, people.amal, people.basim) == [0, 0, 0]
    assert (rows(people.hq)[family].doc[FIELD], values(people.hq, family)) == ("decided", [])
    equal(people, people.amal, people.basim, people.samar)


def test_quarantined_commits_are_applied_after_a_decision(people: Cast, family: bytes) -> None:
    """Amal's tampered laptop decides; later commits on the field are quarantined, and applied after a real decision."""
    edit(people.basim, family, "basim")
    edit(people.samar, family, "samar")
    sync(people, people.basim, people.samar, people.amal)
    forge(people.amal, family, "mine", seen(people.amal, family))
    assert sync(people, people.amal) == [1]
    equal(people, people.amal)
    assert values(people.amal, family) == ["basim", "samar"]
    edit(people.amal, family, "mine again")
    assert sync(people, people.amal) == [1]  # after a quarantined commit, those that follow on the field wait with it
    edit(people.amal, family, "شارع", "address")
    assert sync(people, people.amal) == [0]  # and no others
    assert refusals(people.amal) == ["undecided", "undecided"]
    assert [one.refused for one in history.history(people.amal, family.hex()) if one.refused] == [True, True]
    decisions.decide_conflict(people.samar, family.hex(), FIELD, value="decided")
    sync(people, people.samar, people.amal, people.basim, people.samar)
    assert refusals(people.amal) == []
    assert values(people.samar, family) == ["decided", "mine again"]
    equal(people, people.amal, people.basim, people.samar)


def test_a_refused_commit_still_counts_in_contexts(people: Cast, family: bytes) -> None:
    """An illegal value was refused; Amal's next edit, which names it in its context, is accepted."""
    forge(people.amal, family, 5, seen(people.amal, family))
    assert rows(people.amal)[family].doc[FIELD] == 5
    edit(people.amal, family, "right")
    assert sync(people, people.amal) == [1]
    assert rows(people.hq)[family].doc[FIELD] == "right"
    sync(people, people.basim)
    equal(people, people.amal, people.basim)


def test_an_unchanged_value_makes_no_commit(people: Cast, family: bytes) -> None:
    """Amal repeats her own value in a conflict: no commit is made, so hers does not become the newest."""
    edit(people.amal, family, "amal")
    edit(people.basim, family, "basim")
    sync(people, people.amal, people.basim, people.amal)
    before = head(people.amal, family)
    edit(people.amal, family, "amal")
    assert head(people.amal, family) == before
    edit(people.amal, family, "basim")  # and she may come round to Basim's
    sync(people, people.amal)
    assert values(people.hq, family) == []


def test_a_deletion_does_not_cover_a_quarantined_save(people: Cast, family: bytes) -> None:
    """Basim's first save is quarantined and his next accepted; Amal removes the family: once accepted, the first save restores it."""
    edit(people.amal, family, "amal")
    edit(people.samar, family, "samar")
    sync(people, people.amal, people.samar, people.basim)
    forge(people.basim, family, "waits", seen(people.basim, family))
    edit(people.basim, family, "شارع", "address")
    assert sync(people, people.basim, people.amal) == [1, 0]
    save.remove_record(people.amal, family.hex(), "moved abroad")
    decisions.decide_conflict(people.samar, family.hex(), FIELD, value="samar")
    sync(people, people.samar, people.amal, people.basim, people.samar, people.amal)
    row = rows(people.amal)[family]
    assert "waits" in [one.value for one in row.state.fields[FIELD].heads]
    assert "_deleted" in row.conflicts
    assert "waits" in [one.value for name, one in deletion.unseen_by_deletions(row.state) if name == FIELD]
    assert values(people.samar, family, "_deleted")
    equal(people, people.amal, people.basim, people.samar)


def test_a_step_in_a_conflict_continues_the_author_s_own_branch(people: Cast) -> None:
    """Amal and Basim took a plan two ways: each may continue their own; anybody else awaits the decision."""
    home = save.add_record(people.samar, "household", Changes(set={"family_name": "محمد"}), unit=JBL)
    person = save.add_record(
        people.samar, "person", Changes(set={"household": record_ids.id_text(home), "given": "أحمد"}), unit=JBL
    )
    told = {"person": record_ids.id_text(person), "case_type": "child", "risk": "medium", "found_by": "school"}
    told |= {"opened_on": "2026-01-01", "worker": "Amal"}
    case = save.add_record(people.samar, "case", Changes(set=told, put={"concerns": ["dropout"]}), unit=JBL)
    everybody = (people.samar, people.amal, people.basim)
    sync(people, *everybody)
    edit(people.amal, case, "registered", "state")
    sync(people, *everybody, *everybody)
    closing = {"state": "closing", "closure_reason": "moved"}
    save.edit_record(people.amal, case.hex(), Changes(set=closing))
    people.clock.tick(1_000)
    edit(people.basim, case, "transferred", "state")
    join_directly(people.hq, people.home / "huda", "Huda", "caseworker", [JBL])
    huda = people.open("huda")
    sync(people, *everybody, *everybody, huda)
    assert values(huda, case, "state") == ["closing", "transferred"]
    with pytest.raises(errors.OpenConflict):
        edit(huda, case, "registered", "state")
    assert rows(people.amal)[case].doc["state"] == "transferred"
    edit(people.amal, case, "monitoring", "state")  # on from her own, whatever is shown
    assert sync(people, people.amal, people.basim) == [0, 0]
    assert {one.value for one in rows(people.hq)[case].state.fields["state"].heads} == {"monitoring", "transferred"}
    equal(people, people.amal, people.basim)
    huda.close()


def test_agreeing_with_the_other_heads_needs_no_review(people: Cast, family: bytes) -> None:
    """Basim and Huda agree against Amal; after many other saves she adopts their value, and the conflict closes."""
    join_directly(people.hq, people.home / "huda", "Huda", "caseworker", [JBL])
    huda = people.open("huda")
    sync(people, huda)
    for node in (huda, people.basim):
        edit(node, family, "شارع", "address")  # so that their next saves have higher numbers
        edit(node, family, "y")
    edit(people.amal, family, "x")
    sync(people, people.basim, people.amal)
    edit(people.amal, family, "y")
    assert sync(people, people.amal, huda, people.samar) == [0, 0, 0]
    assert len(rows(people.samar)[family].state.fields[FIELD].heads) == 3
    assert values(people.samar, family) == []
    huda.close()


def test_a_record_s_commits_are_read_once_per_frame(
    people: Cast, family: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amal's 700 edits of a contested field are judged 256 at a time; the log is read once for each frame."""
    edit(people.amal, family, "amal")
    edit(people.basim, family, "basim")
    sync(people, people.amal, people.basim, people.amal)
    (first,) = head(people.amal, family).values()
    base = {people.samar.device: seen(people.amal, family)[people.samar.device]}
    drafts = [
        Draft(family, "household", 1, {FIELD: f"amal {n}"}, {FIELD: base | {people.amal.device: first + n}})
        for n in range(700)
    ]
    with people.amal.store.write() as tx:
        commit_writer.commit_drafts(people.amal, tx, drafts)
    counted = {"read": 0, "frames": 0, "slices": 0}

    def counting(owner: type, name: str, what: str) -> None:
        real = getattr(owner, name)

        def called(*args: object, **facts: object) -> object:
            counted[what] += 1
            return real(*args, **facts)

        monkeypatch.setattr(owner, name, called)

    counting(SqlCommitReads, "commits_of", "read")
    counting(SyncServer, "_log_commits", "frames")
    counting(SyncServer, "_judge_commits", "slices")
    assert sync(people, people.amal) == [0]
    assert counted["slices"] > counted["frames"] >= counted["read"] > 0


def test_an_answer_s_receipts_read_the_log_once(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty receipts in one answer cause one read of this laptop's saves."""
    save.add_record(people.amal, "household", Changes())
    sync(people, people.amal)
    looks: list[bytes] = []
    real = SqlCommitReads.log_head
    monkeypatch.setattr(SqlCommitReads, "log_head", lambda tx, device: looks.append(device) or real(tx, device))
    with people.amal.store.read() as tx:
        (server,) = tx.servers()
    client = SyncClient(people.amal, server, SyncTally())
    receipts = tuple((n + 1, bytes([n]) * 16, 1, 1) for n in range(50))
    with people.amal.store.write() as tx:
        ack_lists.apply_lists(client, tx, Ack(1, 0, b"", (), receipts=receipts))
        assert looks == [people.amal.device]
        assert len(tx.receipts(people.amal.device)) >= 50

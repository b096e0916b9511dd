"""Case 35: forged decisions, undone decisions and deletions, with heads that nobody could have seen."""

from typing import Any

import pytest

from fieldsync import errors
from fieldsync.authority.integrity import check_integrity
from fieldsync.core import record_ids, stamp
from fieldsync.core.deletion import deletion_value
from fieldsync.core.register import Head, Register, Value
from fieldsync.core.settle import candidate_heads, pack_head
from fieldsync.core.state import Base, State
from fieldsync.protocol.client import SyncClient
from fieldsync.protocol.tally import SyncTally
from fieldsync.replica import history, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.review import assistance_overlaps, decisions
from fieldsync.wire import messages
from fieldsync.wire import row_batches as wire_rows
from fieldsync.wire.frames import FrameKind
from tests import directly
from tests.cast import JBL, QRD, join_directly, open_node, rows
from tests.conftest import Cast
from tests.handmade import HandMade

_NOBODY = "00" * 16


def family(people: Cast) -> bytes:
    """Register a family on Amal's laptop, which everybody has then."""
    record = save.add_record(
        people.amal, "household", Changes(set={"family_name": "محمد", "location": "جبلة"}), unit=JBL
    )
    for node in people.laptops:
        directly.sync(node, people.hq)
    return record


def over(node: Any, *fields: str) -> Any:
    """Return the context of a write over a device's first commit."""
    return ((tuple(sorted(fields)), ((node.device, 1),)),)


HEADS: list[Any] = [
    [], [["zz", 1, 1, "x", "y"]], [["00", 1, 1, "x", "y"]], [[_NOBODY, 0, 1, "x", "y"]], [[_NOBODY, 1 << 63, 1, "x", "y"]],
    [[_NOBODY, 1, stamp.LAST_LOGGED + 1, "x", "y"]], [[_NOBODY, 1, -1, "x", "y"]], [[_NOBODY, 1, 1, "x", {"reopened": []}]],
    [[_NOBODY, 1, 1, "x", 5]], [[_NOBODY, 1, 1, "x"]], "x", None,
]  # fmt: skip


@pytest.mark.parametrize("field", ["location", "_unit", "_deleted", "_same_as", "state", "_not_same/x"])
def test_a_decision_that_was_never_made_cannot_be_undone(people: Cast, field: str) -> None:
    """Empty heads, malformed heads and illegal values are refused, and the record stays readable for everybody."""
    record = family(people)
    before = rows(people.hq)[record].doc
    for author in (people.samar, people.amal):
        hand = HandMade(author, people.hq)
        for heads in HEADS:
            made = hand.write({field: {"reopened": heads}}, record=record, context=over(people.amal, field))
            assert made in {"illegal_value", "unit_refused"}, heads
    assert rows(people.hq)[record].doc == before
    read_by_all(people, record)


def test_a_decision_with_impossible_heads_is_refused(people: Cast) -> None:
    """Numbers and times outside the storable range are refused in a decision, as history would show them."""
    record = family(people)
    hand = HandMade(people.samar, people.hq)
    for heads in HEADS[:7]:
        decided: dict[str, Value] = {"_decided/location": {"heads": heads, "base": None, "note": None}, "location": "x"}
        assert hand.write(decided, record=record, context=over(people.amal, "location")) == "illegal_value", heads
    read_by_all(people, record)


def read_by_all(people: Cast, record: bytes) -> None:
    """Have every node show, list and check what it has."""
    for node in (*people.laptops, people.hq):
        if node.is_laptop:
            directly.sync(node, people.hq)
        queries.show(node, record.hex())
        history.history(node, record.hex())
        decisions.list_conflicts(node)
        assert check_integrity(node).ok


def test_an_honest_decision_can_be_undone(people: Cast) -> None:
    """A decision and its undoing are accepted, also in one frame."""
    record = family(people)
    for node, place in ((people.amal, "اللاذقية"), (people.basim, "القرداحة")):
        save.edit_record(node, record.hex(), Changes(set={"location": place}))
    for node in (people.amal, people.basim, people.samar):
        directly.sync(node, people.hq)
    (head, _) = rows(people.samar)[record].state.fields["location"].heads
    decisions.decide_conflict(people.samar, record.hex(), "location", head=f"{head.device.hex()}:{head.seq}")
    decisions.undo_decision(people.samar, record.hex(), "location")
    assert directly.sync(people.samar, people.hq).refused == 0
    assert "location" in rows(people.hq)[record].conflicts


def test_odd_values_in_a_state_do_not_stop_a_laptop(people: Cast) -> None:
    """A server sends odd values that an earlier release accepted; the laptop goes on and lists its records."""
    node = people.amal
    family(people)
    with node.store.read() as tx:
        server = tx.servers()[0]
    client = SyncClient(node, server, SyncTally())
    at = node.clock() << stamp.COUNTER_BITS
    odd: list[Any] = (
        [{"reopened": heads} for heads in HEADS] + [{"heads": heads} for heads in HEADS] + [5, [1, [2]], {}]
    )
    for n, (name, value) in enumerate(
        (name, value) for name in ("_code", "_deleted", "_same_as", "location") for value in odd
    ):
        head = Head(people.hq.device, n + 9, at, "x", value)
        state = State(
            people.hq.new_id(), "household", Base(people.hq.device, n + 9, at, "x"), {"_unit": JBL},
            {name: Register((head,), {head.device: head.seq}), "_decided/location": Register((head,), {head.device: head.seq})},
        )  # fmt: skip
        frame = messages.encode(messages.States(JBL, n + 9, wire_rows.pack_states([state])))
        client.apply_frame(client.read_frame(FrameKind.STATES, frame))
        history.history(node, state.record.hex())
        queries.show(node, state.record.hex())
    decisions.list_conflicts(node)
    queries.list_records(node, "household")


def test_an_undone_decision_without_heads_hides_no_value() -> None:
    """An undone decision that names no heads leaves the shown value unchanged."""
    head = Head(b"a" * 16, 2, 5, "x", {"reopened": []})
    assert candidate_heads(Register((head,), {head.device: 2})) == (head,)
    good = Head(b"b" * 16, 1, 4, "y", "z")
    again = head._replace(value={"reopened": [pack_head(good)]})
    assert candidate_heads(Register((again,), {head.device: 2})) == (good,)


def test_undoing_a_decision_cannot_attach_a_record_to_another_unit(people: Cast) -> None:
    """A supervisor undoes a decision so that it names another unit's household; refused like a plain edit."""
    join_directly(people.hq, people.home / "nour", "Nour", "supervisor", [QRD])
    nour = open_node(people.home / "nour", people.clock)
    other = family(people)
    mine = save.add_record(nour, "household", Changes(set={"family_name": "نور"}), unit=QRD)
    person = save.add_record(nour, "person", Changes(set={"given": "سمير", "household": record_ids.id_text(mine)}))
    directly.sync(nour, people.hq)
    hand = HandMade(nour, people.hq)
    again: Value = {"reopened": [[_NOBODY, 1, 1, "x", record_ids.id_text(other)]], "base": None}
    form = people.hq.schema.type("person").version
    for value in (record_ids.id_text(other), again):
        code = hand.write(
            {"household": value}, record=person, type="person", form=form, context=over(nour, "household")
        )
        assert code == "no_record"
    assert rows(people.hq)[person].owner == mine
    nour.close()


# --- deletions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", [10**9, (1 << 64) - 1])
@pytest.mark.parametrize("where", ["saw", "location", ""])
def test_a_deletion_that_names_future_commits_is_quarantined(people: Cast, where: str, seq: int) -> None:
    """The deletion names commits that do not exist yet; a concurrent edit keeps the record."""
    record = family(people)
    mine, other = people.amal.device.hex(), people.basim.device.hex()
    told: dict[str, Value] = {"reason": "x", "saw": {mine: 1}, "registers": {"": {mine: 1}}}
    if where == "saw":
        told = {"reason": "x", "saw": {mine: 1, other: seq}}
    else:
        told["registers"] = {"": {mine: 1}, where: {other: seq} if where else {mine: 1, other: seq}}
    hand = HandMade(people.amal, people.hq)
    assert hand.write({"_deleted": told}, record=record) == "gap"
    save.edit_record(people.basim, record.hex(), Changes(set={"location": "بيت"}))
    directly.sync(people.basim, people.hq)
    assert "_deleted" not in rows(people.hq)[record].doc
    assert check_integrity(people.hq).ok


def test_a_deletion_that_arrives_before_its_commits_is_quarantined(people: Cast) -> None:
    """Samar's deletion names a commit of Basim's that arrives later; it is judged once that commit is here."""
    record = family(people)
    theirs = people.basim.device
    told: Value = {"reason": "x", "saw": {people.amal.device.hex(): 1, theirs.hex(): 1}}
    assert HandMade(people.samar, people.hq).write({"_deleted": told}, record=record) == "gap"
    save.edit_record(people.basim, record.hex(), Changes(set={"location": "بيت"}))
    directly.sync(people.basim, people.hq)
    assert rows(people.hq)[record].doc["_deleted"] == "x"
    assert "_deleted" not in rows(people.hq)[record].conflicts


@pytest.mark.parametrize("device", ["zz", "AA" * 16, "0 0", 5])
def test_a_deletion_with_invalid_device_ids_is_refused(people: Cast, device: Any) -> None:
    """A deletion whose keys are not device ids is refused."""
    record = family(people)
    told: Value = {"reason": "x", "saw": {device: 1}}
    try:
        assert HandMade(people.amal, people.hq).write({"_deleted": told}, record=record) == "illegal_value"
    except errors.FieldsyncError as refused:
        assert 400 <= refused.status < 500


def test_a_second_removal_does_not_end_a_removal_conflict(people: Cast) -> None:
    """Amal removed a record that Basim edited meanwhile; another removal is quarantined until somebody decides."""
    record = family(people)
    save.remove_record(people.amal, record.hex(), "moved away")
    save.edit_record(people.basim, record.hex(), Changes(set={"location": "بيت"}))
    for node in (people.amal, people.basim, people.amal):
        directly.sync(node, people.hq)
    assert "_deleted" in rows(people.hq)[record].conflicts
    with pytest.raises(errors.OpenConflict):
        save.remove_record(people.amal, record.hex(), "all the same")
    join_directly(people.hq, people.home / "third", "Third", "caseworker", [JBL])
    third = open_node(people.home / "third", people.clock)
    row = rows(people.hq)[record]
    told = deletion_value("mine", row.state)
    (before,) = row.state.fields["_deleted"].heads
    for node in (people.amal, third):
        hand = HandMade(node, people.hq)
        context = ((("_deleted",), ((before.device, before.seq),)),)
        assert hand.write({"_deleted": told}, record=record, context=context) == "undecided"  # type: ignore[dict-item]
    assert "_deleted" in rows(people.hq)[record].conflicts
    directly.sync(people.samar, people.hq)
    decisions.decide_conflict(people.samar, record.hex(), "_deleted", value=None)
    directly.sync(people.samar, people.hq)
    assert rows(people.hq)[record].doc["location"] == "بيت"
    third.close()


@pytest.mark.parametrize("edited", [True, False])
def test_only_a_decision_restores_a_record_removed_by_others(people: Cast, edited: bool) -> None:
    """Another caseworker's attempt to restore Amal's removed record is quarantined; Samar's decision is accepted."""
    record = family(people)
    save.remove_record(people.amal, record.hex(), "moved away")
    if edited:
        save.edit_record(people.basim, record.hex(), Changes(set={"location": "بيت"}))
    for node in (people.amal, people.basim):
        directly.sync(node, people.hq)
    (before,) = rows(people.hq)[record].state.fields["_deleted"].heads
    context = ((("_deleted",), ((before.device, before.seq),)),)
    assert HandMade(people.basim, people.hq).write({"_deleted": None}, record=record, context=context) == "undecided"
    assert ("_deleted" in rows(people.hq)[record].conflicts) is edited
    directly.sync(people.samar, people.hq)
    if edited:
        decisions.decide_conflict(people.samar, record.hex(), "_deleted", value=None)
    else:
        assistance_overlaps.restore_record(people.samar, record.hex(), None)
    assert directly.sync(people.samar, people.hq).refused == 0
    assert "_deleted" not in rows(people.hq)[record].doc


def test_the_author_of_a_removal_may_restore_the_record(people: Cast) -> None:
    """Amal undoes her own removal without review."""
    record = family(people)
    save.remove_record(people.amal, record.hex(), "moved away")
    directly.sync(people.amal, people.hq)
    (before,) = rows(people.hq)[record].state.fields["_deleted"].heads
    context = ((("_deleted",), ((before.device, before.seq),)),)
    assert HandMade(people.amal, people.hq).write({"_deleted": None}, record=record, context=context) == ""
    assert "_deleted" not in rows(people.hq)[record].doc


def test_a_removal_after_a_restore_is_accepted(people: Cast) -> None:
    """A record is removed, restored by a decision and removed again by somebody who has seen both; no review is needed."""
    record = family(people)
    save.remove_record(people.amal, record.hex(), "x")
    save.edit_record(people.basim, record.hex(), Changes(set={"location": "بيت"}))
    for node in (people.amal, people.basim, people.samar):
        directly.sync(node, people.hq)
    decisions.decide_conflict(people.samar, record.hex(), "_deleted", value=None)
    for node in (people.samar, people.basim):
        directly.sync(node, people.hq)
    save.remove_record(people.basim, record.hex(), "gone")
    assert directly.sync(people.basim, people.hq).refused == 0
    assert rows(people.hq)[record].doc["_deleted"] == "gone"
    assert rows(people.hq)[record].conflicts == {}

"""Commits encoded by hand with MessagePack and a device's key: servers refuse malformed ones, whatever program made them."""

import json
import shutil
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.authority.integrity import check_integrity
from fieldsync.casework import household_events
from fieldsync.core import codes, record_ids, stamp
from fieldsync.core.state import canonical_bytes
from fieldsync.replica import history, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.replica.refusal_errors import refusal_error
from fieldsync.schema import validate
from fieldsync.wire import messages
from fieldsync.wire import row_batches as wire_rows
from fieldsync.wire.frames import FrameKind
from tests import directly
from tests.cast import JBL, QRD, copy_cast, open_node, rows
from tests.conftest import Cast
from tests.handmade import HandMade
from tests.offices import Hand, Office
from tests.scale import examples
from tests.wire.frozen import ADD


@pytest.fixture
def hand(people: Cast) -> HandMade:
    """Return whoever has Amal's key, a case worker's."""
    return HandMade(people.amal, people.hq)


def family(people: Cast, node: Node, **fields: object) -> bytes:
    """Register a family on somebody's laptop, and send it."""
    record = save.add_record(node, "household", Changes(set={"family_name": "محمد", **fields}), unit=JBL)
    directly.sync(node, people.hq)
    return record


def made(
    node: Node, number: int, *, unit: str = JBL, letters: str | None = None, **fields: save.Value
) -> dict[str, save.Value]:
    """Return the fields of a new family's first commit."""
    code = codes.make_code(unit, letters or node.letters, number)
    return {"_code": code, "_unit": JBL, "family_name": "أحمد", "state": "draft", **fields}


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [4.0, True, "4", [4], 1 << 70])
def test_a_whole_number_field_accepts_only_integers(people: Cast, hand: HandMade, value: Any) -> None:
    """A float, a boolean and a text in a whole-number field are refused; 4 is accepted."""
    record = family(people, people.amal)
    number = next(
        n for n, f in people.hq.schema.type("household").fields.items() if f.type == "int" and f.kind == "plain"
    )
    try:
        assert hand.write({number: value}, record=record) == "illegal_value"
    except errors.FieldsyncError as refused:
        assert 400 <= refused.status < 500
    except OverflowError:
        assert value == 1 << 70  # not even MessagePack has it
    assert hand.write({number: 4}, record=record) == ""
    assert rows(people.hq)[record].doc[number] == 4


def test_stored_values_are_stable_when_read_again(people: Cast) -> None:
    """A server reads values saved by 0.1's keyboard input unchanged, types included, and refuses none."""
    typed: dict[str, list[object]] = {
        "int": ["4", 4, 4.0, "٤"], "decimal": ["4", "4.50", 4, 4.5], "money": ["4", 4, "4.5"], "bool": ["yes", True, "1", 0],
        "date": ["2026-1-2", "2026-01-02"], "text": ["x", 7, 1.5], "phone": ["0933123456"],
    }  # fmt: skip
    tried = 0
    for kind in people.hq.schema.types.values():
        for field in kind.fields.values():
            maker = validate.value_normaliser(field) if field.kind == "plain" else None
            for given_ in typed.get(field.type, ()) if maker is not None else ():
                try:
                    stored = maker(given_)  # type: ignore[misc]  # there is one
                except errors.FieldsyncError:
                    continue
                again = maker(msgspec.msgpack.decode(msgspec.msgpack.encode(stored)))  # type: ignore[misc]
                assert (type(again), again) == (type(stored), stored)
                tried += 1
    assert tried > 200


# --- contexts, stamps, forms ------------------------------------------------------------------------------------------


def test_malformed_contexts_are_refused(people: Cast, hand: HandMade) -> None:
    """Future commits, empty groups and repeated or unordered fields in a context are refused; later commits are accepted."""
    record = family(people, people.amal)
    me, other = people.amal.device, people.basim.device
    low, high = sorted((me, other))
    wrong: list[tuple[Any, ...]] = [
        ((("location",), ((me, 999),)),), ((("location",), ((me, 2),)),), ((("location",), ()),), (((), ((me, 1),)),),
        ((("location",), ((me, 1),)), (("location",), ((me, 1),))), ((("location", "location"), ((me, 1),)),),
        ((("location", "address"), ((me, 1),)),), ((("location",), ((high, 1), (low, 1))),), ((("location",), ((me, 1), (me, 1))),),
    ]  # fmt: skip
    fields: dict[str, save.Value] = {"location": "x", "address": "y", "origin": "z"}
    for i, groups in enumerate(wrong):
        context = tuple((names, tuple((d, 2 + i if seq == 2 else seq) for d, seq in pairs)) for names, pairs in groups)
        assert hand.write(fields, record=record, context=context) == "illegal_value", context
    saw = {"_deleted": {"reason": "x", "saw": {me.hex(): 999}}}
    assert hand.write(saw, record=record, context=((("_deleted",), ((me, 1),)),)) == "illegal_value"  # type: ignore[arg-type]
    good = ((("address", "location"), ((me, 1),)),)
    assert hand.write(fields, record=record, context=good) == ""
    assert rows(people.hq)[record].doc["location"] == "x"
    assert "_deleted" not in rows(people.hq)[record].doc


@pytest.mark.parametrize("at", [stamp.LAST_LOGGED + 1, stamp.LARGEST, (1 << 64) - 1])
def test_a_stamp_out_of_range_is_refused(people: Cast, hand: HandMade, at: int) -> None:
    """A stamp in the year 9998 gets a 4xx; the largest valid one is accepted and shown."""
    record = family(people, people.amal)
    with pytest.raises(errors.BadFrame):
        hand.write({"location": "x"}, record=record, stamp=at)
    assert hand.write({"location": "y"}, record=record, stamp=stamp.LAST_LOGGED) == ""
    assert all(one.at < "9999" for one in history.history(people.hq, record.hex()))
    assert people.hq.today() < "9999"


# --- steps ------------------------------------------------------------------------------------------------------------


def test_lifecycle_steps_cannot_be_skipped(people: Cast, hand: HandMade) -> None:
    """A record created in a later state and a step that the lifecycle lacks are refused, whatever the context names."""
    assert hand.write(made(people.amal, 900, state="verified")) == "illegal_step"
    record = people.amal.new_id()
    first = hand.commit(record=record, fields=made(people.amal, 901))
    second = hand.commit(
        1, record=record, fields={"state": "verified"}, context=((("state",), ((people.amal.device, first.seq),)),)
    )
    assert [code for _, code in hand.push(first, second)] == ["illegal_step"]
    assert hand.write({"state": "verified"}, record=record) == "illegal_step"
    elsewhere = ((("state",), ((people.basim.device, 1),)),)
    family(people, people.basim)
    assert hand.write({"state": "verified"}, record=record, context=elsewhere) == "illegal_step"
    assert rows(people.hq)[record].doc["state"] == "draft"
    theirs = family(people, people.basim)
    for context in ((), ((("state",), ((people.amal.device, 1),)),)):  # nothing of its state was seen
        assert hand.write({"state": "verified"}, record=theirs, context=context) == "illegal_step"
    assert rows(people.hq)[theirs].doc["state"] == "draft"


def test_registration_awaits_its_required_fields(people: Cast, hand: HandMade) -> None:
    """The step from draft to registered is quarantined until the required fields arrive, also within one frame."""
    kind = people.hq.schema.type("household")
    record = family(people, people.amal)
    needs = validate.missing_fields(kind, rows(people.hq)[record].doc, people.hq.today())
    assert needs
    before = canonical_bytes(rows(people.hq)[record].state)
    step = ((("state",), ((people.amal.device, 1),)),)
    assert hand.write({"state": "registered"}, record=record, context=step) == "incomplete"
    assert canonical_bytes(rows(people.hq)[record].state) == before
    assert queries.status(people.hq).commits.refused == 1
    complete(people.basim, people.hq, record)
    directly.sync(people.amal, people.hq)
    assert rows(people.hq)[record].doc["state"] == "registered"
    with people.hq.store.read() as tx:
        assert tx.refusals(people.amal.device) == []


def complete(node: Node, hq: Node, record: bytes) -> None:
    """Fill in on somebody's laptop what a family needs, and send it."""
    directly.sync(node, hq)
    kind = node.schema.type("household")
    given_: dict[str, object] = {}
    for name in validate.missing_fields(kind, rows(node)[record].doc, node.today()):
        field = kind.fields[name]
        if "person" in field.to:
            given_[name] = record_ids.id_text(
                save.add_record(node, "person", Changes(set={"household": record_ids.id_text(record), "given": "سمير"}))
            )
            continue
        example: dict[str, object] = {"date": "2026-01-02", "int": 4, "bool": True, "phone": "0933123456"}
        given_[name] = field.codes[0] if field.codes else example.get(field.type, "x")
    save.edit_record(node, record.hex(), Changes(set=given_))
    directly.sync(node, hq)


def test_a_step_from_a_replaced_value_is_accepted(people: Cast) -> None:
    """Amal and Basim register one family independently and Amal goes on: each step follows the value its author had seen."""
    record = family(people, people.amal)
    complete(people.amal, people.hq, record)
    directly.sync(people.basim, people.hq)
    for node in (people.amal, people.basim):
        save.edit_record(node, record.hex(), Changes(set={"state": "registered"}))
    after = people.hq.schema.type("household").lifecycle.next_states("registered")  # type: ignore[union-attr]
    save.edit_record(people.basim, record.hex(), Changes(set={"state": after[0]}))
    for node in (people.basim, people.amal, people.basim):
        assert directly.sync(node, people.hq).refused == 0
    with people.hq.store.read() as tx:
        assert all(tx.refusals(node.device) == [] for node in people.laptops)


# --- codes ------------------------------------------------------------------------------------------------------------


def test_foreign_codes_are_refused(people: Cast, hand: HandMade) -> None:
    """A code with another device's letters or another unit's name, or a second code for a record, is refused."""
    theirs = family(people, people.basim)
    code = rows(people.hq)[theirs].code
    mine = family(people, people.amal)
    for fields in (
        made(people.amal, 1) | {"_code": code}, made(people.amal, 900, letters=people.basim.letters), made(people.amal, 900, letters="ZZZ"),
        made(people.amal, 900, unit=QRD),
    ):  # fmt: skip
        assert hand.write(fields) == "illegal_value"
    seen = ((("_code",), ((people.amal.device, 1),)),)
    assert hand.write({"_code": code}, record=mine, context=seen) == "illegal_value"
    assert hand.write({"_code": code}, record=mine) == "illegal_value"
    assert (
        hand.write({"_code": codes.make_code(JBL, people.amal.letters, 7)}, record=mine, context=seen)
        == "illegal_value"
    )  # without its unit
    assert [row.state.record for row in rows(people.hq).values() if row.code == code] == [theirs]
    assert hand.write(made(people.amal, 900)) == ""


def test_a_reserved_code_is_assigned_at_verification(people: Cast) -> None:
    """Amal reports a birth with reserved codes; Samar verifies it, and the child has Amal's code on all nodes, in any order."""
    home = family(people, people.amal)
    event = household_events.report_event(
        people.amal, "birth", home.hex(), {"child_name": "سمير", "child_sex": "male", "evidence": "registry"}
    )
    directly.sync(people.amal, people.hq)
    directly.sync(people.samar, people.hq)
    household_events.verify_event(people.samar, event.hex())
    assert directly.sync(people.samar, people.hq).refused == 0
    child = next(row for row in rows(people.hq).values() if row.state.type == "person")
    assert codes.parse_code(str(child.code))[1] == people.amal.letters  # type: ignore[index]


def test_an_event_cannot_reserve_foreign_codes(people: Cast, hand: HandMade) -> None:
    """An event that reserves Basim's codes is refused, and so is a person created with one of them."""
    home = family(people, people.amal)
    other = family(people, people.basim)
    theirs = rows(people.hq)[other].code
    event = people.amal.new_id()
    fields: dict[str, save.Value] = {
        "_code": codes.make_code(JBL, people.amal.letters, 900), "_unit": JBL, "household": record_ids.id_text(home), "kind": "birth",
        "event_date": "2026-01-01", "new_code": theirs, "state": "reported",
    }  # fmt: skip
    assert hand.write(fields, record=event, type="household_event") == "illegal_value"
    child = event[:6] + people.amal.new_id()[6:]
    assert hand.write(made(people.amal, 1) | {"_code": theirs}, record=child) == "illegal_value"
    assert child not in rows(people.hq)


def test_a_restored_laptop_uses_its_new_letters_for_codes(people: Cast) -> None:
    """Amal's laptop is restored and becomes a new device; its unsent saves and reserved codes are accepted."""
    home = family(people, people.amal)
    people.amal.close()
    shutil.copytree(people.home / "amal", people.home / "copy")
    people.amal = people.open("amal")
    family(people, people.amal)
    copy = open_node(people.home / "copy", people.clock)
    with copy.store.write() as tx:
        tx.settings.restored = True
    household_events.report_event(
        copy, "birth", home.hex(), {"child_name": "سمير", "child_sex": "male", "evidence": "registry"}
    )
    save.add_record(copy, "household", Changes(set={"family_name": "سمير"}), unit=JBL)
    directly.sync(copy, people.hq)
    with people.hq.store.read() as tx:
        refused = [one for device in tx.devices() for one in tx.refusals(device.id)]
        pending = any(device.pending for device in tx.devices())
    assert (refused, pending) == ([], False)
    copy.close()


# --- anything at all --------------------------------------------------------------------------------------------------

_names = st.sampled_from(
    ["location", "family_name", "state", "size_stated", "groups", "groups/idp", "_code", "_unit", "_deleted", "_same_as",
     "_not_same/x", "_shared", "_shared/LAT", "_decided/location", "_wraps/x", "no_such", "notes/1", "", "/", "_"]
)  # fmt: skip
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4) | st.sampled_from(["registered", "closed", JBL, QRD, "JBL-A-1-00"]),
    lambda inner: st.lists(st.text(max_size=3), max_size=2) | st.dictionaries(st.sampled_from(["reopened", "heads", "base", "saw", "reason"]),
                                                                                 inner | st.lists(inner, max_size=2), max_size=2),
    max_leaves=4,
)  # fmt: skip


@examples(40)
@given(st.data())
def test_arbitrary_signed_commits_leave_the_server_intact(template: Any, data: st.DataObject) -> None:
    """Arbitrary commits from a caseworker's key are applied, quarantined or refused with 4xx; the server keeps serving others."""
    people: Cast = template
    hand = HandMade(people.amal, people.hq)
    known = sorted(rows(people.hq))
    batch = []
    for i in range(data.draw(st.integers(1, 3))):
        fields = data.draw(st.dictionaries(_names, _values, max_size=4))
        names = tuple(sorted(fields))[: data.draw(st.integers(0, 4))]
        pairs = data.draw(st.lists(st.tuples(st.sampled_from([people.amal.device, people.basim.device, bytes(16)]),
                                             st.integers(1, 5) | st.just((1 << 63) - 1)), max_size=2))  # fmt: skip
        changes = {
            "record": data.draw(st.sampled_from([*known[:4], people.amal.new_id()])), "fields": fields,
            "context": ((names, tuple(pairs)),) if names else (), "form": data.draw(st.sampled_from([1, 1, 1, 0, 2, -1, 1 << 62])),
            "type": data.draw(st.sampled_from(["household", "household", "person", "referral", "tent"])),
            "stamp": data.draw(st.sampled_from([people.clock.now << 16, 0, stamp.LARGEST])),
        }  # fmt: skip
        batch.append(hand.commit(after=i, **changes))
    try:
        told = hand.push(*batch)
    except errors.FieldsyncError as refused:
        assert 400 <= refused.status < 500
        json.dumps(refused.facts, allow_nan=False)
        return
    found = check_integrity(people.hq)
    assert (found.faults, found.listed) == ([], [])
    taken = {one.seq for one in batch} - {seq for seq, _ in told}
    for one in batch:
        if one.seq in taken:
            assert (one.form, one.type in people.hq.schema.types) == (1, True)
            assert all(names and pairs for names, pairs in one.context)
    assert directly.sync(people.basim, people.hq).differing == []


@pytest.fixture(scope="module")
def template(cast_template: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a cast with a few families, for all examples of one property."""
    home = tmp_path_factory.mktemp("handmade")
    copy_cast(cast_template, home)
    from tests.cast import Clock

    found = Cast(home, Clock())
    for name in ("amal", "basim", "amal"):
        family(found, getattr(found, name))
    yield found
    found.close()


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "format_", [float("nan"), b"\x00\xff", [b"x"], {"a": float("inf")}, "x" * 70_000, 1 << 63, None]
)
def test_errors_with_odd_facts_are_4xx(own_office: Office, format_: Any) -> None:
    """A version that is bytes or out of range yields a JSON error with status 4xx."""
    hand = Hand(own_office["amal"], own_office.port)
    devices, authors, types, body = msgspec.msgpack.decode(wire_rows.pack_commits([ADD]))
    body[0] = format_
    rows_ = msgspec.msgpack.encode((devices, authors, types, body))
    frame = hand.pack(FrameKind.COMMITS, messages.encode(messages.Commits(hand.node.device, bytes(64), rows_)))
    answer = hand.post("/v2/sync", hand.hello(), frame)
    assert 400 <= answer.status < 500
    assert answer.code in ("bad_frame", "bad_version", "peer_outdated", "too_large"), answer
    error = errors.BadVersion(what="commit", theirs=format_, within=[{"a": (format_,)}])
    assert json.loads(json.dumps(error.facts, allow_nan=False))["what"] == "commit"


def test_malformed_refusal_facts_do_not_stop_a_sync() -> None:
    """A server's malformed reasons are still shown, and the sync continues."""
    for facts in ('{"self": 1}', "[]", "{", '{"a": NaN}', '"x"', "\ud800"):
        assert refusal_error("illegal_value", facts).code == "illegal_value"
    assert refusal_error("no_such_code", "{}").code == "refused"

"""Permits: commits beyond a device's permissions are quarantined, reported to the author, and block no later ones."""

from typing import Any

import pytest
from msgspec import structs

from fieldsync.authority import integrity
from fieldsync.core.grants import Grant
from fieldsync.core.register import Value
from fieldsync.core.state import canonical_bytes
from fieldsync.core.units import LEFT
from fieldsync.replica import commit_writer, history, queries, save
from fieldsync.replica.changes import Changes, Draft
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from tests.cast import JBL, QRD, rows
from tests.offices import Office, write


def tamper(node: Node, *grants: Grant) -> None:
    """Have a laptop believe that it was granted more."""
    with node.store.write() as tx:
        tx.settings.grants = tuple(grants)
    node.reload_identity()


def household(node: Node, unit: str = JBL, **fields: object) -> bytes:
    """Register a family."""
    return save.add_record(node, "household", Changes(set={"family_name": "محمد", **fields}), unit=unit)


def refused(node: Node) -> list[dict[str, Any]]:
    """Return what a person is told of their own commits that were kept aside."""
    found: list[dict[str, Any]] = queries.status(node).refused
    return found


@pytest.fixture
def amal(office: Office) -> Node:
    """Amal's laptop, which has nothing to send."""
    office.sync("amal", "basim", "samar", "amal")
    return office["amal"]


def test_a_record_in_another_unit_is_quarantined(office: Office, amal: Node) -> None:
    """A caseworker's tampered laptop adds a family in a foreign unit: only that commit is quarantined."""
    tamper(amal, Grant(JBL, "caseworker"), Grant(QRD, "caseworker"))
    before = len(refused(amal))
    first = household(amal, location="one")
    smuggled = household(amal, unit=QRD, location="two")
    last = household(amal, location="three")
    (synced,) = office.sync("amal")
    assert synced.refused == 1
    assert synced.up.commits == 3
    held = rows(office["hq"])
    assert first in held
    assert last in held
    assert smuggled not in held
    assert [(one["code"], one["unit"]) for one in refused(amal)[before:]] == [("unit_refused", QRD)]
    assert amal.units == [JBL]  # its grants are the server's again, and what nobody applied is in no channel
    kept = rows(amal)[smuggled]
    with amal.store.read() as tx:
        assert [tx.channel(n).unit for n in kept.channels] == [LEFT]
    office.sync("basim", "amal")
    office.equal("amal", "basim")
    assert office.sync("amal")[0].refused == 0


@pytest.mark.parametrize("there", [True, False])
def test_a_guessed_id_reveals_nothing(office: Office, amal: Node, there: bool) -> None:
    """A write to another unit's record is answered like one to an unknown id."""
    theirs = household(office["basim"], unit=QRD, location="secret")
    office.sync("basim")
    state = canonical_bytes(rows(office["hq"])[theirs].state)
    guessed = theirs if there else bytes(15) + b"\1"
    write(amal, guessed, {"location": "mine"})
    assert office.sync("amal")[0].refused == 1
    told = refused(amal)[-1]
    assert (told["code"], told["ref"]) == ("no_record", guessed.hex())
    assert canonical_bytes(rows(office["hq"])[theirs].state) == state
    assert guessed not in rows(amal)
    office.equal("amal", "basim")


def test_a_decision_without_the_role_is_quarantined(office: Office, amal: Node) -> None:
    """A caseworker's tampered laptop decides between two others: quarantined, and the conflict stays open everywhere."""
    record = household(amal, location="a")
    office.sync("amal", "basim", "samar")
    for name in ("basim", "samar"):
        save.edit_record(office[name], record.hex(), Changes(set={"location": name}))
    office.sync("basim", "samar", "amal")
    assert "location" in rows(amal)[record].conflicts
    row = rows(amal)[record]
    with amal.store.write() as tx:
        draft = save.draft_edit(amal, row, amal.schema.type("household"), {"location": "mine"}, decides=True)
        commit_writer.commit_drafts(amal, tx, [draft])
    after = household(amal, location="after")
    assert office.sync("amal")[0].refused == 1
    assert (refused(amal)[-1]["code"], refused(amal)[-1]["field"]) == ("undecided", "location")
    assert after in rows(office["hq"])
    office.sync("basim", "samar")
    office.equal("amal", "basim", "samar")
    for name in ("hq", "amal", "samar"):
        assert len(decisions.conflicts_of(office[name], record.hex())[0].heads) == 2
    decisions.decide_conflict(office["samar"], record.hex(), "location", value="decided")
    assert [one.refused for one in office.sync("samar", "amal", "basim")] == [0, 0, 0]
    office.equal("amal", "basim", "samar")
    assert rows(amal)[record].doc["location"] == "decided"
    item = decisions.conflicts_of(office["samar"], record.hex())[
        0
    ]  # nothing is lost: what waited stands beside the decision now
    assert {head.value for head in item.heads} == {"decided", "mine"}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_decision_in_parts_is_quarantined(office: Office, amal: Node, at_once: bool) -> None:
    """A tampered laptop replaces one of two others' values in a first commit and the other in a second, which is a decision."""
    before = len(refused(amal))
    record = household(amal, location="a")
    office.sync("amal", "basim", "samar")
    for name in ("basim", "samar"):
        save.edit_record(office[name], record.hex(), Changes(set={"location": name}))
    office.sync("basim", "samar", "amal")
    kind = amal.schema.type("household")
    heads = rows(amal)[record].state.fields["location"].heads
    for left in reversed(heads):
        with amal.store.write() as tx:
            row = tx.rows([record])[record]
            draft = save.draft_edit(amal, row, kind, {"location": "mine"}, decides=True)
            seen = dict(row.state.fields["location"].seen)
            if left is heads[1]:
                seen[left.device] = left.seq - 1
            commit_writer.commit_drafts(amal, tx, [structs.replace(draft, seen={"location": seen})])
        assert len(rows(amal)[record].state.fields["location"].heads) == (2 if left is heads[1] else 1)
        if not at_once:
            office.sync("amal")
    office.sync("amal")
    assert refused(amal)[-1]["code"] == "undecided"
    assert len(refused(amal)) == before + 1
    office.sync("basim", "samar", "amal")
    office.equal("amal", "basim", "samar")
    assert len(decisions.conflicts_of(office["samar"], record.hex())[0].heads) == 2


@pytest.mark.parametrize("third", [True, False])
def test_editing_twice_does_not_decide_a_conflict(office: Office, amal: Node, third: bool) -> None:
    """Amal edits a field in conflict with Basim (and Samar), then again over Basim's next value: it stays in review."""
    record = household(amal, location="a")
    office.sync("amal", "basim", "samar")
    if third:
        save.edit_record(office["samar"], record.hex(), Changes(set={"location": "samar"}))
    save.edit_record(office["basim"], record.hex(), Changes(set={"location": "basim 1"}))
    office.sync("basim", "samar")
    save.edit_record(amal, record.hex(), Changes(set={"location": "amal 1"}))
    save.edit_record(office["basim"], record.hex(), Changes(set={"location": "basim 2"}))
    office.sync("amal", "basim", "amal")
    assert rows(amal)[record].doc["location"] == "basim 2"
    save.edit_record(amal, record.hex(), Changes(set={"location": "amal 2"}))
    assert office.sync("amal")[0].refused == 0
    office.sync("basim", "samar")
    office.equal("amal", "basim", "samar")
    values = {head.value for head in decisions.conflicts_of(office["samar"], record.hex())[0].heads}
    assert values == {"amal 2", "basim 2"} | ({"samar"} if third else set())


def test_undoing_a_decision_needs_the_role_too(office: Office, amal: Node) -> None:
    """Values that only a supervisor may write are refused from anybody else, in any form."""
    record = household(amal, location="a")
    office.sync("amal")
    heads: Value = [["00" * 16, 1, 1, "x", "b"]]
    made: list[dict[str, Value]] = [
        {"location": {"reopened": heads, "base": None}},
        {"_decided/location": {"heads": heads, "base": None}},
    ]
    write(amal, record, *made)
    write(amal, record, *made, form=999)  # as if by a form that the server does not know yet
    assert office.sync("amal")[0].refused == 4
    assert [one["code"] for one in refused(amal)[-4:]] == ["role_refused"] * 4
    office.equal("amal")


@pytest.mark.parametrize("seq", [2, 1 << 40, (1 << 63) - 1])
def test_a_context_with_future_commits_is_quarantined(office: Office, amal: Node, seq: int) -> None:
    """A tampered laptop claims to have seen Basim's next commit: quarantined, and his next edit is applied everywhere."""
    basim = office["basim"]
    record = household(basim, location="first")
    office.sync("basim", "amal")
    with basim.store.read() as tx:
        me = tx.device(basim.device)
        assert me is not None
    with amal.store.write() as tx:
        claim = {"location": {basim.device: seq + (me.head if seq == 2 else 0)}}
        commit_writer.commit_drafts(amal, tx, [Draft(record, "household", 1, {"location": "mine"}, claim)])
    assert office.sync("amal")[0].refused == 1
    assert (refused(amal)[-1]["code"], refused(amal)[-1]["device"]) == ("gap", basim.device.hex())
    save.edit_record(basim, record.hex(), Changes(set={"location": "later"}))
    office.sync("basim", "amal", "samar")
    office.equal("amal", "basim", "samar")
    assert rows(office["samar"])[record].doc["location"] == "later"


def test_a_commit_in_another_s_name_is_quarantined(office: Office, amal: Node) -> None:
    """A commit's author must be the person of its device."""
    amal.person = "Samar"
    record = household(amal)
    amal.person = "Amal"
    assert office.sync("amal")[0].refused == 1
    assert record not in rows(office["hq"])
    assert (refused(amal)[-1]["code"], refused(amal)[-1]["field"]) == ("illegal_value", "_author")
    office.equal("amal")


def test_a_record_keeps_its_type(office: Office, amal: Node) -> None:
    """A commit that calls a household a case, to write foreign fields, is quarantined; also within one frame."""
    record, fresh = household(amal), bytes(15) + b"\2"
    office.sync("amal")
    write(amal, record, {"notes/" + amal.device.hex()[:8] + "-9": "text"}, type="case")
    with amal.store.write() as tx:
        code = commit_writer.next_code(amal, tx, JBL)[0]
    write(amal, fresh, {"_code": code, "_unit": JBL, "family_name": "محمد"})
    write(amal, fresh, {"reopen_count/" + amal.device.hex(): 1}, type="case")
    assert office.sync("amal")[0].refused == 2
    assert [(one["code"], one["field"]) for one in refused(amal)[-2:]] == [("illegal_value", "_type")] * 2
    office.equal("amal")


def test_edits_of_a_refused_record_are_refused(office: Office, amal: Node) -> None:
    """An edit of a refused family is refused too, in the same frame or the next sync."""
    fresh = bytes(15) + b"\3"
    with amal.store.write() as tx:
        code = commit_writer.next_code(amal, tx, JBL)[0]
    write(amal, fresh, {"_code": code, "_unit": JBL, "family_name": 5})
    write(amal, fresh, {"location": "here"})
    assert office.sync("amal")[0].refused == 2
    write(amal, fresh, {"location": "there"})
    assert office.sync("amal")[0].refused == 1
    assert [one["code"] for one in refused(amal)[-3:]] == ["illegal_value", "no_record", "no_record"]
    assert fresh not in rows(office["hq"])
    office.equal("amal")


ODD: list[Value] = [
    None,
    True,
    0,
    -1,
    (1 << 64) - 1,
    0.5,
    1e300,
    "",
    "x",
    "x" * 5_000,
    "\0",
    "\u202e",
    [],
    ["x"],
    {},
    {"x": {}},
    {"reopened": 5},
]


def test_arbitrary_values_do_not_stop_a_server(office: Office, amal: Node) -> None:
    """Every kind of field with every kind of value, under known and unknown forms: accepted or quarantined."""
    sent = 0
    met: set[tuple[str, str, bool]] = set()
    for type_ in amal.schema.types.values():
        kinds = {(field.type, field.merge, field.or_text) for field in type_.fields.values()}
        if kinds <= met:
            continue
        met |= kinds
        names = [
            *type_.fields,
            "",
            "_",
            "/",
            "_deleted",
            "_unit",
            "_code",
            "_same_as",
            "_shared",
            "_decided/location",
            "_deleted/x",
        ]
        names += [
            f"{field.name}/{part}"
            for field in type_.fields.values()
            if field.kind in {"set", "tally", "log"}
            for part in ("", "x")
        ]
        with amal.store.write() as tx:
            codes = commit_writer.next_code(amal, tx, JBL, count=2)
        for code, form in zip(codes, (1, 999), strict=True):
            record = amal.new_id()
            write(amal, record, {"_code": code, "_unit": JBL}, type=type_.name)
            write(amal, record, *({name: value} for name in names for value in ODD), type=type_.name, form=form)
            sent += 1 + len(names) * len(ODD)
    after = household(amal, location="after")
    (synced,) = office.sync("amal")
    assert synced.up.commits == sent + 1
    assert synced.refused > sent // 4
    assert after in rows(office["hq"])
    office.sync("basim", "samar")
    office.equal("amal", "basim", "samar")
    for record in rows(office["samar"]):
        history.history(office["samar"], record.hex())
    assert integrity.check_integrity(office["hq"]).ok


@pytest.mark.parametrize(
    "fields",
    [
        {"_role": "admin"}, {"_schema": {"x": 1}}, {"_unit": "lat; DROP TABLE record"}, {"_unit": "NEW/UNIT"}, {"_code": "made up"},
        {"_same_as": 7}, {"_shared": "QRD"}, {"nonsense": 1}, {"family_name": "\u202eمحمد"}, {"family_name": 5}, {"state": "settled"},
        {"groups": ["nobody"]}, {"_deleted": "gone"},
    ],
    ids=str,
)  # fmt: skip
def test_values_unknown_to_the_forms_are_quarantined(office: Office, amal: Node, fields: dict[str, Value]) -> None:
    """Invented roles, schemas and units, and illegal values: none reaches a record."""
    record = household(amal)
    office.sync("amal")
    state = canonical_bytes(rows(office["hq"])[record].state)
    write(amal, record, fields)
    assert office.sync("amal")[0].refused == 1
    assert canonical_bytes(rows(office["hq"])[record].state) == state
    office.equal("amal")


def test_an_auditor_s_commits_are_quarantined(office: Office, amal: Node) -> None:
    """An auditor receives everything, and commits of the auditor's laptop are quarantined."""
    with office["hq"].store.write() as tx:
        tx.sql("UPDATE device SET grants = ? WHERE id = ?", ('[["LAT/JBL","auditor"]]', amal.device))
    try:
        record = household(amal)
        theirs = household(office["basim"])
        office.sync("basim")
        assert office.sync("amal")[0].refused >= 1  # what waited for Basim's commits is judged anew, too
        assert refused(amal)[-1]["code"] == "role_refused"
        assert record not in rows(office["hq"])
        assert theirs in rows(amal)
        assert amal.role == "auditor"
    finally:
        with office["hq"].store.write() as tx:
            tx.sql("UPDATE device SET grants = ? WHERE id = ?", ('[["LAT/JBL","caseworker"]]', amal.device))
        office.sync("amal")

"""Household events: reported by a caseworker; the supervisor who verifies one writes its consequences."""

import pytest

from fieldsync import errors
from fieldsync.casework import household_events
from fieldsync.core import record_ids
from fieldsync.core.state import canonical_bytes
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import decisions
from fieldsync.store.contract import Row
from tests.cast import JBL, rows
from tests.offices import Office

DAY = "2026-01-05"


class Family:
    """A family of three on somebody's laptop, with their memberships."""

    def __init__(self, node: Node, name: str = "محمد") -> None:
        self.node = node
        self.home = self.add("household", family_name=name, location="جبلة", displacement="idp")
        self.father, self.mother, self.son = (
            self.add("person", household=text(self.home), given=given, sex=sex, birth_precision="none", alive="alive")
            for given, sex in (("أحمد", "m"), ("فاطمة", "f"), ("علي", "m"))
        )
        for person, relation in ((self.father, "head"), (self.mother, "spouse"), (self.son, "son_daughter")):
            self.join(person, relation)

    def add(self, type: str, **fields: object) -> bytes:
        """Save a record in Jableh."""
        return save.add_record(self.node, type, Changes(set=fields), unit=JBL)

    def join(self, person: bytes, relation: str) -> None:
        """Make somebody a member."""
        self.add(
            "membership", household=text(self.home), person=text(person), relation=relation, from_date="2020-01-01"
        )

    def report(self, kind: str, members: tuple[bytes, ...] = (), **fields: object) -> bytes:
        """Report an event."""
        named = [one.hex() for one in members]
        return household_events.report_event(
            self.node, kind, self.home.hex(), {"event_date": DAY, **fields}, members=named
        )


def text(record: bytes) -> str:
    """Return an id as references have it."""
    return record_ids.id_text(record)


def members(node: Node, home: bytes) -> dict[str, str]:
    """Return who lives in a household by its open memberships: given name → relation."""
    found = rows(node)
    return {
        found[bytes.fromhex(row.doc["person"].replace("-", ""))].doc["given"]: row.doc["relation"]
        for row in found.values()
        if row.state.type == "membership" and row.doc["household"] == text(home) and "to_date" not in row.doc
    }


def of_type(node: Node, type: str) -> list[Row]:
    """Return the records of a type."""
    return [row for row in rows(node).values() if row.state.type == type]


@pytest.fixture
def family(office: Office) -> Family:
    """A family that Amal registered, known to her supervisor and to Basim."""
    made = Family(office["amal"])
    office.sync("amal", "samar", "basim")
    return made


def test_a_birth_is_reported_offline_and_verified_by_a_supervisor(office: Office, family: Family) -> None:
    """Nothing changes before; then the child is a person and a member, on all laptops."""
    amal, samar = office["amal"], office["samar"]
    event = family.report("birth", child_name="ليلى", child_sex="f")
    assert len(of_type(amal, "person")) == 3
    with pytest.raises(errors.RoleRefused):
        household_events.verify_event(amal, event.hex())
    assert rows(amal)[event].doc["state"] == "reported"
    office.sync("amal", "samar")
    household_events.verify_event(samar, event.hex())
    office.sync("samar", "amal", "basim")
    office.equal("amal", "basim", "samar")
    assert members(amal, family.home)["ليلى"] == "son_daughter"
    child = next(row for row in of_type(amal, "person") if row.doc["given"] == "ليلى")
    assert (child.doc["birth_date"], child.doc["alive"], child.doc["family"]) == (DAY, "alive", "محمد")
    assert rows(amal)[event].doc["person"] == text(child.state.record)
    household_events.verify_event(samar, event.hex())  # once more changes nothing
    assert len(of_type(samar, "person")) == 4


def test_concurrent_verifications_of_a_birth_make_one_child(office: Office, family: Family) -> None:
    """Two supervisors verify offline: the same records with the same codes, and no conflict."""
    samar = office["samar"]
    event = family.report("birth", child_name="ليلى", child_sex="f")
    office.sync("amal", "samar")
    hq = office["hq"]
    household_events.verify_event(hq, event.hex())
    household_events.verify_event(samar, event.hex())
    office.sync("samar", "amal", "samar")
    office.equal("amal", "samar")
    assert [row.doc["given"] for row in of_type(samar, "person")].count("ليلى") == 1
    assert len(members(samar, family.home)) == 4
    assert decisions.list_conflicts(samar) == []


def test_a_birth_reported_twice_goes_to_review(office: Office, family: Family) -> None:
    """Their supervisor verifies one; the other is refused unless they are twins."""
    first = family.report("birth", child_name="ليلى", child_sex="f")
    second = household_events.report_event(
        office["basim"],
        "birth",
        family.home.hex(),
        {"event_date": "2026-01-06", "child_name": "ليلا", "child_sex": "f"},
    )
    office.sync("amal", "basim", "samar")
    samar = office["samar"]
    (item,) = decisions.list_conflicts(samar)
    assert (item.type, item.field) == ("household", "last_birth")
    assert {head.value for head in item.heads} == {text(first), text(second)}
    household_events.verify_event(samar, first.hex())
    with pytest.raises(errors.SameBirth) as caught:
        household_events.verify_event(samar, second.hex())
    assert caught.value.facts == {"event": rows(samar)[second].code, "other": rows(samar)[first].code}
    household_events.verify_event(samar, second.hex(), anyway=True)
    assert len(of_type(samar, "person")) == 5


def test_a_death_ends_a_membership(office: Office, family: Family) -> None:
    """The person's record stays, marked as dead."""
    event = family.report("death", person=text(family.father))
    office.sync("amal", "samar")
    household_events.verify_event(office["samar"], event.hex())
    office.sync("samar", "amal")
    amal = office["amal"]
    assert rows(amal)[family.father].doc["alive"] == "dead"
    assert members(amal, family.home) == {"فاطمة": "spouse", "علي": "son_daughter"}
    ended = [row.doc for row in of_type(amal, "membership") if "to_date" in row.doc]
    assert [(doc["to_date"], doc["end_reason"]) for doc in ended] == [(DAY, "death")]


def test_a_move_changes_the_location(office: Office, family: Family) -> None:
    """Two verified moves to two places are a conflict like any other."""
    event = family.report("move", from_location="جبلة", to_location="القرداحة")
    office.sync("amal", "samar")
    household_events.verify_event(office["samar"], event.hex())
    assert rows(office["samar"])[family.home].doc["location"] == "القرداحة"


def test_a_marriage_moves_the_person_to_the_other_family(office: Office, family: Family) -> None:
    """One membership ends, another begins, and the person's records follow."""
    other = Family(office["amal"], "حسن")
    event = family.report("marriage", person=text(family.son), other_household=text(other.home))
    office.sync("amal", "samar")
    household_events.verify_event(office["samar"], event.hex())
    office.sync("samar", "amal")
    amal = office["amal"]
    son = rows(amal)[family.son].doc
    assert (son["household"], son["marital"]) == (text(other.home), "married")
    assert "علي" not in members(amal, family.home)
    assert len(of_type(amal, "membership")) == 7
    office.equal("amal", "samar")


def test_a_split_makes_one_new_family(office: Office, family: Family) -> None:
    """Verified by anybody, repeatedly, there is one new family with its head."""
    event = family.report("split", (family.son, family.mother), person=text(family.son))
    office.sync("amal", "samar")
    household_events.verify_event(office["hq"], event.hex())
    household_events.verify_event(office["samar"], event.hex())
    office.sync("samar", "amal", "samar")
    office.equal("amal", "samar")
    amal = office["amal"]
    new = next(row for row in of_type(amal, "household") if row.state.record != family.home)
    assert (new.doc["head"], new.doc["family_name"], new.doc["state"]) == (text(family.son), "محمد", "draft")
    assert members(amal, new.state.record) == {"علي": "head", "فاطمة": "spouse"}
    assert members(amal, family.home) == {"أحمد": "head"}
    assert {row.doc["household"] for row in of_type(amal, "person")} == {text(family.home), text(new.state.record)}
    assert decisions.list_conflicts(amal) == []


@pytest.mark.parametrize("kind", ["join", "leave", "merge", "divorce", "head_change", "return"])
def test_other_events_are_verified_alike_by_two_people(office: Office, family: Family, kind: str) -> None:
    """Two people verify each offline: the same state on both."""
    other = Family(office["amal"], "حسن")
    person = other.son if kind == "join" else family.son
    fields = {} if kind in ("merge", "return") else {"person": text(person)}
    fields |= {"other_household": text(other.home)} if kind in ("merge", "divorce") else {}
    event = family.report(kind, **fields)
    office.sync("amal", "samar")
    household_events.verify_event(office["hq"], event.hex())
    household_events.verify_event(office["samar"], event.hex())
    office.sync("samar", "amal", "samar")
    office.equal("amal", "samar")
    amal = office["amal"]
    assert decisions.list_conflicts(amal) == []
    expected = {
        "join": {"أحمد": "head", "فاطمة": "spouse", "علي": "other_relative"},
        "leave": {"أحمد": "head", "فاطمة": "spouse"},
        "divorce": {"أحمد": "head", "فاطمة": "spouse"},
        "merge": {},
        "head_change": {"أحمد": "other_relative", "فاطمة": "spouse", "علي": "head"},
        "return": {"أحمد": "head", "فاطمة": "spouse", "علي": "son_daughter"},
    }
    if kind != "join":
        assert members(amal, family.home) == expected[kind]
    else:
        assert len(members(amal, other.home)) == 2
    assert canonical_bytes(rows(amal)[event].state) == canonical_bytes(rows(office["hq"])[event].state)


def test_an_event_made_with_add_equals_a_reported_one(office: Office, family: Family) -> None:
    """By `add` or a form: codes are reserved for the child, and another report of a birth nearby is noticed."""
    amal = office["amal"]
    event = save.add_record(
        amal,
        "household_event",
        Changes(
            set={
                "household": text(family.home), "kind": "birth", "event_date": DAY, "child_name": "نور", "child_sex": "f",
                "evidence": "document",
            }
        ),
    )  # fmt: skip
    assert rows(amal)[family.home].doc["last_birth"] == text(event)
    assert rows(amal)[event].doc["new_code"].startswith("JBL-")
    office.sync("amal")
    office.sync("samar")
    for name in ("samar", "hq"):
        household_events.verify_event(office[name], event.hex(), anyway=True)
    office.sync("samar")
    born = [row for row in rows(office["hq"]).values() if row.doc.get("given") == "نور"]
    assert [(row.code, list(row.conflicts)) for row in born] == [(rows(amal)[event].doc["new_code"], [])]

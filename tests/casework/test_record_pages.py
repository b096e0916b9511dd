"""The page of a family or a case: all records that belong to it at any depth, without removed ones."""

from fieldsync.casework import record_pages
from fieldsync.core import record_ids
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import duplicate_pairs
from tests import directly
from tests.conftest import Cast


def added(node: Node, type: str, **fields: object) -> str:
    """Save a record; return its id as references have it."""
    return record_ids.id_text(save.add_record(node, type, Changes(set=fields)))


def family(node: Node) -> str:
    """Register a family."""
    return added(node, "household", family_name="الحسن", location="جبلة")


def person(node: Node, home: str, given: str, **fields: object) -> str:
    """Register a person of a family."""
    return added(node, "person", household=home, given=given, family="الحسن", **{"sex": "f", **fields})


def sections(node: Node, record: str) -> dict[str, list[str]]:
    """Return a page: by section, the ids of its records in order."""
    found = record_pages.show_record(node, record).sections
    return {one.section: [record.id for record in one.records] for one in found}


def test_a_family_page_lists_members_and_their_records(people: Cast) -> None:
    """The head is first, former members last; cases, aid and visits of members are listed, newest first."""
    amal = people.amal
    home = family(amal)
    child, mother, gone = (person(amal, home, name, birth_date=born) for name, born in
                           (("ريم", "2015-05-01"), ("هدى", "1980-02-03"), ("سلمى", "1975-01-02")))  # fmt: skip
    save.edit_record(amal, home, Changes(set={"head": mother}))
    ended = {"to_date": "2026-03-01", "end_reason": "moved"}
    for one, more in ((child, {}), (gone, ended)):
        added(amal, "membership", household=home, person=one, relation="other_relative", from_date="2020-01-01", **more)
    case = added(amal, "case", person=child, case_type="child", opened_on="2026-02-01")
    early, late = (added(amal, "follow_up", case=case, kind="home", due_on=day) for day in ("2026-03-01", "2026-04-01"))
    mine = added(amal, "benefit", recipient=home, kind="food", period="2026-01")
    hers = added(amal, "benefit", recipient=mother, kind="cash", period="2026-02")
    dropped = added(amal, "benefit", recipient=home, kind="food", period="2026-05")
    save.remove_record(amal, dropped, "registered twice")

    assert sections(amal, home) == {
        "members": [mother, child, gone], "cases": [case], "aid": [hers, mine], "visits": [late, early],
    }  # fmt: skip
    by_name = {one.section: one.records for one in record_pages.show_record(amal, home).sections}
    assert [one.about for one in by_name["aid"]] == ["هدى الحسن", record_pages.UNSET]
    assert by_name["members"][2].membership["to_date"] == "2026-03-01"


def test_a_returned_member_is_listed_as_present(people: Cast) -> None:
    """An ended membership does not hide a later one."""
    home = family(people.amal)
    one = person(people.amal, home, "ريم")
    told = {"household": home, "person": one, "relation": "head"}
    added(people.amal, "membership", **told, from_date="2024-01-01")
    added(people.amal, "membership", **told, from_date="2020-01-01", to_date="2021-01-01", end_reason="moved")
    (members,) = record_pages.show_record(people.amal, home).sections
    assert [record.membership["from_date"] for record in members.records] == ["2024-01-01"]


def test_merged_families_share_one_page(people: Cast) -> None:
    """Records of the merged family are on the surviving one's page; merged members are not listed twice."""
    home, other = family(people.samar), family(people.samar)
    one, twin = person(people.samar, home, "ريم"), person(people.samar, other, "ريم")
    aid = added(people.samar, "service", person=twin, service_type="education", given_on="2026-01-01")
    duplicate_pairs.merge_records(people.samar, home, other)
    duplicate_pairs.merge_records(people.samar, one, twin)
    assert sections(people.samar, home) == {"members": [one], "aid": [aid]}


def test_a_case_page_lists_its_plan_and_related_records(people: Cast) -> None:
    """Steps belong to the plan; a referral or service belongs to the person and refers to the case or a step."""
    amal = people.amal
    child = person(amal, family(amal), "ريم")
    case, second = (added(amal, "case", person=child, case_type=kind) for kind in ("child", "woman"))
    plan = added(amal, "plan", case=case, goal="العودة إلى المدرسة")
    step = added(amal, "plan_item", plan=plan, action="تسجيلها", service_type="education", due_on="2026-05-01")
    visit = added(amal, "follow_up", case=case, kind="home", due_on="2026-04-01")
    added(amal, "follow_up", case=second, kind="home", due_on="2026-04-02")
    service = added(amal, "service", person=child, service_type="education", plan_item=step)
    added(amal, "service", person=child, service_type="health")
    referral = added(amal, "referral", person=child, case=case, kind="service", reason="طبيب")
    assert sections(amal, case) == {
        "plan": [plan], "steps": [step], "visits": [visit], "aid": [service], "referrals": [referral],
    }  # fmt: skip


def test_members_conflicts_are_on_the_family_page(people: Cast) -> None:
    """The family page shows that a member's birth date is in conflict."""
    home = family(people.amal)
    one = person(people.amal, home, "ريم", birth_date="2015-05-01")
    for node in (people.amal, people.basim):
        directly.sync(node, people.hq)
    for node, born in ((people.amal, "2015-05-02"), (people.basim, "2015-05-03")):
        save.edit_record(node, one, Changes(set={"birth_date": born}))
        directly.sync(node, people.hq)
    assert sections(people.basim, home) == {"members": [one], "conflicts": [one]}


def test_other_record_types_have_no_page(people: Cast) -> None:
    """A person is shown as a card."""
    one = person(people.amal, family(people.amal), "ريم")
    assert record_pages.show_record(people.amal, one).sections is record_pages.UNSET

"""Computed values that depend on other records, as shown on laptops that have them."""

from pathlib import Path

from fieldsync.core import record_ids
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.formula_lookups import FormLookups
from fieldsync.replica.node import Node
from fieldsync.server.publish_schema import publish_schema
from tests.conftest import Cast
from tests.directly import sync


def add(node: Node, type: str, /, put: dict[str, list[str]] | None = None, **fields: object) -> str:
    """Add a record; return its id as references have it."""
    return record_ids.id_text(save.add_record(node, type, Changes(set=fields, put=put or {})))  # type: ignore[arg-type]


def shown(node: Node, record: str) -> dict[str, object]:
    """Return what a record shows; a list of its type says the same."""
    one = queries.show(node, record)
    listed = {found.id: found.fields for found in queries.list_records(node, one.type, limit=0)}
    assert listed.get(record, one.fields) == one.fields
    fields: dict[str, object] = one.fields
    return fields


def test_family_size_counts_open_memberships(people: Cast) -> None:
    """Members who left or were removed are not counted; a family without memberships has no size."""
    amal = people.amal
    family = add(amal, "household", family_name="الحسن")
    assert "size" not in shown(amal, family)
    members = []
    for given in ("علي", "سلمى", "ليث"):
        person = add(amal, "person", given=given, family="الحسن", sex="m", household=family)
        members.append(
            add(amal, "membership", household=family, person=person, relation="son_daughter", from_date="2020-01-01")
        )
    assert shown(amal, family)["size"] == 3
    save.edit_record(amal, members[0], Changes(set={"to_date": "2026-01-01", "end_reason": "moved"}))
    assert shown(amal, family)["size"] == 2
    save.remove_record(amal, members[1], "entered twice")
    assert shown(amal, family)["size"] == 1


def test_family_size_without_memberships_counts_living_persons(people: Cast) -> None:
    """Two persons with the same name count twice; a dead person does not count."""
    amal = people.amal
    family = add(amal, "household", family_name="الحسن")
    persons = [add(amal, "person", given="علي", family="الحسن", sex="m", household=family) for _ in range(3)]
    assert shown(amal, family)["size"] == 3
    save.edit_record(amal, persons[0], Changes(set={"alive": "dead"}))
    assert shown(amal, family)["size"] == 2


def test_a_merged_family_has_the_members_of_both(people: Cast) -> None:
    """The surviving record has the members of both, and a person entered twice counts once."""
    amal = people.amal
    one, two = (add(amal, "household", family_name="الحسن") for _ in range(2))
    persons = [add(amal, "person", given="علي", family="الحسن", sex="m", household=family) for family in (one, two)]
    for family, person in zip((one, two), persons, strict=True):
        add(amal, "membership", household=family, person=person, relation="head", from_date="2020-01-01")
    with amal.store.write() as tx:
        tx.set_merged({two: one})
    assert shown(amal, one)["size"] == 2
    with amal.store.write() as tx:
        tx.set_merged({persons[1]: persons[0]})
    assert shown(amal, one)["size"] == 1


def test_aid_for_a_person_counts_for_the_family(people: Cast) -> None:
    """Two benefits of a kind in a month have the same key, whichever family member they name."""
    amal = people.amal
    family = add(amal, "household", family_name="الحسن")
    person = add(amal, "person", given="علي", family="الحسن", sex="m", household=family)
    keys = {
        shown(amal, add(amal, "benefit", recipient=whose, kind="food", period="2026-10"))["dup_key"]
        for whose in (family, person)
    }
    assert keys == {f"{family} food 2026-10"}


def test_sums_of_related_records(people: Cast) -> None:
    """A home's posts and a loan's repayments are summed over known values; a reversed payment is subtracted."""
    samar = people.samar
    home = add(samar, "institution", name_ar="دار الرحمة")
    assert shown(samar, home)["residents"] == 0
    assert "posts_needed" not in shown(samar, home)
    add(samar, "institution_post", institution=home, post="مشرفة", needed=4, filled=3)
    add(samar, "institution_post", institution=home, post="طاهية", needed=2, filled=1)
    assert (shown(samar, home)["posts_needed"], shown(samar, home)["posts_filled"]) == (6, 4)
    family = add(samar, "household", family_name="الحسن")
    owner = add(samar, "person", given="علي", family="الحسن", sex="m", household=family)
    loan = add(samar, "microproject", person=owner, sector="craft", finance="soft_loan")
    for amount in (500, 250.5, -250.5):
        add(samar, "repayment", project=loan, amount=amount, paid_on="2026-10-01")
    assert shown(samar, loan)["repaid"] == 500


def test_an_inspection_is_graded_by_its_scores(people: Cast) -> None:
    """A grade needs a team of two; an institution shows the grade of the reviewed inspection."""
    samar = people.samar
    home = add(samar, "institution", name_ar="دار الرحمة")
    visit = add(samar, "inspection", {"team": ["رنا", "هدى"]}, institution=home, done_on="2026-10-01")
    for standard, score in (("النظافة", 4), ("الغذاء", 3), ("السكن", 2)):
        add(samar, "inspection_score", inspection=visit, standard=standard, score=score)
    assert {name: shown(samar, visit)[name] for name in ("total", "share", "grade")} == {
        "total": 9,
        "share": 0.75,
        "grade": "b",
    }
    assert "grade" not in shown(samar, home)
    save.edit_record(samar, visit, Changes(set={"state": "done"}))
    assert "grade" not in shown(samar, home)
    save.edit_record(samar, visit, Changes(set={"state": "reviewed"}))
    assert shown(samar, home)["grade"] == "b"


def test_a_form_reads_related_records_once(people: Cast) -> None:
    """While a form is open, lookups of one record, of none and of several are cached; a record saved meanwhile is not seen."""
    amal = people.amal
    family = add(amal, "household", family_name="الحسن")
    around = FormLookups(amal, None)
    assert (around.find_document(family) or {})["family_name"] == "الحسن"
    assert around.find_document([family]) is None
    assert around.find_document(None) is None
    assert list(around.child_documents("person")) == []
    save.edit_record(amal, family, Changes(set={"family_name": "ديب"}))
    assert (around.find_document(family) or {})["family_name"] == "الحسن"


LINK = """
version = 1
label = { en = "Link", ar = "حلقة" }
plural = { en = "Links", ar = "حلقات" }
title = ["name"]

[fields.name]
type = "text"
merge = "review"
required = "always"
sensitivity = 1
label = { en = "Name", ar = "الاسم" }

[fields.next]
type = "ref"
to = ["link"]
merge = "review"
sensitivity = 1
label = { en = "Next", ar = "التالية" }

[fields.length]
type = "int"
merge = "derived"
formula = "1 + coalesce(of(next.length), 0)"
sensitivity = 1
label = { en = "Length", ar = "الطول" }
"""


def test_a_value_rests_on_others_three_records_deep(people: Cast, tmp_path: Path) -> None:
    """Also where records name each other in a circle: what is further away is not read."""
    (tmp_path / "forms").mkdir()
    (tmp_path / "forms" / "link.toml").write_text(LINK, encoding="utf-8")
    publish_schema(people.hq, tmp_path / "forms", keep_others=True)
    sync(people.amal, people.hq)
    links: list[str] = []
    for name in "abcdef":
        following = {"next": links[-1]} if links else {}
        links.append(add(people.amal, "link", name=name, **following))
    assert [shown(people.amal, one)["length"] for one in links] == [1, 2, 3, 4, 4, 4]
    save.edit_record(people.amal, links[0], Changes(set={"next": links[-1]}))
    assert {shown(people.amal, one)["length"] for one in links} == {4}

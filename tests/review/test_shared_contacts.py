"""Phones and places shared by many families, and rejected pairs that reopen with new data."""

from typing import Any

import pytest

from fieldsync.core import record_ids
from fieldsync.linkage.shared_contacts import MANY_FAMILIES
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import duplicate_pairs, queue
from tests.cast import JBL, QRD
from tests.conftest import Cast
from tests.directly import sync

SHELTER = "+963944000111"
OWN = "+963944000222"
NAMES = "الخطيب درويش زيتون شحادة مرعي عثمان بركات كنعان طرابلسي نصور غزال يونس".split()


def family(node: Node, name: str, *, unit: str = JBL, phones: tuple[str, ...] = (SHELTER,), **fields: Any) -> str:
    """Register a family; return its id."""
    wanted = Changes(set={"family_name": name, **fields}, put={"phones": list(phones)})
    return record_ids.id_text(save.add_record(node, "household", wanted, unit=unit))


def fill(node: Node, n: int) -> None:
    """So many further families have the shelter's phone and live there."""
    for name in NAMES[:n]:
        family(node, name, location="المدرسة")


@pytest.mark.parametrize("scanned", [False, True])
def test_a_phone_of_many_families_is_no_evidence(people: Cast, *, scanned: bool) -> None:
    """A family name and a phone make a pair, until more than ten families have that phone; earlier pairs then go too."""
    amal = people.amal
    a, b = family(amal, "الحسن", location="جبلة"), family(amal, "حسن", location="حمص")
    (pair,) = duplicate_pairs.list_pairs(amal)
    assert ({pair.a, pair.b}, "phone" in pair.reasons) == ({a, b}, True)
    fill(amal, MANY_FAMILIES - 2)
    assert [one.a for one in duplicate_pairs.list_pairs(amal)] == [pair.a]
    assert "phone" in duplicate_pairs.show_pair(amal, a, b).reasons
    family(amal, "قاسم")
    if scanned:
        duplicate_pairs.scan_duplicates(amal)
    assert duplicate_pairs.list_pairs(amal) == []
    assert "phone" not in duplicate_pairs.show_pair(amal, a, b).reasons
    again = Changes(set={"family_name": "الحسن"}, put={"phones": [SHELTER]})
    assert duplicate_pairs.likely_duplicates(amal, "household", again) == []


def test_a_place_of_many_families_is_no_evidence(people: Cast) -> None:
    """Neither for families nor for persons; each family counts once."""
    amal = people.amal
    a, b = (family(amal, "الحسن", phones=(), location="المدرسة") for _ in range(2))
    for _ in range(MANY_FAMILIES):
        save.add_record(amal, "person", Changes(set={"given": "هدى", "household": a}))
    duplicate_pairs.list_pairs(amal)
    assert "place" in duplicate_pairs.show_pair(amal, a, b).reasons
    fill(amal, MANY_FAMILIES - 1)
    duplicate_pairs.list_pairs(amal)
    assert "place" not in duplicate_pairs.show_pair(amal, a, b).reasons


def two_families(people: Cast) -> tuple[str, str]:
    """Two families that a supervisor said are two; everybody has heard of it."""
    a = family(people.amal, "الحسن", family_book_no="12/7")
    b = family(people.basim, "حسن", unit=QRD)
    everybody(people)
    duplicate_pairs.mark_distinct(people.samar, a, b)
    everybody(people)
    assert duplicate_pairs.list_pairs(people.samar) == []
    return a, b


def everybody(people: Cast) -> None:
    """Sync, twice: what one brings, the others take."""
    for _ in range(2):
        for node in people.laptops:
            sync(node, people.hq)
            people.clock.tick(1_000)


def test_a_rejected_pair_reopens_with_a_common_booklet(people: Cast) -> None:
    """The pair is pending again, here and at headquarters, with the reason; decided again, it is closed."""
    a, b = two_families(people)
    save.edit_record(people.basim, b, Changes(set={"family_book_no": "12/7"}))
    everybody(people)
    for node in (people.samar, people.hq):
        (pair,) = duplicate_pairs.list_pairs(node)
        assert ({pair.a, pair.b}, pair.reasons[-1]) == ({a, b}, "again")
    assert queue.count_pairs(people.samar).duplicates == 1
    duplicate_pairs.mark_distinct(people.samar, a, b)
    assert duplicate_pairs.list_pairs(people.samar) == []
    everybody(people)
    assert duplicate_pairs.list_pairs(people.hq) == []


def test_a_rejected_pair_reopens_with_evidence_that_arrives_later(people: Cast) -> None:
    """Data unseen at the decision counts, whatever the clocks show."""
    a = family(people.amal, "الحسن", family_book_no="12/7")
    b = family(people.basim, "حسن", unit=QRD)
    everybody(people)
    save.edit_record(people.basim, b, Changes(put={"phones": [OWN]}))
    save.edit_record(people.amal, a, Changes(put={"phones": [OWN]}))
    people.clock.tick(1_000)
    duplicate_pairs.mark_distinct(people.samar, a, b)
    assert duplicate_pairs.list_pairs(people.samar) == []
    everybody(people)
    (pair,) = duplicate_pairs.list_pairs(people.samar)
    assert pair.reasons[-1] == "again"


def test_other_data_does_not_reopen_a_rejected_pair(people: Cast) -> None:
    """A corrected name, one side's phone, a note: the decision stands."""
    a, b = two_families(people)
    save.edit_record(people.basim, b, Changes(set={"family_name": "الحسن", "address": "قرب المدرسة"}))
    save.edit_record(people.amal, a, Changes(put={"phones": [OWN]}))
    everybody(people)
    assert duplicate_pairs.list_pairs(people.samar) == []


def test_a_family_s_phone_reopens_a_pair_of_persons(people: Cast) -> None:
    """The family's phone is evidence for the person, as in the comparison."""
    amal, samar = people.amal, people.samar
    named = {"given": "أحمد", "father": "علي", "grandfather": "سليم", "family": "الحسن", "sex": "m"}
    one, other = (family(amal, "الحسن", phones=phones) for phones in ((OWN,), ()))
    a, b = (
        record_ids.id_text(save.add_record(amal, "person", Changes(set={**named, "household": home})))
        for home in (one, other)
    )
    everybody(people)
    duplicate_pairs.mark_distinct(samar, a, b)
    assert duplicate_pairs.list_pairs(samar, type="person") == []
    everybody(people)
    people.clock.tick(1_000)
    save.edit_record(amal, other, Changes(put={"phones": [OWN]}))
    everybody(people)
    (pair,) = duplicate_pairs.list_pairs(samar, type="person")
    assert {pair.a, pair.b} == {a, b}

"""Overlaps: possible duplicate assistance is found where both records are known, whoever entered them, in any order."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.core import record_ids
from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import assistance_overlaps, duplicate_pairs
from tests import cast, directly
from tests.cast import Clock
from tests.conftest import Cast

FOOD = {"kind": "food", "period": "2026-10", "quantity": 1}


def text(record: bytes) -> str:
    """Return an id as references have it."""
    return record_ids.id_text(record)


def family(node: Node, name: str = "الحسن") -> tuple[bytes, bytes]:
    """Register a family and one person of it."""
    home = save.add_record(node, "household", Changes(set={"family_name": name}))
    return home, save.add_record(node, "person", Changes(set={"given": "علي", "family": name, "household": text(home)}))


def aid(node: Node, recipient: bytes, provider: str, **other: object) -> bytes:
    """Enter what a household or a person was given."""
    return save.add_record(
        node, "benefit", Changes(set={**FOOD, "recipient": text(recipient), "provider": provider, **other})
    )


def everybody(people: Cast) -> None:
    """Have all laptops sync until all know all."""
    for node in people.laptops * 2:
        assert directly.sync(node, people.hq).differing == []


def pairs(node: Node) -> set[tuple[str, frozenset[str]]]:
    """Return the open pairs of a node, by rule."""
    return {(one.rule, frozenset((one.a.record, one.b.record))) for one in assistance_overlaps.list_overlaps(node)}


def test_aid_from_two_providers_is_flagged_and_settled(people: Cast) -> None:
    """One gave to the household, the other to a member: warned at entry where both are known; a supervisor cancels one."""
    amal, basim, samar, hq = people.amal, people.basim, people.samar, people.hq
    home, person = family(amal)
    everybody(people)
    first = aid(amal, home, "جمعية البر")
    second = aid(basim, person, "الهلال الأحمر")
    assert assistance_overlaps.overlaps_of(amal, first.hex()) == []  # as far as her laptop knows
    everybody(people)
    (told,) = assistance_overlaps.overlaps_of(amal, first.hex())
    assert (told.side.record, told.side.by, told.side.fields["provider"]) == (text(second), "Basim", "الهلال الأحمر")
    for node in (amal, basim, samar, hq):
        assert pairs(node) == {("aid", frozenset((text(first), text(second))))}
    with pytest.raises(errors.RoleRefused):
        assistance_overlaps.cancel_record(basim, second.hex(), "مكررة")
    assistance_overlaps.cancel_record(samar, second.hex(), "مكررة")
    assert queries.show(samar, second.hex()).fields["state"] == "cancelled"
    everybody(people)
    assert [pairs(node) for node in (amal, basim, samar, hq)] == [set()] * 4


def test_an_overlap_confirmed_as_right_is_not_offered_again(people: Cast) -> None:
    """Half a basket each: confirmed once, known everywhere; a third basket is a new question."""
    home, _ = family(people.amal)
    first, second = aid(people.amal, home, "جمعية البر"), aid(people.amal, home, "الهلال الأحمر")
    everybody(people)
    with pytest.raises(errors.RoleRefused):
        assistance_overlaps.keep_both(people.amal, first.hex(), second.hex())
    assistance_overlaps.keep_both(people.samar, first.hex(), second.hex(), note="نصف سلة لكل")
    everybody(people)
    assert pairs(people.hq) == pairs(people.amal) == set()
    third = aid(people.amal, home, "جمعية البر")
    everybody(people)
    assert pairs(people.hq) == {("aid", frozenset((text(one), text(third)))) for one in (first, second)}


def test_differing_aid_is_not_an_overlap(people: Cast) -> None:
    """Another kind, month or household, and cancelled or removed records."""
    home, _ = family(people.amal)
    other, _ = family(people.amal, "العلي")
    aid(people.amal, home, "جمعية البر")
    aid(people.amal, home, "جمعية البر", kind="hygiene")
    aid(people.amal, home, "جمعية البر", period="2026-09")
    aid(people.amal, other, "جمعية البر")
    gone = aid(people.amal, home, "جمعية البر")
    assert len(pairs(people.amal)) == 1
    save.remove_record(people.amal, gone.hex(), "خطأ")
    assert pairs(people.amal) == set()


def test_merged_households_share_their_aid(people: Cast) -> None:
    """After a merge the aid of both counts together; after a split it does not."""
    home, _ = family(people.amal)
    again, _ = family(people.amal)
    aid(people.amal, home, "جمعية البر")
    second = aid(people.amal, again, "الهلال الأحمر")
    everybody(people)
    assert pairs(people.samar) == set()
    duplicate_pairs.merge_records(people.samar, home.hex(), again.hex())
    assert len(pairs(people.samar)) == 1
    assert len(assistance_overlaps.overlaps_of(people.samar, second.hex())) == 1
    duplicate_pairs.split_records(people.samar, home.hex(), again.hex())
    assert pairs(people.samar) == set()


def test_exclusive_programmes_overlap(people: Cast) -> None:
    """One of the two must name the other; the same programme twice overlaps too, an ended enrolment does not."""
    samar = people.samar

    def programme(name: str, *without: bytes) -> bytes:
        changes = {"programme_code": name, "name_ar": name, "kind": "safety_net"}
        return save.add_record(
            samar, "programme", Changes(set=changes, put={"exclusive_with": [text(one) for one in without]})
        )

    cash = programme("معونة نقدية")
    pension = programme("معاش", cash)
    free = programme("تدريب")
    home, person = family(samar)

    def enrol(holder: bytes, what: bytes) -> bytes:
        return save.add_record(samar, "enrolment", Changes(set={"programme": text(what), "holder": text(holder)}))

    one = enrol(home, cash)
    enrol(person, free)
    assert pairs(samar) == set()
    two = enrol(person, pension)
    assert pairs(samar) == {("exclusive", frozenset((text(one), text(two))))}
    three = enrol(home, cash)
    assert ("programme", frozenset((text(one), text(three)))) in pairs(samar)


@pytest.fixture(scope="module")
def offices(cast_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    """A cast whose laptops the property test goes on using."""
    home = tmp_path_factory.mktemp("doubles")
    cast.copy_cast(cast_template, home)
    found = Cast(home, Clock())
    yield found
    found.close()


@settings(max_examples=12, deadline=None)
@given(
    entries=st.lists(
        st.tuples(st.sampled_from(["amal", "basim", "samar"]), st.integers(0, 1), st.sampled_from(["food", "cash"])),
        min_size=2, max_size=6,
    ),
    order=st.permutations(["amal", "basim", "samar"]),
)  # fmt: skip
def test_nodes_with_the_same_records_find_the_same_overlaps(
    offices: Cast, entries: list[tuple[str, int, str]], order: list[str]
) -> None:
    """With random entries and syncs the server and all laptops agree, and no pair is missing or extra."""
    home, person = family(offices.amal)
    everybody(offices)
    before = pairs(offices.hq)
    made: list[tuple[bytes, str]] = []
    for who, whom, kind in entries:
        node = getattr(offices, who)
        more = {"amount": 5, "amount_currency": "SYP", "quantity": None} if kind == "cash" else {}
        made.append((aid(node, (home, person)[whom], f"provider {who}", kind=kind, **more), kind))
    for who in order * 2:
        directly.sync(getattr(offices, who), offices.hq)
    expected = {
        ("aid", frozenset((text(a), text(b)))) for i, (a, x) in enumerate(made) for b, y in made[i + 1 :] if x == y
    }
    everybody(offices)
    assert pairs(offices.hq) - before == expected
    assert pairs(offices.amal) == pairs(offices.basim) == pairs(offices.hq)

"""The search for existing registrations by any words: results and the reasons given."""

import pytest

from fieldsync.core import record_ids
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from fieldsync.review import registered_already
from tests.conftest import Cast
from tests.directly import sync


@pytest.fixture
def known(people: Cast) -> dict[str, str]:
    """A family of three, and others: ids by given or family name."""
    amal = people.amal

    def add(type: str, put: dict[str, list[object]] | None = None, **fields: object) -> str:
        return record_ids.id_text(save.add_record(amal, type, Changes(set=fields, put=put or {})))

    home = add("household", {"phones": ["0944123456"]}, family_name="الحسن", location="جبلة", family_book_no="12/7")
    other = add("household", family_name="درويش", location="جبلة")
    made = {"الحسن": home, "درويش": other}
    for given, father, family, born in (
        ("أحمد", "علي", "الحسن", "1985-03-02"), ("سمير", "علي", "الحسن", "1990-01-01"), ("هدى", "خالد", "درويش", "1985-01-01"),
    ):  # fmt: skip
        made[given] = add(
            "person",
            given=given,
            father=father,
            family=family,
            birth_date=born,
            household=home if father == "علي" else other,
        )
    registered_already.prepare(amal)
    return made


def found(node: Node, type: str, text: str) -> dict[str, list[str]]:
    """Return the reasons by record, the likeliest first."""
    return {one.id: one.reasons for one in registered_already.find_registered(node, type, text, limit=8)}


@pytest.mark.parametrize(
    ("text", "who", "why"),
    [
        ("أحمد", ["أحمد"], {"given"}),
        ("احمد الحس", ["أحمد"], {"given"}),
        ("أحمد علي الحسن", ["أحمد"], {"given", "father", "family"}),
        ("Ahmad Hasan", ["أحمد"], {"given_spelt", "family_spelt"}),
        ("أحمد 1985", ["أحمد"], {"given", "birth_year"}),
        ("الحسن 1990", ["سمير"], {"in_family", "in_birth_date"}),
        ("احمد علي الحصن", ["أحمد"], {"given", "father"}),
        ("زياد", [], set()),
        ("", [], set()),
    ],
)
def test_a_person_is_found_by_words(
    people: Cast, known: dict[str, str], text: str, who: list[str], why: set[str]
) -> None:
    """Full names, prefixes, other scripts, a year, a wrong letter; each result has its reason."""
    told = found(people.amal, "person", text)
    assert list(told) == [known[name] for name in who]
    if who:
        assert set(told[known[who[0]]]) >= why


@pytest.mark.parametrize(
    ("text", "who", "why"),
    [
        ("الحسن", ["الحسن"], {"family"}),
        ("0944 123 456", ["الحسن"], {"phone"}),
        ("12/7", ["الحسن"], {"in_family_book_no"}),
        ("درويش جبلة", ["درويش"], {"family", "in_location"}),
        ("هدى", ["درويش"], {"member"}),
        ("سمير الحسن", ["الحسن"], {"member"}),
    ],
)
def test_a_family_is_found_by_words(
    people: Cast, known: dict[str, str], text: str, who: list[str], why: set[str]
) -> None:
    """By its name, phone, booklet and place, and by a member's name."""
    told = found(people.amal, "household", text)
    assert list(told)[:1] == [known[name] for name in who]
    assert set(told[known[who[0]]]) >= why


def test_removed_records_are_not_found(people: Cast, known: dict[str, str]) -> None:
    """A removed record is not offered; headquarters has no index, scans, and finds the same."""
    sync(people.amal, people.hq)
    assert list(found(people.hq, "person", "أحمد 1985")) == [known["أحمد"]]
    save.remove_record(people.amal, known["أحمد"], "twice")
    registered_already.prepare(people.amal)
    assert found(people.amal, "person", "أحمد") == {}


@pytest.mark.parametrize(
    ("type", "text", "answers"),
    [
        ("person", "أحمد علي الحسن", {"given": "أحمد", "father": "علي", "family": "الحسن"}),
        ("person", "أحمد الحسن", {"given": "أحمد", "family": "الحسن"}),
        ("person", "أحمد علي", {"given": "أحمد", "father": "علي"}),
        ("person", "أحمد علي سليم الحسن", {"given": "أحمد", "father": "علي", "grandfather": "سليم", "family": "الحسن"}),
        ("person", "عبد الرحمن علي", {}),
        ("person", "أحمد ٠٩٤٤١٢٣٤٥٦ 1985", {"phones": ["0944123456"], "given": "أحمد"}),
        ("household", "الحسن", {"family_name": "الحسن"}),
        ("household", "درويش جبلة", {}),
        ("household", "+963 944 123 456", {"phones": ["+963944123456"]}),
    ],
)
def test_the_search_words_prefill_the_form(type: str, text: str, answers: dict[str, object]) -> None:
    """Unambiguous words become answers; the others are left open."""
    assert registered_already.first_answers(type, text) == answers

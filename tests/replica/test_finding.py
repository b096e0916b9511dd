"""Search: on a laptop by its index, on a server by scanning records."""

import pytest

from fieldsync.replica import queries, save
from fieldsync.replica.changes import Changes
from tests.conftest import Cast
from tests.directly import sync


@pytest.fixture
def persons(people: Cast) -> dict[str, str]:
    """Two persons of one family, on a laptop and at headquarters: who is who."""
    names = {"أحمد": {"birth_date": "1985-03-02"}, "سمير": {"birth_date": "1990-01-01", "birth_hijri": "1410-06"}}
    for given, born in names.items():
        said = {"given": given, "father": "علي", "family": "الحسن", **born}
        save.add_record(people.amal, "person", Changes(set=said))
    sync(people.amal, people.hq)
    return {one.fields["given"]: one.id for one in queries.list_records(people.amal, "person")}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("أحمد 1985", ["أحمد"]),
        ("الحسن ١٩٩٠", ["سمير"]),
        ("سمير 1985", []),
        ("الحسن 1410", ["سمير"]),
        ("علي 1985-03-02", ["أحمد"]),
        ("الحس", ["أحمد", "سمير"]),
        ("احمد الحس", ["أحمد"]),
    ],
)
def test_a_name_and_a_birth_year_find_the_person(
    people: Cast, persons: dict[str, str], asked: str, found: list[str]
) -> None:
    """Also the beginning of a name with its article; a server without an index finds the same."""
    for node in (people.amal, people.hq):
        assert [one.id for one in queries.find(node, asked)] == [persons[name] for name in found]


def test_parts_of_a_date_are_not_found_as_numbers(people: Cast, persons: dict[str, str]) -> None:
    """The month and day of a birth date match only within the whole date: 03 finds nobody."""
    assert persons
    assert queries.find(people.amal, "أحمد 03") == []

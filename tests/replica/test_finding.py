"""What a search finds on a laptop, by its index, and on a server, which reads through its records."""

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
def test_a_name_and_a_year_find_who_was_born_then(
    people: Cast, persons: dict[str, str], asked: str, found: list[str]
) -> None:
    """Also the beginning of a name with its article; at headquarters, which has no index, the same."""
    for node in (people.amal, people.hq):
        assert [one.id for one in queries.find(node, asked)] == [persons[name] for name in found]


def test_no_day_is_found_as_if_it_were_a_number(people: Cast, persons: dict[str, str]) -> None:
    """The month and day of a birth date are found in the whole of it only: 03 says nothing of anybody."""
    assert persons
    assert queries.find(people.amal, "أحمد 03") == []

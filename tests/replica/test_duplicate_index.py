"""The index of possible duplicates: whose phones and places many families share."""

import pytest

from fieldsync.linkage import blocks
from fieldsync.linkage.features import features_of
from fieldsync.linkage.shared_contacts import MANY_FAMILIES
from fieldsync.replica import duplicate_index, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.duplicate_index import shared_contacts, update_index
from fieldsync.replica.lookup import find_row
from tests.cast import JBL
from tests.conftest import Cast


@pytest.mark.parametrize(("more", "shared"), [(0, False), (1, True)])
def test_a_phone_and_a_place_are_shared_from_one_family_more_on(people: Cast, more: int, shared: bool) -> None:
    """Families are counted under their phones and places as they are put into blocks."""
    changes = Changes(set={"family_name": "الحسن", "location": "جبلة"}, put={"phones": ["0944111222"]})
    made = [save.add_record(people.amal, "household", changes, unit=JBL) for _ in range(MANY_FAMILIES + more)]
    update_index(people.amal, compare=False)
    with people.amal.store.read() as tx:
        contacts = blocks.contact_keys(features_of("household", find_row(tx, made[0].hex()).doc))
        assert sorted(contacts.values()) == ["phone", "place"]
        assert [shared_contacts(tx).is_shared(key) for key in contacts] == [shared, shared]


def test_blocks_are_made_in_parts(people: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each transaction puts as many keys as fit into memory; all records are in their blocks in the end."""
    monkeypatch.setattr(duplicate_index, "_KEYS", 20)
    monkeypatch.setattr(duplicate_index, "_PART", 2)
    changes = Changes(set={"given": "سارة", "father": "حسن", "family": "حداد"})
    made = [save.add_record(people.amal, "person", changes, unit=JBL) for _ in range(9)]
    done = list[int]()
    update_index(people.amal, compare=False, progress=lambda now, _total, _what: done.append(now))
    assert done == [2, 4, 6, 8, 9]
    with people.amal.store.read() as tx:
        doc = find_row(tx, made[0].hex()).doc
        assert duplicate_index.meeting_records(tx, "person", doc) == {find_row(tx, one.hex()).n for one in made}

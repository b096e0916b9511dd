"""What a device lacks of a record: what changed behind its cursor, without its own work."""

from fieldsync.protocol.channel_delta import lacking_state
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests.cast import JBL, rows
from tests.conftest import Cast
from tests.directly import sync


def test_a_device_lacks_what_changed_after_its_cursor(people: Cast) -> None:
    """Of a record edited in three syncs it gets the fields behind each sequence number: none twice, none left out."""
    first = {"family_name": "Ahmad", "location": "Jableh"}
    family = save.add_record(people.amal, "household", Changes(set=first), unit=JBL)
    sync(people.amal, people.hq)
    for change in ({"location": "Homs"}, {"address": "Port"}, {"location": "Hama", "family_book_no": "17"}):
        save.edit_record(people.amal, family.hex(), Changes(set=change))
        sync(people.amal, people.hq)
    row = rows(people.hq)[family]
    created = row.arrivals[""]
    assert len(set(row.arrivals.values())) >= 3
    with people.hq.store.read() as tx:
        for after in range(created, max(row.arrivals.values()) + 2):
            lacked = lacking_state(tx, row, after, people.basim.device)
            wanted = {name for name, arrival in row.arrivals.items() if arrival > after}
            assert (set(lacked.fields) if lacked else set()) == wanted
            assert lacking_state(tx, row, after, people.amal.device) is None  # all of it is its own
        whole = lacking_state(tx, row, created - 1, people.basim.device)
    assert whole is not None
    assert whole.fields == row.state.fields

"""The channel of a record: its unit's, or the one for those above its owner."""

from fieldsync.core import record_ids
from fieldsync.core.units import ABOVE
from fieldsync.replica import save
from fieldsync.replica.changes import Changes
from tests.cast import JBL, rows
from tests.conftest import Cast


def test_a_report_about_an_institution_is_placed_above_it(people: Cast) -> None:
    """The institution itself is in its unit's channel, where its own people work."""
    home = save.add_record(
        people.samar, "institution", Changes(set={"name_ar": "دار الأمل", "kind": "children", "location": "جبلة", "capacity": 40}), unit=JBL
    )  # fmt: skip
    about = {
        "institution": record_ids.id_text(home),
        "seen_on": people.samar.today(),
        "severity": "high",
        "reporter_kind": "staff",
    }
    said = Changes(set=about, put={"kinds": ["violence"]}, say={"account": "…"})
    report = save.add_record(people.samar, "violation_report", said)
    held = rows(people.samar)
    with people.samar.store.read() as tx:
        places = {record: [tx.channel(one).unit for one in held[record].channels] for record in (home, report)}
    assert places == {home: [JBL], report: [JBL + ABOVE]}

"""Records shared with all units below: organisations, programmes and places that are referenced offline."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldsync import errors
from fieldsync.authority import integrity
from fieldsync.core.grants import Grant, covering_grant, may_see_channel
from fieldsync.core.units import BELOW, home_unit
from fieldsync.replica import commit_writer, queries, save
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests.cast import JBL, rows
from tests.offices import Office

_units = st.lists(st.sampled_from("AB"), min_size=1, max_size=4).map("/".join)


@given(mine=_units, theirs=_units)
def test_visibility_of_records_shared_below(mine: str, theirs: str) -> None:
    """A unit's own records are seen from above, its shared ones also from below, and neither from a sibling unit."""
    grants = (Grant(mine, "caseworker"),)
    above = theirs == mine or theirs.startswith(mine + "/")
    below = mine.startswith(theirs + "/")
    assert may_see_channel(grants, theirs) == above
    assert may_see_channel(grants, theirs + BELOW) == (above or below)
    assert (covering_grant(grants, home_unit(theirs + BELOW)) is not None) == above  # and writes from above only


def add(node: Node, type: str, unit: str, **fields: object) -> bytes:
    """Save a record."""
    return save.add_record(node, type, Changes(set=fields), unit=unit)


def charity(node: Node, name: str, unit: str = "LAT") -> bytes:
    """Enter a charity."""
    return add(node, "organisation", unit, name_ar=name, kind="charity")


def test_a_caseworker_gets_the_charities_of_the_unit_above(office: Office) -> None:
    """They arrive with a sync and can be referenced by name, but not changed."""
    samar, amal = office["samar"], office["amal"]
    with pytest.raises(errors.UnitRefused):
        charity(amal, "جمعية لا أحد")
    known = charity(samar, "جمعية البر")
    family = add(samar, "household", "LAT", family_name="سري")
    office.sync("samar", "amal", "basim")
    assert known in rows(amal)
    assert known in rows(office["basim"])
    assert family not in rows(amal)
    assert queries.show(amal, known.hex()).unit == "LAT"
    with pytest.raises(errors.UnitRefused) as caught:
        save.edit_record(amal, known.hex(), Changes(set={"kind": "fund"}))
    assert caught.value.facts == {"unit": "LAT"}
    save.edit_record(samar, known.hex(), Changes(set={"licence_no": "12"}))
    own = charity(amal, "جمعية الحي", JBL)
    office.sync("samar", "amal", "samar", "basim")
    assert rows(amal)[known].doc["licence_no"] == "12"
    assert own in rows(samar)  # hers are seen from above, and not by a sister unit's people
    office.equal("amal", "basim", "samar")
    assert integrity.check_integrity(amal).ok


def test_a_tampered_laptop_cannot_edit_records_of_the_unit_above(office: Office) -> None:
    """The server quarantines the edit, and the laptop returns to the server's version."""
    samar, amal = office["samar"], office["amal"]
    known = charity(samar, "جمعية")
    office.sync("samar", "amal")
    row = rows(amal)[known]
    with amal.store.write() as tx:
        draft = save.draft_edit(amal, row, amal.schema.type("organisation"), {"name_ar": "جمعيتي"})
        commit_writer.commit_drafts(amal, tx, [draft])
    assert office.sync("amal")[0].refused == 1
    assert rows(office["hq"])[known].doc["name_ar"] == "جمعية"


def test_a_shared_record_moved_down_leaves_the_other_units(office: Office) -> None:
    """A charity moved from LAT to Jableh leaves all other units, and returns with the next move."""
    samar = office["samar"]
    known = charity(samar, "جمعية")
    office.sync("samar", "amal", "basim")
    for unit, seen in ((JBL, True), ("LAT/QRD", False), ("LAT", True)):
        with samar.store.write() as tx:
            row = save.find_row(tx, known.hex())
            draft = save.draft_edit(samar, row, samar.schema.type("organisation"), {"_unit": unit})
            commit_writer.commit_drafts(samar, tx, [draft])
        office.sync("samar", "amal", "amal")
        assert (known in rows(office["amal"])) is seen
    office.sync("basim")
    office.equal("amal", "basim", "samar")

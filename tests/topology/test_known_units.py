"""Known units: a mistyped unit is refused before the sync; a branch passes on the list from above."""

import pytest

from fieldsync import errors
from fieldsync.casework import referrals
from fieldsync.core import record_ids
from fieldsync.replica import queries, save, transfer
from fieldsync.replica.changes import Changes
from fieldsync.replica.node import Node
from tests import cast
from tests.cast import QRD
from tests.conftest import Cast
from tests.directly import sync


def pending(node: Node) -> int:
    """Return the number of this device's commits."""
    with node.store.read() as tx:
        device = tx.device(node.device)
    return 0 if device is None else device.head


def family(node: Node) -> str:
    """Register a family; return its id."""
    return record_ids.id_text(save.add_record(node, "household", Changes(set={"family_name": "علي"})))


def test_an_unknown_unit_is_refused_at_once(people: Cast) -> None:
    """The error lists similar units; other units' names are accepted for a move; before the first sync nothing is refused."""
    home = family(people.amal)
    transfer.plan_transfer(people.amal, home, "LAT/XYZ")
    sync(people.amal, people.hq)
    for attempt in (transfer.transfer_record, transfer.plan_transfer):
        with pytest.raises(errors.UnitRefused) as caught:
            attempt(people.amal, home, "LAT/QRDD")
        assert caught.value.facts["near"][0] == QRD
    transfer.transfer_record(people.amal, home, QRD)
    sync(people.amal, people.hq)
    sync(people.basim, people.hq)
    with people.basim.store.read() as tx:
        assert tx.row(record_ids.from_text(home)) is not None


def test_the_unit_list_is_sent_once(people: Cast) -> None:
    """An informed device gets nothing; a new unit comes with the next answer."""
    home = family(people.amal)
    sync(people.amal, people.hq)
    before = sync(people.amal, people.hq).bytes_down
    cast.join_directly(people.hq, people.home / "rami", "Rami", "caseworker", ["LAT/HFA"])
    after = sync(people.amal, people.hq).bytes_down
    assert after > before
    transfer.plan_transfer(people.amal, home, "LAT/HFA")


def test_a_mistyped_unit_below_one_s_own_is_refused(people: Cast) -> None:
    """A supervisor's grant covers LAT/QRDD, but no such unit exists: nothing is saved, with transfer or a referral; a first record makes a new unit."""
    samar = people.samar
    sync(samar, people.hq)
    home = family(samar)
    before = pending(samar)
    consent_free = referrals.ReferralRequest("LAT/QRDD", "heater", override="urgent")
    for attempt in (
        lambda: transfer.transfer_record(samar, home, "LAT/QRDD"),
        lambda: referrals.refer_record(samar, home, consent_free),
    ):
        with pytest.raises(errors.UnitRefused) as caught:
            attempt()
        assert caught.value.facts["near"][0] == QRD
    assert pending(samar) == before
    save.add_record(samar, "household", Changes(set={"family_name": "علي"}), unit="LAT/DAR")
    transfer.transfer_record(samar, home, "LAT/DAR")


def test_a_referral_may_go_to_a_registered_organisation_before_its_first_device(people: Cast) -> None:
    """The organisation's record names its unit, which is in no list yet."""
    samar = people.samar
    sync(samar, people.hq)
    home = family(samar)
    told = {"name_ar": "البر", "kind": "charity", "partner_unit": "LAT/ALBIR"}
    save.add_record(samar, "organisation", Changes(set=told), unit="LAT")
    made = referrals.refer_record(samar, home, referrals.ReferralRequest("LAT/ALBIR", "heater", override="urgent"))
    assert queries.show(samar, made.hex()).fields["state"] == "sent"


def test_a_partner_gets_no_unit_list(people: Cast) -> None:
    """The organisation's offices are not disclosed to partners."""
    cast.join_directly(people.hq, people.home / "noor", "Noor", "partner", ["LAT/NOOR"])
    noor = people.open("noor")
    sync(noor, people.hq)
    with noor.store.read() as tx:
        assert all(tx.peer_settings(server.id).units == () for server in tx.servers())
    noor.close()

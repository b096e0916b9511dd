"""Lists of some devices, as syncs ask for them."""

from fieldsync.store import Store, Tx
from fieldsync.store.contract import Device
from tests.histories import DEVICES
from tests.store.contract.support import UNITS, Contract, enrol, log

AMAL, BASIM, SAMAR, HUDA = DEVICES


def _ids(found: list[Device]) -> list[bytes]:
    return [one.id for one in found]


def _arrival(tx: Tx, device: bytes) -> int:
    found = tx.device(device)
    assert found is not None
    return found.arrival


class DeviceListContract(Contract):
    """What a store lists of devices."""

    def test_devices_are_listed_from_an_arrival_on(self, store: Store) -> None:
        """In the order of their changes; a device without a key, known by its name only, is not among them."""
        with store.write() as tx:
            for which in (0, 1):
                enrol(tx, which)
            tx.name_device(SAMAR, "C", "Samar", UNITS)
            assert _ids(tx.devices_since(0)) == [AMAL, BASIM]
            at = _arrival(tx, BASIM)
            tx.set_letters(AMAL, "Q")
            assert _ids(tx.devices_since(0)) == [BASIM, AMAL]
            assert _ids(tx.devices_since(at)) == [AMAL]
            assert tx.devices_since(_arrival(tx, AMAL)) == []

    def test_devices_are_listed_by_what_is_here_of_them(self, store: Store) -> None:
        """Those with commits, with these letters, with an original, and with a hello."""
        with store.write() as tx:
            log(tx, 0, 1, 1)
            for which in (1, 2):
                enrol(tx, which)
            tx.set_successor(AMAL, SAMAR)
            tx.set_last_hello(BASIM, b"hello")
            tx.set_age(SAMAR, "age1")
            tx.set_last_hello(HUDA, b"nobody's")
            assert [(one.id, one.head) for one in tx.devices_with_commits()] == [(AMAL, 2)]
            assert _ids(tx.devices_lettered("B")) == [BASIM]
            assert tx.devices_lettered("Z") == []
            assert [(one.id, one.copy_of) for one in tx.successors()] == [(SAMAR, AMAL)]
            assert _ids(tx.devices_with_hello()) == [BASIM]

    def test_contacts_are_listed_by_their_numbers(self, store: Store) -> None:
        """Each device once, by its last contact."""
        with store.write() as tx:
            for device, number in ((AMAL, 5), (BASIM, 6), (SAMAR, 7), (AMAL, 8)):
                tx.set_contacted(device, number)
            assert tx.devices_contacted(0) == [BASIM, SAMAR, AMAL]
            assert tx.devices_contacted(6) == [SAMAR, AMAL]
            assert tx.devices_contacted(8) == []

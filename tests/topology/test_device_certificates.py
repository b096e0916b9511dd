"""Headquarters registers its devices, and what becomes of them."""

from fieldsync.server import administration, device_locks
from fieldsync.topology.trust import device_certificates
from fieldsync.topology.trust import register as trust_register
from fieldsync.topology.trust.device_certificates import SignedDevices
from fieldsync.trust.bodies import REVOKE
from tests.cast import JBL
from tests.conftest import Cast


def certify(people: Cast) -> SignedDevices:
    with people.hq.store.write() as tx:
        return device_certificates.certify_changes(tx, people.clock())


def test_the_register_says_what_the_list_says(people: Cast) -> None:
    """Everybody who joined has a certificate; a device that is granted or revoked gets an entry, and nothing is said twice."""
    first = certify(people)
    with people.hq.store.read() as tx:
        listed = [one for one in tx.devices() if one.key is not None]
        register = trust_register.open_register(tx, people.clock())
        assert register is not None
        certificates = [register.certificate(one.id) for one in listed]
    assert first == SignedDevices(certified=len(listed))
    assert [one and (one.key, one.person, one.grants) for one in certificates] == [
        (one.key, one.person, one.grants) for one in listed
    ]
    assert certify(people) == SignedDevices()
    administration.set_grants(people.hq, people.amal.letters, "supervisor", [JBL])
    device_locks.revoke_device(people.hq, people.basim.letters)
    assert certify(people) == SignedDevices(certified=1, revoked=1)
    with people.hq.store.read() as tx:
        register = trust_register.open_register(tx, people.clock())
        assert register is not None
        amal = register.certificate(people.amal.device)
        assert amal is not None
        assert [one.role for one in amal.grants] == ["supervisor"]
        assert register.locks(people.basim.device, frozenset()) == [REVOKE]
    assert certify(people) == SignedDevices()

"""The register of headquarters' store, and the copies that others verify."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fieldsync.crypto.keys import DeviceKey
from fieldsync.store import Store, new_store
from fieldsync.topology.trust import register as trust_register
from fieldsync.topology.trust.register import FoundingPlan
from fieldsync.trust import entries
from fieldsync.trust.bodies import (
    NOTHING,
    REVOKE,
    AdminAppointment,
    Certificate,
    Enforcement,
    HeadquartersKey,
    Kind,
    Lock,
)
from fieldsync.trust.entries import Entry, SignedEntry
from tests.trust.registers import DAY, key_of
from tests.trust.test_rules import JBL

NOW = 1_000 * DAY
PLAN = FoundingPlan("نور", "LAT", key_of("recovery"))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Return a function that makes new stores."""
    stores: list[Store] = []

    def make() -> Store:
        place = tmp_path / str(len(stores))
        place.mkdir()
        stores.append(new_store(place, b"k" * 32))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def headquarters(fresh: Callable[[], Store]) -> Store:
    """A store whose organisation was founded today."""
    store = fresh()
    with store.write() as tx:
        trust_register.found_organisation(tx, PLAN, NOW)
    return store


def admin_of(store: Store) -> DeviceKey:
    with store.read() as tx:
        assert tx.settings.admin_key is not None
        return DeviceKey.from_bytes(tx.settings.admin_key)


def registered(store: Store) -> list[SignedEntry]:
    with store.read() as tx:
        return [SignedEntry(one.entry, one.signature) for one in tx.trust_entries_from(0, 1_000)]


@pytest.fixture
def at_work(headquarters: Store) -> Store:
    """One with a device that was registered and revoked, an appointment, and an entry that was refused."""
    admin, rima = admin_of(headquarters), key_of("rima").public
    amal = Certificate(key_of("amal").public, "amal", "AAB", JBL)
    with headquarters.write() as tx:
        trust_register.propose(tx, amal, [admin], NOW)
        trust_register.propose(tx, amal, [key_of("basim")], NOW)
        trust_register.propose(tx, AdminAppointment(rima, "rima", "LAT"), [admin, key_of("recovery")], NOW)
        trust_register.propose(tx, Lock(key_of("amal").device, REVOKE), [key_of("rima")], NOW)
    return headquarters


def copy(source: Store, target: Store, *, all_kinds: bool = True, kinds: set[Kind] | None = None) -> object:
    """Take a register's entries into another store."""
    with source.read() as tx:
        organisation = tx.settings.organisation
    with target.write() as tx:
        tx.settings.organisation = organisation
        signed = [one for one in registered(source) if kinds is None or entries.decode_entry(one.entry).kind in kinds]
        return trust_register.take_entries(tx, signed, all_kinds=all_kinds)


def test_a_copy_says_the_same(at_work: Store, fresh: Callable[[], Store]) -> None:
    """A server verifies every entry and ends with the same register; twice is once."""
    branch = fresh()
    assert copy(at_work, branch) is None
    assert copy(at_work, branch) is None
    assert registered(branch) == registered(at_work)
    with branch.read() as tx:
        register = trust_register.open_register(tx, NOW)
        assert register is not None
        assert register.locks(key_of("amal").device, frozenset()) == [REVOKE]
        assert register.certificate(key_of("amal").device) is not None


def test_a_laptop_holds_some_kinds(at_work: Store, fresh: Callable[[], Store]) -> None:
    """Without certificates and invites it verifies authority and locks completely."""
    laptop = fresh()
    assert copy(at_work, laptop, all_kinds=False, kinds={Kind.AUTHORITY, Kind.LOCK}) is None


def test_a_proposal_is_ordered_once(at_work: Store) -> None:
    """However often a branch brings it."""
    before = registered(at_work)
    amal, admin = Certificate(key_of("amal").public, "amal", "AAB", JBL), admin_of(at_work)
    with at_work.write() as tx:
        again = trust_register.propose(tx, amal, [admin], NOW)
    assert again is not None
    assert again.refused == ""
    assert registered(at_work) == before


def test_elsewhere_a_proposal_waits(at_work: Store, fresh: Callable[[], Store]) -> None:
    """A branch keeps it until headquarters' entry comes."""
    branch = fresh()
    copy(at_work, branch)
    rule, admin = Enforcement(), admin_of(at_work)
    with branch.write() as tx:
        assert trust_register.propose(tx, rule, [admin], NOW) is None
        (waiting,) = tx.trust_proposals()
    with at_work.write() as tx:
        proposal = entries.decode_proposal(waiting.proposal)
        entry = trust_register.take_proposal(tx, proposal, NOW)
    assert entry is not None
    assert entry.refused == ""
    assert copy(at_work, branch) is None
    with branch.read() as tx:
        assert tx.trust_proposals() == []


def forged(store: Store, number: int, key: DeviceKey, **changes: object) -> SignedEntry:
    """Return an entry of a register changed and signed by a key."""
    entry = entries.decode_entry(registered(store)[number].entry)
    kept = {name: getattr(entry, name) for name in entry.__struct_fields__}
    with store.read() as tx:
        return entries.sign_entry(tx.settings.organisation, Entry(**(kept | changes)), key)


def own_key(store: Store) -> DeviceKey:
    with store.read() as tx:
        assert tx.settings.headquarters_key is not None
        return DeviceKey.from_bytes(tx.settings.headquarters_key)


def test_what_does_not_fit_is_not_taken(at_work: Store, fresh: Callable[[], Store]) -> None:
    """A gap, another signature, another order, a decision of headquarters that nobody authorised."""
    whole, own = registered(at_work), own_key(at_work)
    for wrong, reason in (
        (whole[2], "gap"),
        (forged(at_work, 1, key_of("branch")), "signature"),
        (forged(at_work, 1, own, previous=b"1" * 32), "gap"),
        (forged(at_work, 1, own, proposal=entries.decode_entry(whole[2].entry).proposal), "unauthorised"),
    ):
        branch = fresh()
        with branch.write() as tx:
            tx.settings.organisation = entries.entry_hash(whole[0].entry)
            fault = trust_register.take_entries(tx, [whole[0], wrong], all_kinds=True)
            assert fault is not None
            assert fault.reason == reason
            assert tx.trust_count() == 1


def test_another_organisation_is_not_taken(at_work: Store, fresh: Callable[[], Store]) -> None:
    """The first entry is the one whose hash the invite named."""
    branch, whole = fresh(), registered(at_work)
    with branch.write() as tx:
        tx.settings.organisation = NOTHING
        fault = trust_register.take_entries(tx, whole, all_kinds=True)
    assert fault is not None
    assert fault.reason == "other_organisation"


def test_a_lost_key_of_headquarters_is_replaced(at_work: Store, fresh: Callable[[], Store]) -> None:
    """The entry that names the new key is signed by it, and authorised by recovery."""
    new, admin = key_of("new headquarters"), admin_of(at_work)
    with at_work.write() as tx:
        tx.settings.headquarters_key = new.to_bytes()
        assert trust_register.propose(tx, HeadquartersKey(new.public), [key_of("recovery")], NOW) is not None
        trust_register.propose(tx, Enforcement(), [admin], NOW)
    assert copy(at_work, fresh()) is None


def test_time_never_goes_back(headquarters: Store) -> None:
    """A clock that was set back orders entries at the time of the last one."""
    admin = admin_of(headquarters)
    with headquarters.write() as tx:
        entry = trust_register.propose(tx, Enforcement(), [admin], NOW - DAY)
        assert entry is not None
        assert entry.at == NOW
        head = entries.decode_head(trust_register.current_head(tx, NOW - DAY).head)
    assert (head.count, head.at, dict(head.last)[Kind.AUTHORITY]) == (2, NOW, entry.hash)

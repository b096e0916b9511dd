"""Who may register what: admins, recovery, headquarters, branches, devices."""

import pytest

from fieldsync.core.grants import Grant
from fieldsync.crypto.keys import device_id
from fieldsync.trust import rules
from fieldsync.trust.authority_state import WAIT_MS
from fieldsync.trust.bodies import (
    LIFT,
    NOTHING,
    REVOKE,
    SUSPEND,
    AdminAppointment,
    AdminRetirement,
    Certificate,
    Confirmation,
    Enforcement,
    EpochStart,
    FormPublication,
    HeadquartersKey,
    Invitation,
    Kind,
    Lock,
    Stop,
    Voiding,
)
from tests.trust.registers import DAY, MemoryRegister, key_of

JBL, DAM = (Grant("LAT/JBL", "caseworker"),), (Grant("DAM", "caseworker"),)


@pytest.fixture
def register() -> MemoryRegister:
    """An organisation on its first day."""
    return MemoryRegister()


def appointment(register: MemoryRegister, name: str, unit: str = "LAT") -> AdminAppointment:
    key = key_of(name).public
    return AdminAppointment(key, name, unit, register.last(Kind.AUTHORITY, b"admin" + key))


def retirement(register: MemoryRegister, name: str) -> AdminRetirement:
    key = key_of(name).public
    return AdminRetirement(key, register.last(Kind.AUTHORITY, b"admin" + key))


def lock(register: MemoryRegister, name: str, action: str, place: str | None = None) -> Lock:
    device = key_of(name).device
    where = {} if place is None else {"place": key_of(place).device}
    made = Lock(device, action, **where)
    return Lock(device, action, made.place, replaces=register.last(Kind.LOCK, device + made.place))


def certificate(register: MemoryRegister, name: str, **more: object) -> Certificate:
    key = key_of(name)
    kept = {"person": name, "letters": "AAB", "grants": JBL, "replaces": register.last(Kind.DEVICE, key.device)} | more
    return Certificate(key.public, **kept)  # type: ignore[arg-type]


def test_an_admin_is_appointed_at_once_with_the_recovery_key(register: MemoryRegister) -> None:
    """On the first day the recovery sheet is at hand; later an admin alone appoints another after a week."""
    assert register.propose(appointment(register, "rima"), "admin", "recovery") is None
    assert key_of("rima").public in register.state.admins
    assert register.propose(appointment(register, "salim"), "rima") is None
    assert key_of("salim").public not in register.state.admins
    register.now += WAIT_MS
    assert key_of("salim").public in register.state.admins


def test_a_caseworker_appoints_nobody(register: MemoryRegister) -> None:
    """Keys that are none of an admin authorise nothing, headquarters' own neither."""
    for name in ("basim", "headquarters"):
        assert register.propose(appointment(register, "basim"), name) == "not_authorised"
        assert register.propose(certificate(register, "basim"), name) == "not_authorised"
        assert register.propose(FormPublication(1, NOTHING), name) == "not_authorised"


def test_two_admins_retire_each_other(register: MemoryRegister) -> None:
    """The first registered stands; both are frozen until a third admin or recovery decides (attack 56)."""
    for name in ("rima", "salim"):
        register.propose(appointment(register, name), "recovery")
    first, second = retirement(register, "rima"), retirement(register, "admin")
    assert register.propose(first, "admin") is None
    assert register.propose(second, "rima") == "not_authorised"
    assert register.state.frozen() == {key_of("admin").public, key_of("rima").public}
    assert register.propose(certificate(register, "amal"), "admin") == "not_authorised"
    waiting = register.last(Kind.AUTHORITY, b"admin" + key_of("rima").public)
    assert register.propose(Confirmation(waiting), "admin") == "not_authorised"
    assert register.propose(Confirmation(waiting), "salim") is None
    assert key_of("rima").public not in register.state.admins
    assert register.state.frozen() == frozenset()


@pytest.mark.parametrize("who", ["rima", "headquarters", "recovery"])
def test_a_waiting_retirement_is_stopped(register: MemoryRegister, who: str) -> None:
    """Any admin, headquarters' operator or recovery stops what waits, the frozen admin too."""
    register.propose(appointment(register, "rima"), "recovery")
    register.propose(retirement(register, "rima"), "admin")
    waiting = register.last(Kind.AUTHORITY, b"admin" + key_of("rima").public)
    assert register.propose(Stop(waiting), "basim") == "not_authorised"
    assert register.propose(Stop(waiting), who) is None
    register.now += WAIT_MS
    assert key_of("rima").public in register.state.admins


def test_recovery_outranks_the_only_admin(register: MemoryRegister) -> None:
    """What an angry admin signed from a number on is void, with all that rests on it; recovery itself cannot be retired."""
    register.propose(certificate(register, "amal"), "admin")
    start = len(register.signed)
    register.propose(appointment(register, "crony"), "admin")
    register.propose(certificate(register, "thief", grants=(Grant("LAT", "admin"),)), "admin")
    register.propose(lock(register, "amal", REVOKE), "admin")
    register.now += WAIT_MS
    assert register.propose(certificate(register, "mole"), "crony") is None
    assert register.propose(Voiding(key_of("admin").public, start), "crony") == "not_authorised"
    assert register.propose(Voiding(key_of("admin").public, start), "recovery") is None
    assert register.state.admins == {}
    assert register.last(Kind.DEVICE, key_of("thief").device) == NOTHING
    assert register.last(Kind.DEVICE, key_of("amal").device) != NOTHING
    assert not rules.is_revoked(register.state, register.view, key_of("amal").device, register.now)
    assert register.propose(appointment(register, "rima"), "recovery") is None
    assert register.propose(certificate(register, "basim"), "rima") is None


def test_a_void_invite_admits_nobody(register: MemoryRegister) -> None:
    """A device that joined by an invite of an admin whose signatures are void is none; an honest one may join again."""
    start = len(register.signed)
    register.propose(invited(register), "admin")
    register.propose(certificate(register, "amal", invite=b"invite 1"), "slip", "amal")
    register.propose(Voiding(key_of("admin").public, start), "recovery")
    assert register.view.certificate(key_of("amal").device) is None
    register.propose(appointment(register, "rima"), "recovery")
    assert register.propose(invited(register), "rima") is None
    assert register.propose(certificate(register, "amal", invite=b"invite 1"), "slip", "amal") is None


def test_an_admin_s_key_is_good_for_its_unit(register: MemoryRegister) -> None:
    """A branch's admin signs for the branch, and takes nobody from elsewhere into it."""
    register.propose(appointment(register, "rima", "LAT/JBL"), "recovery")
    assert register.propose(certificate(register, "amal"), "rima") is None
    assert register.propose(certificate(register, "basim", grants=(Grant("LAT/DAM", "caseworker"),)), "rima")
    assert register.propose(certificate(register, "basim", grants=(Grant("LAT/DAM", "caseworker"),)), "admin") is None
    assert register.propose(certificate(register, "basim"), "rima") == "not_authorised"
    assert register.propose(FormPublication(1, NOTHING), "rima") == "not_authorised"
    assert register.propose(Enforcement(), "rima") == "not_authorised"


def invited(register: MemoryRegister, **more: object) -> Invitation:
    kept = {"person": "amal", "grants": JBL, "expires": register.now + DAY} | more
    return Invitation(b"invite 1", key_of("slip").public, **kept)  # type: ignore[arg-type]


def test_one_device_joins_by_an_invite(register: MemoryRegister) -> None:
    """Whoever has the slip joins once, as the invite's person, in its units, before it expires."""
    assert register.propose(invited(register), "basim") == "not_authorised"
    assert register.propose(invited(register), "admin") is None
    joined = certificate(register, "amal", invite=b"invite 1")
    assert register.propose(joined, "amal") == "not_authorised"
    assert register.propose(joined, "slip") == "not_authorised"
    for wrong in ({"person": "samar"}, {"grants": (Grant("LAT", "admin"),)}):
        assert register.propose(certificate(register, "amal", invite=b"invite 1", **wrong), "slip", "amal") == "grants"
    assert register.propose(joined, "slip", "amal") is None
    assert (
        register.propose(certificate(register, "thief", person="amal", invite=b"invite 1"), "slip", "thief") == "used"
    )


def test_an_invite_expires(register: MemoryRegister) -> None:
    """By headquarters' time."""
    register.propose(invited(register), "admin")
    register.now += 2 * DAY
    assert register.propose(certificate(register, "amal", invite=b"invite 1"), "slip", "amal") == "expired"


def test_a_withdrawn_invite_is_over(register: MemoryRegister) -> None:
    """An admin takes an invite back before somebody uses it."""
    register.propose(invited(register), "admin")
    before = register.last(Kind.INVITE, b"invite 1")
    assert register.propose(invited(register, withdrawn=True, replaces=before), "admin") is None
    assert register.propose(certificate(register, "amal", invite=b"invite 1"), "slip", "amal") == "expired"


def test_one_successor_works_at_once(register: MemoryRegister) -> None:
    """A restored laptop goes on as a new device; a second one of the same key is pending, and its own copies too."""
    register.propose(certificate(register, "amal"), "admin")
    copy = key_of("amal").device
    first = certificate(register, "amal 2", person="amal", copy_of=copy)
    assert register.propose(first, "amal 2") == "not_authorised"
    assert register.propose(first, "amal", "amal 2") is None
    second = {"person": "amal", "copy_of": copy}
    assert register.propose(certificate(register, "amal 3", **second), "amal", "amal 3") == "further"
    assert register.propose(certificate(register, "amal 3", **second, pending=True), "amal", "amal 3") is None
    third = certificate(register, "amal 4", person="amal", copy_of=key_of("amal 3").device)
    assert register.propose(third, "amal 3", "amal 4") == "further"
    wider = certificate(register, "amal 4", person="amal", copy_of=copy, grants=(Grant("LAT", "admin"),), pending=True)
    assert register.propose(wider, "amal", "amal 4") == "grants"


def test_a_revoked_key_has_no_successors(register: MemoryRegister) -> None:
    """A stolen key mints nothing once its device is revoked, and no entry brings it back (attack 41)."""
    register.propose(certificate(register, "amal"), "admin")
    register.propose(lock(register, "amal", REVOKE), "admin")
    copy = certificate(register, "amal 2", person="amal", copy_of=key_of("amal").device)
    assert register.propose(copy, "amal", "amal 2") == "revoked"
    assert register.propose(certificate(register, "amal"), "admin") == "revoked"
    assert register.propose(lock(register, "amal", LIFT), "admin") == "revoked"


def test_what_comes_second_is_outdated(register: MemoryRegister) -> None:
    """Two changes of the same device that were proposed at once: the first registered stands, whoever repeats the other."""
    register.propose(certificate(register, "amal"), "admin")
    wider = certificate(register, "amal", grants=(Grant("LAT", "caseworker"),))
    narrower = certificate(register, "amal", grants=(Grant("LAT/JBL", "auditor"),))
    assert register.propose(narrower, "admin") is None
    assert register.propose(wider, "admin") == "outdated"
    assert register.propose(narrower, "admin") == "outdated"


def test_a_branch_suspends_at_itself_only(register: MemoryRegister) -> None:
    """Its operator needs no admin, and lifts what the branch set; headquarters lifts it, too; a laptop locks nobody."""
    branch, other = key_of("branch").device, key_of("other").device
    for name, person in (("branch", "JBL"), ("other", "DAM")):
        served = certificate(register, name, person=person, grants=(Grant(f"LAT/{person}", "branch"),))
        register.propose(served, "admin")
    register.propose(certificate(register, "amal"), "admin")
    assert register.propose(lock(register, "amal", SUSPEND, "branch"), "amal") == "not_authorised"
    assert register.propose(lock(register, "amal", SUSPEND, "branch"), "branch") is None
    assert register.propose(lock(register, "amal", SUSPEND), "branch") == "not_authorised"
    assert register.propose(lock(register, "amal", REVOKE), "branch") == "not_authorised"

    def locked(*places: bytes) -> list[str]:
        return register.view.locks(key_of("amal").device, frozenset(places))

    assert (locked(branch), locked(other), locked()) == ([SUSPEND], [], [])
    assert register.propose(lock(register, "amal", LIFT, "branch"), "other") == "not_authorised"
    assert register.propose(lock(register, "amal", LIFT, "branch"), "branch") is None
    register.propose(lock(register, "amal", SUSPEND, "branch"), "branch")
    assert register.propose(lock(register, "amal", LIFT, "branch"), "headquarters") is None
    assert locked(branch) == []


def test_many_revocations_a_day_wait(register: MemoryRegister) -> None:
    """An admin who revokes an eleventh device on a day suspends it for a week, unless another admin agrees."""
    register.propose(appointment(register, "rima"), "recovery")
    for n in range(12):
        register.propose(certificate(register, f"laptop {n}"), "admin")
    for n in range(11):
        assert register.propose(lock(register, f"laptop {n}", REVOKE), "admin") is None
    assert register.propose(lock(register, "laptop 11", REVOKE), "admin", "rima") is None

    def action(n: int) -> list[str]:
        return register.view.locks(key_of(f"laptop {n}").device, frozenset())

    assert (action(9), action(10), action(11)) == ([REVOKE], [SUSPEND], [REVOKE])
    assert register.propose(lock(register, "laptop 9", LIFT), "headquarters") == "revoked"
    register.now += WAIT_MS
    assert action(10) == [REVOKE]


def test_a_waiting_revocation_is_lifted(register: MemoryRegister) -> None:
    """Whoever may stop an action lets a device in again that only waits to be revoked."""
    for n in range(11):
        register.propose(certificate(register, f"laptop {n}"), "admin")
        register.propose(lock(register, f"laptop {n}", REVOKE), "admin")
    assert register.propose(lock(register, "laptop 10", LIFT), "headquarters") is None


def test_headquarters_key_is_replaced_by_recovery(register: MemoryRegister) -> None:
    """A lost key of headquarters is replaced by an entry of the recovery key alone."""
    change = HeadquartersKey(key_of("new").public)
    for name in ("admin", "headquarters"):
        assert register.propose(change, name) == "not_authorised"
    assert register.propose(change, "recovery") is None
    assert register.state.headquarters == key_of("new").public


def test_epochs_follow_one_another(register: MemoryRegister) -> None:
    """A restored headquarters counts anew, by one."""
    assert register.propose(EpochStart(2), "headquarters") == "not_authorised"
    assert register.propose(EpochStart(1), "admin") == "not_authorised"
    assert register.propose(EpochStart(1), "headquarters") is None


def test_forms_count_up(register: MemoryRegister) -> None:
    """Forms are an admin's of the whole organisation, each above the ones before."""
    assert register.propose(FormPublication(3, NOTHING), "admin") is None
    before = register.last(Kind.FORM, b"forms")
    assert register.propose(FormPublication(3, NOTHING, before), "admin") == "outdated"
    assert register.propose(FormPublication(4, NOTHING, NOTHING), "admin") == "outdated"
    assert register.propose(FormPublication(4, NOTHING, before), "admin") is None


def test_a_device_is_its_key() -> None:
    """The subject of a certificate is the id that its key fixes."""
    assert key_of("amal").device == device_id(key_of("amal").public)

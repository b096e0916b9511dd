"""Devices: enrolment, letters, states that only rise, families of copies, invites, and changes of grants."""

from msgspec import structs

from fieldsync.core.grants import BRANCH, Grant
from fieldsync.store import Store
from fieldsync.store.contract import FirstReceipt, StatedChange
from tests.histories import DEVICES
from tests.store.contract.support import CASEWORKER, UNITS, Contract, enrol, log

AMAL, BASIM, SAMAR, HUDA = DEVICES
SUPERVISOR = Grant(UNITS[1], "supervisor")


class DeviceContract(Contract):
    """What a store knows of devices."""

    def test_an_enrolled_device_is_stored_and_renamed(self, store: Store) -> None:
        """Letters, person, grants and time; its letters are taken, and devices that share letters are found."""
        with store.write() as tx:
            enrol(tx, 0)
            enrol(tx, 1, Grant("LAT", BRANCH))
            tx.name_device(SAMAR, "C", "Samar", UNITS)
            tx.set_enrolled_by(AMAL, BASIM)
        with store.read() as tx:
            amal = tx.device(AMAL)
            assert amal is not None
            assert (amal.letters, amal.person, amal.grants, amal.enrolled) == ("A", "person 0", (CASEWORKER,), 7)
            assert (amal.state, amal.head, amal.enrolled_by) == ("enrolled", 0, BASIM)
            assert [one.id for one in tx.devices()] == [AMAL, BASIM, SAMAR]
            assert tx.branches() == {BASIM}
            named = {one.device: one for one in tx.named_devices(0)}
            assert (named[SAMAR].letters, named[SAMAR].person, named[SAMAR].units) == ("C", "Samar", UNITS)
            newest = max(one.arrival for one in named.values())
            assert tx.named_devices(newest) == []
            assert (tx.has_letters("A"), tx.has_letters("A", besides=AMAL), tx.has_letters("Z")) == (True, False, False)
            assert tx.device(HUDA) is None
        with store.write() as tx:
            tx.set_letters(BASIM, "A")
            assert tx.letters_twice() == ["A"]
            assert [one.device for one in tx.named_devices(newest)] == [BASIM]

    def test_changed_grants_leave_former_units(self, store: Store) -> None:
        """A unit no longer granted is a former one; another server's data is applied."""
        with store.write() as tx:
            enrol(tx, 0)
            tx.set_grants(AMAL, [SUPERVISOR], 50)
            assert tx.former_grants(AMAL) == (Grant(UNITS[0], ""),)
            tx.set_former(AMAL, ["LAT"])
            assert tx.former_grants(AMAL) == (Grant("LAT", ""),)
            tx.set_enrolment(AMAL, "أمل", [CASEWORKER], "enrolled", 60)
            amal = tx.device(AMAL)
            assert amal is not None
            assert (amal.person, amal.grants, amal.changed) == ("أمل", (CASEWORKER,), 60)

    def test_a_nonce_is_accepted_once_and_in_order(self, store: Store) -> None:
        """True once; False for the same and all earlier ones."""
        with store.write() as tx:
            enrol(tx, 0)
            used = [tx.use_nonce(AMAL, issued, 0) for issued in (5, 5, 4, 6, 5, 6)]
            assert used == [True, False, False, True, False, False]
            assert (tx.last_nonce(AMAL), tx.last_nonce(BASIM)) == (6, 0)
            assert not tx.use_nonce(BASIM, 5, 0)

    def test_an_invite_is_single_use(self, store: Store) -> None:
        """Known, then used, and by which device."""
        with store.write() as tx:
            tx.add_invite(b"id", b"hash", "هدى", [SUPERVISOR], 99)
            assert tx.invite(b"id") == (b"hash", "هدى", (SUPERVISOR,), 99, None)
            tries = ((b"id", 5, AMAL), (b"id", 6, BASIM), (b"other", 6, AMAL))
            assert [tx.use_invite(id, at, device) for id, at, device in tries] == [True, False, False]
            found = tx.invite(b"id")
            assert found is not None
            assert found.used_by == AMAL
            assert tx.invite(b"other") is None

    def test_a_state_only_rises(self, store: Store) -> None:
        """A revoked device is not enrolled by an older report; a pending one stays so until approved."""
        with store.write() as tx:
            enrol(tx, 0)
            for state in ("forked", "enrolled", "nonsense", "revoked", "forked"):
                tx.set_device_state(AMAL, state, at=90)
            tx.set_pending(AMAL, pending=True)
            amal = tx.device(AMAL)
            assert amal is not None
            assert (amal.state, amal.pending) == ("revoked", True)
            tx.set_pending(AMAL, pending=False)
            amal = tx.device(AMAL)
            assert amal is not None
            assert not amal.pending

    def test_copies_form_a_family_and_are_locked_together(self, store: Store) -> None:
        """A copy's copy is revoked with the original, unless it is approved or spared."""
        with store.write() as tx:
            for which in range(4):
                enrol(tx, which)
            with tx.batch_copies():
                tx.set_successor(AMAL, BASIM)
                tx.set_copy(SAMAR, BASIM, 3)
            assert tx.copies_of(AMAL) == [BASIM]
            assert tx.device_family(SAMAR) == tx.revocation_family(AMAL) == {AMAL, BASIM, SAMAR}
            assert (tx.has_successor(AMAL, besides=SAMAR), tx.has_successor(AMAL, besides=BASIM)) == (True, False)
            assert not tx.has_successor(BASIM, besides=HUDA), "a shared heir that a server made is none"
            tx.set_device_state(AMAL, "revoked", at=90)
            states = {one.id: (one.state, one.own_state) for one in tx.devices()}
            assert states[BASIM] == states[SAMAR] == ("revoked", "enrolled")
            assert states[HUDA] == ("enrolled", "enrolled")
            tx.set_marks(SAMAR, approved=95)
            tx.set_marks(BASIM, spared=96)
            assert {one.id: one.state for one in tx.devices()}[SAMAR] == "enrolled"
            assert {one.id: one.state for one in tx.devices()}[BASIM] == "enrolled"
            assert tx.device_family(AMAL) == {AMAL, BASIM, SAMAR}
            assert tx.revocation_family(AMAL) == {AMAL, BASIM}


class AuthorityContract(Contract):
    """What a store knows of what devices were allowed when."""

    def test_changes_are_stored_with_the_former_grants(self, store: Store) -> None:
        """New grants, then a revocation: newest first, each with the former grants and state."""
        with store.write() as tx:
            enrol(tx, 0)
            tx.set_grants(AMAL, [SUPERVISOR], 50, until=70)
            tx.set_device_state(AMAL, "revoked", at=90)
            tx.set_lost_since(AMAL, 40)
            revoked, granted = tx.authority_changes(AMAL)
            assert (granted.kind, granted.at, granted.until, granted.grants) == ("grants", 50, 70, (CASEWORKER,))
            assert (revoked.kind, revoked.at, revoked.grants, revoked.state) == (
                "revoked",
                90,
                (SUPERVISOR,),
                "enrolled",
            )
            assert tx.last_changes()[AMAL].n == revoked.n > granted.n
            assert (tx.lost_since(AMAL), tx.lost_since(BASIM)) == (40, None)

    def test_headquarters_skips_change_numbers_after_a_restore(self, store: Store) -> None:
        """Numbers given before the backup was lost are not reused; a branch adopts the numbers from above."""
        with store.write() as tx:
            enrol(tx, 0)
            tx.set_grants(AMAL, [SUPERVISOR], 50)
            first = tx.authority_changes(AMAL)[0].number
            tx.skip_numbers()
            tx.set_grants(AMAL, [CASEWORKER], 60)
            assert tx.authority_changes(AMAL)[0].number > first + 1
            tx.settings.upstream = BASIM
            tx.set_grants(AMAL, [SUPERVISOR], 70)
            assert tx.authority_changes(AMAL)[0].number == 0
            tx.number_changes(AMAL, 5_000, 77, 66)
            change = tx.authority_changes(AMAL)[0]
            assert (change.number, change.until, change.since) == (5_000, 77, 66)
            enrol(tx, 2)
            n = tx.inherit_change(SAMAR, change)
            assert tx.authority_changes(SAMAR) == [structs.replace(change, n=n)]

    def test_a_device_s_position_at_the_time_of_notice(self, store: Store) -> None:
        """The first notice counts; the last if it is repeated; none once it is deleted."""
        with store.write() as tx:
            enrol(tx, 0)
            tx.set_grants(AMAL, [SUPERVISOR], 50)
            n = tx.authority_changes(AMAL)[0].n
            assert tx.stated_change(n, BASIM) is None
            tx.note_stated_change(n, BASIM, StatedChange(3, b"link"))
            tx.note_stated_change(n, BASIM, StatedChange(4, b"later"))
            assert tx.stated_change(n, BASIM) == StatedChange(3, b"link")
            tx.note_stated_change(n, BASIM, StatedChange(4, b"later"), again=True)
            assert tx.stated_change(n, BASIM) == StatedChange(4, b"later")
            tx.forget_stated_change(n, BASIM)
            assert tx.stated_change(n, BASIM) is None

    def test_first_receipts_of_commits(self, store: Store) -> None:
        """Existing ones stay; those not by a branch itself can be deleted; a commit may be applied on a branch's word."""
        taking = FirstReceipt(AMAL, 1, 2, b"link", 10, 11, 0, 3, BASIM, SAMAR, b"signed")
        with store.write() as tx:
            log(tx, 0, 1, 1, 1)
            tx.add_first_receipts([taking, taking._replace(first=3, last=3, via=b"")])
            tx.add_first_receipts([taking._replace(server=HUDA)])
            assert tx.first_receipt(AMAL, 2) == taking
            assert [(one.first, one.server) for one in tx.first_receipts(AMAL, 0)] == [(1, BASIM), (3, BASIM)]
            assert [one.first for one in tx.first_receipts(AMAL, 2)] == [3]
            tx.forget_first_receipts(AMAL, 0, SAMAR)
            assert tx.first_receipts(AMAL, 0) == [taking]
            assert tx.first_receipt(AMAL, 3) is None
            tx.set_vouching_server(AMAL, 2, BASIM)
            assert (tx.vouching_server(AMAL, 2), tx.vouching_server(AMAL, 1)) == (BASIM, None)

"""The quarantine: reasons, awaited items, and decisions by people and servers."""

import msgspec

from fieldsync import errors
from fieldsync.store import Store
from fieldsync.store.contract import PERSON, SERVER_ABOVE, QuarantineAction, commit_key, record_key
from tests.histories import DEVICES
from tests.store.contract.support import Contract, log, put, record

AMAL, BASIM, SAMAR, HUDA = DEVICES


class QuarantineContract(Contract):
    """Quarantined commits."""

    def test_a_commit_is_due_when_an_awaited_item_arrives(self, store: Store) -> None:
        """Any of several items makes it due; one that awaits nothing never is."""
        with store.write() as tx:
            log(tx, 0, 1, 2, 2)
            tx.quarantine_commit(
                AMAL, 1, errors.UnitRefused(unit="X"), waits_for=[record_key(record(9)), PERSON], at=50
            )
            tx.quarantine_commit(AMAL, 2, errors.RoleRefused(role="guest", needs=[]))
            assert (tx.waiting_commits(), tx.due_commits(9)) == ({AMAL: [1]}, {})
            assert (tx.has_waiting(AMAL), tx.has_waiting(BASIM)) == (True, False)
            assert tx.oldest_waiting() == 50
            tx.wake_waiting([record_key(record(8))])
            assert tx.due_commits(9) == {}
            tx.wake_waiting([record_key(record(9))])
            assert (tx.due_commits(9), tx.due_commits(0)) == ({AMAL: [1]}, {})

    def test_a_quarantined_commit_is_shown_with_its_reason(self, store: Store) -> None:
        """By device, record and number; verdicts by record; one accepted later stays listed without a reason."""
        with store.write() as tx:
            log(tx, 0, 1, 2, 2)
            log(tx, 1, 1)
            tx.quarantine_commit(AMAL, 1, errors.UnitRefused(unit="X"), waits_for=[PERSON], at=50)
            tx.quarantine_commit(AMAL, 2, errors.RoleRefused(role="guest", needs=[]), waits_for=[commit_key(BASIM, 1)])
            tx.quarantine_commit(BASIM, 1, errors.UnitRefused(unit="X"))
            (one,) = tx.quarantined_commits(AMAL, seq=1)
            assert (one.reason, msgspec.json.decode(one.facts), one.waits, one.since) == (
                "unit_refused",
                {"unit": "X"},
                True,
                50,
            )
            assert (one.record, one.author, one.waits_for) == (record(1), "person 0", ("person",))
            assert {(q.device, q.seq) for q in tx.quarantined_commits(record=record(1))} == {(AMAL, 1), (BASIM, 1)}
            assert tx.verdicts_on_record(record(1)) == {(AMAL, 1): True, (BASIM, 1): False}
            assert tx.last_waiting_before(AMAL, 3, record(2)) == 2
            assert tx.last_waiting_before(AMAL, 2, record(2)) is None
            assert tx.unapplied_records() == {record(1), record(2)}
            assert set(tx.quarantined_records(record(1), record(2), "")) == {record(1), record(2)}
            assert set(tx.quarantined_records(record(3), record(3), "family_name")) == {record(1), record(2)}
            assert tx.quarantined_records(record(3), record(3), "nowhere") == []
            put(tx, 1)
            assert tx.quarantined_records(record(1), record(2), "") == [record(2)]
            tx.accept_commit(AMAL, 1)
            assert [q.reason for q in tx.quarantined_commits(AMAL, seq=1)] == [""]
            assert tx.waiting_commits() == {AMAL: [2]}

    def test_verdicts_are_reported_in_order(self, store: Store) -> None:
        """A repeated one is not new; a different one, and an acceptance, come last."""
        with store.write() as tx:
            log(tx, 0, 1, 2)
            tx.quarantine_commit(AMAL, 1, errors.UnitRefused(unit="X"))
            tx.judge_as(AMAL, 2, "role_refused", "{}")
            tx.quarantine_commit(AMAL, 1, errors.UnitRefused(unit="X"))
            assert [(one.seq, one.code) for one in tx.verdicts_since(0)] == [(1, "unit_refused"), (2, "role_refused")]
            assert tx.refusals(AMAL, 1) == [(2, "role_refused", "{}")]
            seen = tx.verdicts_since(0)[-1].arrival
            tx.accept_commit(AMAL, 1, {"code": "A-1"})
            (news,) = tx.verdicts_since(seen, AMAL)
            assert (news.device, news.seq, news.code, msgspec.json.decode(news.facts)) == (AMAL, 1, "", {"code": "A-1"})
            assert tx.verdicts_since(0, BASIM) == []
            assert [one.seq for one in tx.refusals(AMAL)] == [2]

    def test_a_server_s_verdict_may_end_a_wait(self, store: Store) -> None:
        """A commit refused by another server too awaits nothing more if that is final; this is not new to others."""
        with store.write() as tx:
            log(tx, 0, 1, 2)
            for seq in (1, 2):
                tx.quarantine_commit(AMAL, seq, errors.UnitRefused(unit="X"), waits_for=(SERVER_ABOVE,))
                tx.judge_as(AMAL, seq, "unit_refused", '{"unit":"X"}', ends_wait=seq == 1)
            assert tx.waiting_commits() == {AMAL: [2]}
            assert [one.arrival for one in tx.verdicts_since(0)] == [1, 2]

    def test_a_server_s_open_verdict_is_awaited(self, store: Store) -> None:
        """A commit that another server may yet accept waits for that server, and is no longer judged here."""
        with store.write() as tx:
            log(tx, 0, 1, 2)
            tx.quarantine_commit(AMAL, 1, errors.Undecided(field="a"), waits_for=(record_key(record(1)),))
            for seq in (1, 2):
                tx.judge_as(AMAL, seq, "undecided", '{"field":"a"}', ends_wait=True, waits_for=(SERVER_ABOVE,))
            tx.wake_waiting([record_key(record(1))])
            assert (tx.waiting_commits(), tx.due_commits(9)) == ({AMAL: [1, 2]}, {})
            tx.judge_as(AMAL, 1, "", "{}")
            assert tx.waiting_commits() == {AMAL: [2]}

    def test_verdicts_are_stored_per_server(self, store: Store) -> None:
        """A laptop stores each server's verdict until the save is applied."""
        with store.write() as tx:
            log(tx, 0, 1, 2)
            for server in (SAMAR, HUDA):
                tx.note_verdict(AMAL, 1, server, "unit_refused")
            tx.note_verdict(AMAL, 1, SAMAR, "")
            assert tx.server_verdicts(AMAL) == {1: {HUDA: "unit_refused"}}
            tx.forget_verdicts(AMAL, 1)
            assert tx.server_verdicts(AMAL) == {}

    def test_decisions_are_stored_and_the_last_counts(self, store: Store) -> None:
        """Released, then dropped: it is no longer released."""
        with store.write() as tx:
            log(tx, 0, 1, 2)
            acts = [
                QuarantineAction(AMAL, 1, "release", "Samar", 5, "why"),
                QuarantineAction(AMAL, 2, "release", "Samar", 6, None),
            ]
            for one in acts:
                tx.add_quarantine_action(one)
            assert tx.released_seqs(AMAL, [1, 2, 3]) == {1, 2}
            tx.add_quarantine_action(dropped := QuarantineAction(AMAL, 1, "drop", "Huda", 7, None))
            assert tx.released_seqs(AMAL, [1, 2, 3]) == {2}
            assert tx.quarantine_actions() == {(AMAL, 1): [acts[0], dropped], (AMAL, 2): [acts[1]]}

"""Re-issued commits that a server refuses as already present are withdrawn from laptops that had applied them."""

import msgspec

from fieldsync import errors
from fieldsync.core.commit import encode, state_of
from fieldsync.core.state import canonical_bytes
from fieldsync.crypto import chain
from fieldsync.crypto.keys import DeviceKey
from fieldsync.replica import save
from fieldsync.replica.apply import apply_states
from fieldsync.replica.changes import Changes
from fieldsync.store.contract import LoggedCommit
from fieldsync.topology import store_epochs
from tests import directly
from tests.cast import JBL, rows
from tests.conftest import Cast


def test_a_refused_re_issued_commit_is_withdrawn_from_laptops(people: Cast) -> None:
    """The laptop received it as values from another server; only the refused re-issued commit is withdrawn."""
    record = save.add_record(people.basim, "household", Changes(set={"family_name": "محمد", "location": "x"}), unit=JBL)
    for node in (people.basim, people.amal):
        directly.sync(node, people.hq)
    key = DeviceKey.generate()
    with people.hq.store.write() as tx:
        start, known = chain.chain_start(key.device), tx.device(people.basim.device)
        assert known is not None
        tx.enrol_device(key.device, key.public, "ZZ", "Basim", known.grants, people.hq.clock(), start)
        tx.set_copy(key.device, people.basim.device, None)
        tx.set_device_state(key.device, "forked")
        (logged,) = tx.commits_behind(people.basim.device, 0)
        original = logged.commit()
        assert original is not None
        again = msgspec.structs.replace(original, device=key.device)
        (link,) = chain.extend_chain(start, [encode(again)])
        tx.append_commits(key.device, LoggedCommit.from_commits([again], [encode(again)], [link]))
        tx.quarantine_commit(key.device, 1, errors.SaidAgain())
    with people.amal.store.write() as tx:
        apply_states(tx, people.amal.rules, [state_of(again)], unit=JBL, index=True)
        store_epochs.suspect_loss(tx, people.hq.device)
    assert directly.differing(people.amal, people.hq) == [JBL]
    lost = save.add_record(people.amal, "household", Changes(set={"family_name": "علي"}), unit=JBL)
    directly.sync(people.amal, people.hq)
    assert directly.differing(people.amal, people.hq) == []
    assert canonical_bytes(rows(people.amal)[record].state) == canonical_bytes(rows(people.hq)[record].state)
    assert lost in rows(people.hq)

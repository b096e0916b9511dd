"""The trust register: entries and what they are looked up by, and proposals."""

from fieldsync.store import Store
from fieldsync.store.contract import TrustEntry, TrustProposal
from fieldsync.trust.bodies import Kind
from tests.store.contract.support import Contract

FIRST, SECOND = b"1" * 32, b"2" * 32


def entry(number: int, kind: Kind, subject: bytes, **more: object) -> TrustEntry:
    kept = {"hash": b"hash %d" % number, "at": 10 * number, "refused": "", "entry": b"entry", "signature": b"signed"}
    return TrustEntry(number, kind, subject, **(kept | more))  # type: ignore[arg-type]


ENTRIES = (
    entry(0, Kind.AUTHORITY, b""),
    entry(1, Kind.DEVICE, b"amal", signers=(FIRST, SECOND), invite=b"invite 1"),
    entry(3, Kind.DEVICE, b"amal", signers=(SECOND,)),
    entry(4, Kind.DEVICE, b"copy", copy_of=b"amal"),
    entry(5, Kind.LOCK, b"amal", action="revoke"),
    entry(6, Kind.LOCK, b"copy", action="revoke"),
    entry(7, Kind.DEVICE, b"amal", refused="outdated"),
)


class TrustContract(Contract):
    """A register with two numbers that this node does not hold."""

    def filled(self, store: Store) -> Store:
        with store.write() as tx:
            for one in ENTRIES:
                tx.append_trust_entry(one)
        return store

    def test_entries_are_looked_up(self, store: Store) -> None:
        """By kind, subject, invite and original, without those that were refused."""
        with store.read() as tx:
            assert (tx.trust_count(), tx.trust_hashes()) == (0, {})
        with self.filled(store).read() as tx:
            assert tx.trust_entries(Kind.DEVICE) == list(ENTRIES[1:4])
            assert tx.trust_entries_about(Kind.DEVICE, b"amal") == [ENTRIES[2], ENTRIES[1]]
            assert tx.trust_entries_about(Kind.LOCK, b"amal") == [ENTRIES[4]]
            assert tx.trust_joined(b"invite 1") == [ENTRIES[1]]
            assert tx.trust_successors(b"amal") == [ENTRIES[3]]
            assert tx.trust_joined(b"") == tx.trust_successors(b"") == []
            assert tx.trust_locks_since(51, "revoke") == [ENTRIES[5]]
            assert tx.trust_locks_since(0, "suspend") == []

    def test_entries_are_numbered(self, store: Store) -> None:
        """Parts of the register in their order, refused entries too, and the last hash of each kind."""
        with self.filled(store).read() as tx:
            assert tx.trust_count() == 8
            assert tx.trust_entries_from(3, 2) == list(ENTRIES[2:4])
            assert tx.trust_entries_from(3, 9, [Kind.LOCK, Kind.AUTHORITY]) == list(ENTRIES[4:6])
            assert tx.trust_hashes() == {
                Kind.AUTHORITY: b"hash 0", Kind.DEVICE: b"hash 7", Kind.LOCK: b"hash 6"
            }  # fmt: skip

    def test_a_register_goes_back(self, store: Store) -> None:
        """What a new epoch does not have is handed out, to be proposed again."""
        with self.filled(store).write() as tx:
            assert tx.forget_trust_entries(5) == list(ENTRIES[4:])
            assert tx.trust_count() == 5
            assert tx.trust_locks_since(0, "revoke") == []

    def test_proposals_wait(self, store: Store) -> None:
        """Once each, in the order in which they came, until they are ordered."""
        first, second = TrustProposal(b"b", b"first", 1), TrustProposal(b"a", b"second", 2)
        with store.write() as tx:
            for one in (second, first, first._replace(at=9)):
                tx.add_trust_proposal(one)
            assert tx.trust_proposals() == [first, second]
            tx.end_trust_proposal(b"b")
            assert tx.trust_proposals() == [second]

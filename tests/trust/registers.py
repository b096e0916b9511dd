"""A trust register in memory, with headquarters' key: proposals are ordered as headquarters would."""

from collections import Counter

from fieldsync.crypto.keys import DeviceKey, device_id
from fieldsync.trust import entries, rules
from fieldsync.trust.authority_state import AuthorityState, Registered, fold_authority
from fieldsync.trust.bodies import (
    NOTHING,
    REVOKE,
    Body,
    Certificate,
    Founding,
    Kind,
    Lock,
    kind_of,
    subject_of,
)
from fieldsync.trust.entries import Entry, Proposal

DAY = 24 * 60 * 60 * 1000


def key_of(name: str) -> DeviceKey:
    """Return the key of a name, always the same."""
    return DeviceKey.from_bytes(name.encode().ljust(32, b".")[:32])


class MemoryRegister:
    """The register of one organisation, founded by `admin`, `recovery` and `headquarters` in the unit LAT."""

    def __init__(self) -> None:
        self.now = 1_000 * DAY
        self.signed: list[entries.SignedEntry] = []
        self.found: list[Registered] = []
        self.refused: Counter[str] = Counter()
        founding = Founding(
            "نور", "LAT", key_of("admin").public, key_of("recovery").public, key_of("headquarters").public, NOTHING
        )
        self.organisation = b""
        self._append(entries.authorise(b"", founding, [key_of("admin"), key_of("recovery")]), "")
        self.organisation = self.found[0].hash

    @property
    def state(self) -> AuthorityState:
        """Who may authorise what, now."""
        return self.at(self.now)

    def at(self, now: int) -> AuthorityState:
        """Who may authorise what at a time."""
        return fold_authority([one for one in self.found if kind_of(one.body) is Kind.AUTHORITY], now)

    def propose(self, body: Body, *names: str) -> str | None:
        """Order a body signed by these people, registered or refused; return the reason of a refusal."""
        return self.order(entries.authorise(self.organisation, body, [key_of(name) for name in names]))

    def order(self, proposal: Proposal) -> str | None:
        """Order a proposal."""
        signers = entries.signers_of(self.organisation, proposal)
        found = Registered(len(self.signed), self.now, b"", entries.decode_body(proposal.body), signers)
        reason = rules.refusal_reason(self.state, self, found)
        self._append(proposal, reason or "")
        return reason

    def _append(self, proposal: Proposal, refused: str) -> None:
        body = entries.decode_body(proposal.body)
        kind = kind_of(body)
        previous = next((entries.entry_hash(one.entry) for one in reversed(self.signed) if _kind(one) is kind), NOTHING)
        entry = Entry(0, len(self.signed), kind, previous, self.now, refused, proposal)
        signed = entries.sign_entry(self.organisation, entry, key_of("headquarters"))
        self.signed.append(signed)
        if refused:
            self.refused[refused] += 1
            return
        hash_ = entries.entry_hash(signed.entry)
        self.found.append(
            Registered(entry.number, self.now, hash_, body, entries.signers_of(self.organisation, proposal))
        )

    def last(self, kind: Kind, subject: bytes) -> bytes:
        """Return the hash of the last registered entry about a subject, for `replaces`."""
        entry = self.current_entry(kind, subject)
        return NOTHING if entry is None else entry.hash

    def current_entry(self, kind: Kind, subject: bytes) -> Registered | None:
        """Return the last entry about a subject that is not void."""
        state = self.state
        for one in reversed(self.found):
            if kind_of(one.body) is kind and subject_of(one.body) == subject:
                if one.signers and not state.effective(one.number, one.signers):
                    continue
                return one
        return None

    def invited_device(self, invite: bytes) -> bytes | None:
        """Return the device that joined by an invite."""
        for one in self.found:
            if isinstance(one.body, Certificate) and one.body.invite == invite:
                return device_id(one.body.key)
        return None

    def has_successor(self, device: bytes) -> bool:
        """Return whether a device has a successor that is not pending."""
        return any(
            isinstance(one.body, Certificate) and one.body.copy_of == device and not one.body.pending
            for one in self.found
        )

    def revocations_between(self, start: int, number: int) -> int:
        """Return how many entries from a time on, before the one of a number, revoke a device."""
        return sum(
            isinstance(one.body, Lock) and one.body.action == REVOKE and one.at >= start and one.number < number
            for one in self.found
        )


def _kind(one: entries.SignedEntry) -> Kind:
    return entries.decode_entry(one.entry).kind

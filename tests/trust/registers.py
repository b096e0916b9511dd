"""A trust register in memory, with headquarters' key: proposals are ordered as headquarters would."""

from collections import Counter

from fieldsync.crypto.keys import DeviceKey
from fieldsync.trust import entries
from fieldsync.trust.authority_state import AuthorityState, Registered
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
from fieldsync.trust.register_view import RegisterView

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
    def view(self) -> RegisterView:
        """The register now."""
        return RegisterView(self, self.now)

    @property
    def state(self) -> AuthorityState:
        """Who may authorise what, now."""
        return self.view.state

    def propose(self, body: Body, *names: str) -> str | None:
        """Order a body signed by these people, registered or refused; return the reason of a refusal."""
        return self.order(entries.authorise(self.organisation, body, [key_of(name) for name in names]))

    def order(self, proposal: Proposal) -> str | None:
        """Order a proposal."""
        signers = entries.signers_of(self.organisation, proposal)
        found = Registered(len(self.signed), self.now, b"", entries.decode_body(proposal.body), signers)
        reason = self.view.refusal_reason(found)
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
        if kind is Kind.AUTHORITY:
            return self.state.current.get(subject, NOTHING)
        entry = self.view.current_entry(kind, subject)
        return NOTHING if entry is None else entry.hash

    def authority(self) -> list[Registered]:
        return [one for one in self.found if kind_of(one.body) is Kind.AUTHORITY]

    def about(self, kind: Kind, subject: bytes) -> list[Registered]:
        return [one for one in self.found[::-1] if kind_of(one.body) is kind and subject_of(one.body) == subject]

    def joined(self, invite: bytes) -> list[Registered]:
        return [one for one in self.found if isinstance(one.body, Certificate) and one.body.invite == invite]

    def successors(self, device: bytes) -> list[Registered]:
        return [one for one in self.found if isinstance(one.body, Certificate) and one.body.copy_of == device]

    def revocations_since(self, at: int) -> list[Registered]:
        return [one for one in self.found if isinstance(one.body, Lock) and one.body.action == REVOKE and one.at >= at]


def _kind(one: entries.SignedEntry) -> Kind:
    return entries.decode_entry(one.entry).kind

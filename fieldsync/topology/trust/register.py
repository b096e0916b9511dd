"""A node's trust register: headquarters orders proposals into entries, every other node verifies what it takes.

The rules are in fieldsync/trust. Servers hold all entries; laptops those of the kinds that they verify by themselves.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from msgspec import Struct

from fieldsync.crypto.chain import HASH_SIZE
from fieldsync.crypto.keys import DeviceKey
from fieldsync.environment import SYSTEM, Environment
from fieldsync.store import ReadTx, Tx
from fieldsync.store.contract import TrustEntry, TrustProposal
from fieldsync.trust import entries
from fieldsync.trust.authority_state import Registered
from fieldsync.trust.bodies import (
    NOTHING,
    REVOKE,
    Body,
    Certificate,
    Founding,
    HeadquartersKey,
    Kind,
    Lock,
    kind_of,
    subject_of,
)
from fieldsync.trust.entries import Entry, Proposal, RegisterHead, SignedEntry, SignedHead
from fieldsync.trust.register_view import RegisterView

FULLY_HELD = (Kind.AUTHORITY, Kind.LOCK, Kind.FORM, Kind.ERASURE)
"""The kinds that every node holds all entries of; of the others a laptop holds those that it needs."""

HEAD_MS = 60 * 60 * 1000
"""How old a head may be that tells nothing new."""

_SELF_CONTAINED = (Kind.AUTHORITY, Kind.FORM)
"""The kinds whose authorisation rests on entries of kind AUTHORITY alone."""


class StoredEntries:
    """The entries of a transaction's store: register_view.EntrySource."""

    def __init__(self, tx: ReadTx) -> None:
        self._tx = tx
        self._authority: list[Registered] | None = None

    def authority(self) -> Sequence[Registered]:
        """Return the entries of kind AUTHORITY, in their order."""
        if self._authority is None:
            self._authority = _read_all(self._tx.trust_entries(Kind.AUTHORITY))
        return self._authority

    def about(self, kind: Kind, subject: bytes) -> Sequence[Registered]:
        """Return the entries about a subject, the last first."""
        return _read_all(self._tx.trust_entries_about(kind, subject))

    def joined(self, invite: bytes) -> Sequence[Registered]:
        """Return the certificates of devices that joined by an invite."""
        return _read_all(self._tx.trust_joined(invite))

    def successors(self, device: bytes) -> Sequence[Registered]:
        """Return the certificates of devices that go on for a device."""
        return _read_all(self._tx.trust_successors(device))

    def revocations_since(self, at: int) -> Sequence[Registered]:
        """Return the locks that revoke, from a time (milliseconds) on."""
        return _read_all(self._tx.trust_locks_since(at, REVOKE))


def _read_all(found: Iterable[TrustEntry]) -> list[Registered]:
    return [_read_entry(one) for one in found]


def _read_entry(one: TrustEntry) -> Registered:
    body = entries.decode_body(entries.decode_entry(one.entry).proposal.body)
    return Registered(one.number, one.at, one.hash, body, frozenset(one.signers))


def open_register(tx: ReadTx, now: int) -> RegisterView | None:
    """Return this node's register at a time (milliseconds); None where the organisation has none, or nothing of it has come."""
    return RegisterView(StoredEntries(tx), now) if tx.trust_count() else None


class FoundingPlan(Struct, frozen=True):
    """What a new register begins with: the first admin's name, the organisation's unit, the recovery key, which signs."""

    admin: str
    unit: str
    recovery: DeviceKey


def found_organisation(tx: Tx, plan: FoundingPlan, now: int, environment: Environment = SYSTEM) -> None:
    """Begin the register of an organisation: this store is headquarters', and its admin's key is in it."""
    admin, own = DeviceKey.generate(environment), DeviceKey.generate(environment)
    founding = Founding(
        plan.admin, plan.unit, admin.public, plan.recovery.public, own.public, environment.random_bytes(HASH_SIZE)
    )
    proposal = entries.authorise(b"", founding, [admin, plan.recovery])
    signed = entries.sign_entry(b"", Entry(0, 0, Kind.AUTHORITY, NOTHING, now, "", proposal), own)
    entry = _stored_entry(signed, entries.signers_of(b"", proposal))
    tx.append_trust_entry(entry)
    tx.settings.organisation, tx.settings.register_time = entry.hash, now
    tx.settings.admin_key, tx.settings.headquarters_key = admin.to_bytes(), own.to_bytes()


def follow_organisation(tx: Tx, organisation: bytes) -> None:
    """Have a server that becomes a branch follow its headquarters' register: what it had of its own is gone."""
    tx.forget_trust_entries(0)
    settings = tx.settings
    settings.organisation, settings.register_head = organisation, None
    settings.headquarters_key = settings.admin_key = None


def orders(tx: ReadTx) -> bool:
    """Return whether this server orders the register: it is headquarters, and has its key."""
    return tx.settings.headquarters_key is not None and tx.settings.upstream is None


def propose(tx: Tx, body: Body, keys: Sequence[DeviceKey], now: int) -> TrustEntry | None:
    """Propose a body: headquarters orders it at once and returns the entry, any other node keeps it for headquarters."""
    return take_proposal(tx, entries.authorise(tx.settings.organisation, body, keys), now)


def take_proposal(tx: Tx, proposal: Proposal, now: int) -> TrustEntry | None:
    """Do so with a proposal that others have signed."""
    if orders(tx):
        return _order(tx, proposal, now)
    tx.add_trust_proposal(TrustProposal(_proposal_hash(proposal), entries.encode(proposal), now))
    return None


def _proposal_hash(proposal: Proposal) -> bytes:
    return sha256(entries.encode(proposal)).digest()


def _order(tx: Tx, proposal: Proposal, now: int) -> TrustEntry:
    """Register a proposal, or refuse it, as the next entry; one that is registered already stays as it is."""
    settings = tx.settings
    body = entries.decode_body(proposal.body)
    kind, at = kind_of(body), max(now, settings.register_time)
    known = next((one for one in tx.trust_entries_about(kind, subject_of(body)) if _proposal_of(one) == proposal), None)
    if known is not None:
        return known
    signers = entries.signers_of(settings.organisation, proposal)
    number = tx.trust_count()
    register = RegisterView(StoredEntries(tx), at)
    reason = register.refusal_reason(Registered(number, at, b"", body, signers))
    previous = tx.trust_hashes().get(kind, NOTHING)
    entry = Entry(register.state.epoch, number, kind, previous, at, reason or "", proposal)
    assert settings.headquarters_key is not None
    signed = entries.sign_entry(settings.organisation, entry, DeviceKey.from_bytes(settings.headquarters_key))
    stored = _stored_entry(signed, signers)
    tx.append_trust_entry(stored)
    settings.register_time = at
    return stored


def _proposal_of(one: TrustEntry) -> Proposal:
    return entries.decode_entry(one.entry).proposal


def _stored_entry(signed: SignedEntry, signers: frozenset[bytes]) -> TrustEntry:
    """Return an entry with what it is looked up by. BadFrame."""
    entry = entries.decode_entry(signed.entry)
    body = entries.decode_body(entry.proposal.body)
    certificate = body if isinstance(body, Certificate) else None
    return TrustEntry(
        entry.number, entry.kind, subject_of(body), entries.entry_hash(signed.entry), entry.at, entry.refused, signed.entry,
        signed.signature, tuple(sorted(signers)), certificate.invite if certificate else b"", certificate.copy_of if certificate else b"",
        body.action if isinstance(body, Lock) else "",
    )  # fmt: skip


def current_head(tx: Tx, now: int) -> SignedHead:
    """Return headquarters' signed word on how far the register goes; signed anew where it has changed, and once an hour."""
    settings = tx.settings
    if settings.register_head is not None:
        kept = entries.decode_head(settings.register_head[0])
        if kept.count == tx.trust_count() and now < kept.at + HEAD_MS:
            return SignedHead(*settings.register_head)
    at = max(now, settings.register_time)
    assert settings.headquarters_key is not None
    register = RegisterView(StoredEntries(tx), at)
    last = tuple(sorted(tx.trust_hashes().items()))
    head = RegisterHead(register.state.epoch, tx.trust_count(), at, last)
    signed = entries.sign_head(settings.organisation, head, DeviceKey.from_bytes(settings.headquarters_key))
    settings.register_head = signed.head, signed.signature
    return signed


class RegisterConflict(Struct, frozen=True):
    """An entry that does not fit: its number and why."""

    number: int
    reason: str


def take_entries(tx: Tx, signed: Sequence[SignedEntry], *, all_kinds: bool) -> RegisterConflict | None:
    """Verify entries from above and append them, up to the first that does not fit. `all_kinds`: this node holds all. BadFrame.

    The first entry is only taken where this store knows the organisation by its hash already.
    """
    organisation = tx.settings.organisation
    for one in signed:
        entry = entries.decode_entry(one.entry)
        if entry.number < tx.trust_count():
            continue
        signers = entries.signers_of(organisation if entry.number else b"", entry.proposal)
        reason = _conflict(tx, one, entry, signers, all_kinds=all_kinds)
        if reason is not None:
            return RegisterConflict(entry.number, reason)
        tx.append_trust_entry(_stored_entry(one, signers))
        tx.end_trust_proposal(_proposal_hash(entry.proposal))
    return None


def _conflict(
    tx: ReadTx, signed: SignedEntry, entry: Entry, signers: frozenset[bytes], *, all_kinds: bool
) -> str | None:
    organisation = tx.settings.organisation
    if entry.number == 0:
        return None if entries.entry_hash(signed.entry) == organisation else "other_organisation"
    if not tx.trust_count():
        return "gap"
    whole = all_kinds or entry.kind in FULLY_HELD
    if (all_kinds and entry.number != tx.trust_count()) or (
        whole and entry.previous != tx.trust_hashes().get(entry.kind, NOTHING)
    ):
        return "gap"
    register = RegisterView(StoredEntries(tx), entry.at)
    body = entries.decode_body(entry.proposal.body)
    key = register.state.headquarters
    found = Registered(entry.number, entry.at, b"", body, signers)
    judged = all_kinds or entry.kind in _SELF_CONTAINED
    refusal = register.refusal_reason(found) if judged else None
    if isinstance(body, HeadquartersKey) and refusal is None:
        key = body.key  # whoever has lost the former key signs with the new one
    if not entries.is_entry_signed(organisation, signed, key):
        return "signature"
    return "unauthorised" if refusal is not None and refusal != entry.refused else None

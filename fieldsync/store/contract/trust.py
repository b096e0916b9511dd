"""The trust register as a node holds it: its entries, and proposals that headquarters has not ordered yet."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from fieldsync.trust.bodies import Kind


class TrustEntry(NamedTuple):
    """An entry of the register, with what it is looked up by; servers hold all, laptops some.

    entry, signature: the signed bytes and headquarters' signature.
    refused: why it is not in force; empty where it is registered.
    signers: the public keys whose authorisations hold.
    invite, copy_of: of a certificate, by which invite it joined, and which device it goes on for; else empty.
    action: of a lock; else empty.
    """

    number: int
    kind: Kind
    subject: bytes
    hash: bytes
    at: int
    refused: str
    entry: bytes
    signature: bytes
    signers: tuple[bytes, ...] = ()
    invite: bytes = b""
    copy_of: bytes = b""
    action: str = ""


class TrustProposal(NamedTuple):
    """A proposal on its way to headquarters: its hash, its bytes, and when it came here (milliseconds)."""

    hash: bytes
    proposal: bytes
    at: int


class TrustReads(Protocol):
    """The register, to be read. Lists of registered entries leave refused ones out; void ones are in them."""

    def trust_count(self) -> int:
        """Return the number that follows the last entry; 0 where there is none."""

    def trust_hashes(self) -> dict[Kind, bytes]:
        """Return the hash of the last entry of each kind, refused ones too."""

    def trust_entries(self, kind: Kind) -> list[TrustEntry]:
        """Return the registered entries of a kind, in the order of their numbers."""

    def trust_entries_about(self, kind: Kind, subject: bytes) -> list[TrustEntry]:
        """Return the registered entries about a subject, the last first."""

    def trust_joined(self, invite: bytes) -> list[TrustEntry]:
        """Return the registered certificates of devices that joined by an invite."""

    def trust_successors(self, device: bytes) -> list[TrustEntry]:
        """Return the registered certificates of devices that go on for a device."""

    def trust_locks_since(self, at: int, action: str) -> list[TrustEntry]:
        """Return the registered locks with an action, from a time (milliseconds) on."""

    def trust_entries_from(self, number: int, limit: int, kinds: Sequence[Kind] | None = None) -> list[TrustEntry]:
        """Return entries from a number on, in their order, refused ones too; of some kinds or of all."""

    def trust_proposals(self) -> list[TrustProposal]:
        """Return the proposals that wait, the oldest first."""


class TrustWrites(TrustReads, Protocol):
    """The register, to be extended."""

    def append_trust_entry(self, entry: TrustEntry) -> None:
        """Append an entry; its number is above all that are here."""

    def forget_trust_entries(self, number: int) -> list[TrustEntry]:
        """Remove the entries from a number on, and return them: headquarters has begun a new epoch before them."""

    def add_trust_proposal(self, proposal: TrustProposal) -> None:
        """Keep a proposal until headquarters orders it; one that is here already stays as it is."""

    def end_trust_proposal(self, hash_: bytes) -> None:
        """Remove a proposal that was ordered."""

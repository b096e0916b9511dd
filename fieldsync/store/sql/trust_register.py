"""The trust register in SQL: entries looked up by subject, invite, original and time, and proposals that wait."""

from collections.abc import Sequence
from typing import Any

from fieldsync.store.contract import TrustEntry, TrustProposal
from fieldsync.store.sql.interning import SqlNumberReads, SqlNumberWrites
from fieldsync.trust.bodies import KEY_SIZE, Kind

_ENTRY = "number, kind, subject, hash, at, refused, entry, signature, signers, invite, copy_of, action"


class SqlTrustReads(SqlNumberReads):
    """A transaction's register, to be read."""

    def trust_count(self) -> int:
        return int(self.sql("SELECT coalesce(max(number) + 1, 0) FROM trust_entry").fetchone()[0])

    def trust_hashes(self) -> dict[Kind, bytes]:
        query = "SELECT hash FROM trust_entry WHERE kind = ? ORDER BY number DESC LIMIT 1"
        found = {kind: self.sql(query, (int(kind),)).fetchone() for kind in Kind}
        return {kind: row[0] for kind, row in found.items() if row is not None}

    def trust_entries(self, kind: Kind) -> list[TrustEntry]:
        return self._registered("kind = ?", int(kind))

    def trust_entries_about(self, kind: Kind, subject: bytes) -> list[TrustEntry]:
        return self._registered("kind = ? AND subject = ?", int(kind), subject)[::-1]

    def trust_joined(self, invite: bytes) -> list[TrustEntry]:
        return self._registered("invite = ? AND invite <> ?", invite, b"")

    def trust_successors(self, device: bytes) -> list[TrustEntry]:
        return self._registered("copy_of = ? AND copy_of <> ?", device, b"")

    def trust_locks_since(self, at: int, action: str) -> list[TrustEntry]:
        return self._registered("kind = ? AND at >= ? AND action = ?", int(Kind.LOCK), at, action)

    def _registered(self, where: str, *parameters: object) -> list[TrustEntry]:
        query = f"SELECT {_ENTRY} FROM trust_entry WHERE {where} AND refused = '' ORDER BY number"
        return [_read_entry(row) for row in self.sql(query, parameters)]

    def trust_entries_from(self, number: int, limit: int, kinds: Sequence[Kind] | None = None) -> list[TrustEntry]:
        wanted = ",".join(str(int(kind)) for kind in (Kind if kinds is None else kinds))
        query = f"SELECT {_ENTRY} FROM trust_entry WHERE number >= ? AND kind IN ({wanted}) ORDER BY number LIMIT ?"
        return [_read_entry(row) for row in self.sql(query, (number, limit))]

    def trust_proposals(self) -> list[TrustProposal]:
        return [
            TrustProposal(*row) for row in self.sql("SELECT hash, proposal, at FROM trust_proposal ORDER BY at, hash")
        ]


class SqlTrustWrites(SqlTrustReads, SqlNumberWrites):
    """A transaction's register, to be extended."""

    def append_trust_entry(self, entry: TrustEntry) -> None:
        self.sql(
            f"INSERT INTO trust_entry ({_ENTRY}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                entry.number, int(entry.kind), entry.subject, entry.hash, entry.at, entry.refused, entry.entry, entry.signature,
                b"".join(entry.signers), entry.invite, entry.copy_of, entry.action,
            ),
        )  # fmt: skip

    def forget_trust_entries(self, number: int) -> list[TrustEntry]:
        found = self.trust_entries_from(number, (1 << 63) - 1)
        self.sql("DELETE FROM trust_entry WHERE number >= ?", (number,))
        return found

    def add_trust_proposal(self, proposal: TrustProposal) -> None:
        self.sql("INSERT INTO trust_proposal (hash, proposal, at) VALUES (?,?,?) ON CONFLICT DO NOTHING", proposal)

    def end_trust_proposal(self, hash_: bytes) -> None:
        self.sql("DELETE FROM trust_proposal WHERE hash = ?", (hash_,))


def _read_entry(row: Sequence[Any]) -> TrustEntry:
    number, kind, subject, hash_, at, refused, entry, signature, signers, invite, copy_of, action = row
    keys = tuple(signers[at_ : at_ + KEY_SIZE] for at_ in range(0, len(signers), KEY_SIZE))
    return TrustEntry(number, Kind(kind), subject, hash_, at, refused, entry, signature, keys, invite, copy_of, action)

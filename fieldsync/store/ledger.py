"""Who wrote what: devices, their commits, the servers that acknowledged them, invites; and this node's own facts."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.store.contract import Device, Grant, Logged, Server
from fieldsync.store.numbers import Numbered

_grants = msgspec.json.Decoder(tuple[Grant, ...]).decode
_DEVICE = (
    "n, id, letters, person, key, grants, state, head, chain, enrolled, seen, changed, arrival, copy_of, copied_after"
)
_NEXT = "(SELECT max(arrival) + 1 FROM device)"
_LOGGED = "c.device, c.seq, c.stamp, c.author, c.record, c.note, c.body, c.hash, c.chain, c.seal"
_MOST_NEW = 32_768
_MOST_FACTS = 4_096  # characters
_SERVER = "id, name, address, pin, nonce, unsure, synced, mixed"


class Ledger(Numbered):
    """A transaction's devices, commits and servers."""

    # --- this node's own facts ---

    def get(self, key: str) -> Any:
        """Return one of the node's facts, or None."""
        row = self.sql("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def put(self, key: str, value: str | bytes | int | None) -> None:
        """Set one of the node's facts."""
        self.sql("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def forget(self, key: str) -> None:
        """Have one of the node's facts no more."""
        self.sql("DELETE FROM meta WHERE key = ?", (key,))

    def keep_schema(self, hash: bytes, schema: bytes) -> None:
        """Keep a compiled schema that this node works with, by its hash: the one taken over last comes last."""
        self.sql("DELETE FROM schema_past WHERE hash = ?", (hash,))
        self.sql("INSERT INTO schema_past (hash, schema) VALUES (?, ?)", (hash, schema))

    def schemas(self) -> list[bytes]:
        """Return all compiled schemas that this node has worked with, the newest first."""
        return [row[0] for row in self.sql("SELECT schema FROM schema_past ORDER BY n DESC")]

    # --- devices ---

    def device(self, device: bytes) -> Device | None:
        """Return a device by its 16-byte id."""
        row = self.sql(f"SELECT {_DEVICE} FROM device WHERE id = ?", (device,)).fetchone()
        return None if row is None else _device(row)

    def head(self, device: bytes) -> int:
        """Return how far a device's commits go here."""
        row = self.sql("SELECT head FROM device WHERE id = ?", (device,)).fetchone()
        return int(row[0]) if row else 0

    def devices(self) -> list[Device]:
        """Return all devices that this node has heard of."""
        return [_device(row) for row in self.sql(f"SELECT {_DEVICE} FROM device ORDER BY n")]

    def enrol(
        self, device: bytes, key: bytes, letters: str, person: str, grants: Sequence[Grant], at: int, chain: bytes
    ) -> None:
        """Take a device in, with its public key and what it may do; `chain` is where its commits begin."""
        self.device_number(device)
        self.sql(
            "UPDATE device SET key=?1, letters=?2, person=?3, grants=?4, state='enrolled', enrolled=?5, changed=?5, "
            f"arrival={_NEXT}, head=0, chain=?6 WHERE id=?7",
            (key, letters, person, msgspec.json.encode(list(grants)).decode(), at, chain, device),
        )

    def rename(self, device: bytes, letters: str) -> None:
        """Give a device other letters: those that the server above has for this one."""
        self.sql(f"UPDATE device SET letters = ?, arrival = {_NEXT} WHERE id = ?", (letters, device))

    def name_device(self, device: bytes, letters: str, person: str, units: Sequence[str] = ()) -> None:
        """Remember the name of a device that is enrolled elsewhere, and for which units it works."""
        self.device_number(device)
        self.sql(
            f"UPDATE device SET letters = ?, person = ?, arrival = {_NEXT} WHERE id = ? AND letters IS NULL",
            (letters, person, device),
        )
        grants = msgspec.json.encode(
            [Grant(unit, "") for unit in units]
        ).decode()  # what it may do is the servers' to know
        self.sql("UPDATE device SET grants = ? WHERE id = ? AND key IS NULL", (grants, device))

    def named_devices(self, after: int) -> list[tuple[int, bytes, str, str, tuple[str, ...]]]:
        """Return (arrival, id, letters, person, units) of the devices that have a name and changed since an arrival."""
        found = self.sql(
            "SELECT arrival, id, letters, person, grants FROM device WHERE arrival > ? AND letters IS NOT NULL ORDER BY arrival",
            (after,),
        )
        return [(*row, tuple(grant.unit for grant in _grants(grants or "[]"))) for *row, grants in found]

    def set_grants(self, device: bytes, grants: Sequence[Grant], at: int) -> None:
        """Change what a device may do, since a moment (milliseconds); units that it may not see any more are its former ones."""
        row = self.sql("SELECT grants, former FROM device WHERE id = ?", (device,)).fetchone()
        now = {grant.unit for grant in grants}
        former = {
            *msgspec.json.decode(row[1]),
            *(grant.unit for grant in _grants(row[0] or "[]") if grant.unit not in now),
        }
        told = msgspec.json.encode(list(grants)).decode(), msgspec.json.encode(sorted(former)).decode()
        query = f"UPDATE device SET grants = ?, former = ?, changed = ?, arrival = {_NEXT} WHERE id = ?"
        self.sql(query, (*told, at, device))

    def former(self, device: bytes) -> tuple[Grant, ...]:
        """Return the units that a device was once granted and then not any more, each as a grant without a role."""
        row = self.sql("SELECT former FROM device WHERE id = ?", (device,)).fetchone()
        return tuple(Grant(unit, "") for unit in msgspec.json.decode(row[0])) if row else ()

    def set_device_state(self, device: bytes, state: str) -> None:
        """Mark a device as enrolled, revoked or forked."""
        self.sql(f"UPDATE device SET state = ?, arrival = {_NEXT} WHERE id = ?", (state, device))

    def set_enrolment(self, device: bytes, person: str, grants: Sequence[Grant], state: str, changed: int) -> None:
        """Take over what another server says of an enrolled device."""
        self.set_grants(device, grants, changed)
        self.sql("UPDATE device SET person = ?, state = ? WHERE id = ?", (person, state, device))

    def last_nonce(self, device: bytes) -> int:
        """Return when the last nonce that a device used was handed out (microseconds)."""
        row = self.sql("SELECT nonce FROM device WHERE id = ?", (device,)).fetchone()
        return int(row[0]) if row else 0

    def use_nonce(self, device: bytes, issued: int, at: int) -> bool:
        """Take a nonce handed out at `issued` (microseconds): true once, false for it and all older ones after."""
        done = self.sql(
            "UPDATE device SET nonce = ?, seen = ? WHERE id = ? AND nonce < ?", (issued, at, device, issued)
        )
        return bool(done.rowcount == 1)

    # --- commits ---

    def append(self, device: bytes, commits: Sequence[Logged], seal: bytes | None = None) -> None:
        """Add a device's next commits to the log, right behind its head; `seal` is its signature over the last of them."""
        if not commits:
            return
        n = self.device_number(device)
        # bytearrays: the driver takes a detour for each bytes
        self.many(
            "INSERT INTO commit_log VALUES (?,?,?,?,?,?,?,?,?,NULL)",
            [
                (
                    n,
                    c.seq,
                    c.stamp,
                    self.author_number(c.author),
                    bytearray(c.record),
                    c.note,
                    c.body and bytearray(c.body),
                    bytearray(c.hash),
                    bytearray(c.chain),
                )
                for c in commits
            ],
        )
        self.many(
            "INSERT INTO commit_about_new VALUES (?,?,?)", [(bytearray(c.record[10:]), n, c.seq) for c in commits]
        )
        self.gather(_MOST_NEW)
        last = commits[-1]
        self.sql("UPDATE device SET head = ?, chain = ? WHERE n = ?", (last.seq, last.chain, n))
        if seal is not None:
            self.sql("UPDATE commit_log SET seal = ? WHERE device = ? AND seq = ?", (seal, n, last.seq))

    def gather(self, above: int) -> None:
        """Bring what is known of new commits into the large table, if it is more than this."""
        if self.sql("SELECT count(*) FROM commit_about_new").fetchone()[0] > above:
            self.sql("INSERT INTO commit_about SELECT * FROM commit_about_new")
            self.sql("DELETE FROM commit_about_new")

    def commits(self, device: bytes, after: int, limit: int = -1) -> Iterator[Logged]:
        """Yield a device's commits behind a sequence number, in order."""
        query = f"SELECT {_LOGGED} FROM commit_log AS c WHERE c.device = ? AND c.seq > ? ORDER BY c.seq LIMIT ?"
        return map(self._logged, self.sql(query, (self.device_number(device), after, limit)))

    def commits_of(self, record: bytes) -> list[Logged]:
        """Return all commits about a record that this node holds, by stamp."""
        about = " UNION ALL ".join(
            f"SELECT device, seq FROM {table} WHERE record = ?1" for table in ("commit_about", "commit_about_new")
        )
        query = f"SELECT {_LOGGED} FROM ({about}) JOIN commit_log AS c USING (device, seq) WHERE c.record = ?2"
        found = map(self._logged, self.sql(query, (record[10:], record)))
        return sorted(found, key=lambda c: (c.stamp, c.device, c.seq))

    def unsent_records(self, device: bytes, after: int) -> set[bytes]:
        """Return the records that a device's commits behind `after` touch."""
        query = "SELECT DISTINCT record FROM commit_log WHERE device = ? AND seq > ?"
        return {row[0] for row in self.sql(query, (self.device_number(device), after))}

    def records_by(self, device: bytes, first: int, last: int) -> list[bytes]:
        """Return the records that a device's commits from `first` to `last` touch, as far as they are here."""
        query = "SELECT DISTINCT record FROM commit_log WHERE device = ? AND seq BETWEEN ? AND ?"
        return [row[0] for row in self.sql(query, (self.device_number(device), first, last))]

    def _logged(self, row: Sequence[Any]) -> Logged:
        return Logged(self.device_id(row[0]), row[1], row[2], self.author_name(row[3]), *row[4:])

    def refuse(self, device: bytes, seq: int, error: errors.FieldsyncError, *, waits: bool = False) -> None:
        """Keep a commit aside: it stays in the log with the reason, and is not applied; `waits` if it may be later."""
        self._judged(device, seq, error.code, msgspec.json.encode(error.facts).decode(), waits)

    def accept(self, device: bytes, seq: int) -> None:
        """Say that a commit which was kept aside is applied after all."""
        self._judged(device, seq, "", "{}", False)

    def _judged(self, device: bytes, seq: int, reason: str, facts: str, waits: bool) -> None:
        if len(facts) > _MOST_FACTS:  # a hostile name of a field, say: it is to fit a frame with others
            facts = "{}"
        self.sql(
            "INSERT OR REPLACE INTO refusal SELECT ?, ?, ?, ?, coalesce(max(arrival), 0) + 1, ? FROM refusal",
            (self.device_number(device), seq, reason, facts, waits),
        )

    def judge_as(self, device: bytes, seq: int, code: str, facts: str) -> None:
        """Take over another server's judgement of a commit."""
        if [(code, facts)] != [(c, f) for _, _, s, c, f in self.judged(0, device) if s == seq]:
            self._judged(device, seq, code, facts, False)

    def waiting(self) -> dict[bytes, list[int]]:
        """Return the commits (by device) that were kept aside until what they had seen comes."""
        found: dict[bytes, list[int]] = {}
        for device, seq in self.sql("SELECT device, seq FROM refusal WHERE waits ORDER BY device, seq"):
            found.setdefault(self.device_id(device), []).append(seq)
        return found

    def refusals(self, device: bytes, after: int = 0) -> list[tuple[int, str, str]]:
        """Return (seq, code, facts as JSON) of a device's refused commits behind `after`."""
        query = "SELECT seq, reason, facts FROM refusal WHERE device = ? AND seq > ? AND reason <> '' ORDER BY seq"
        return [tuple(row) for row in self.sql(query, (self.device_number(device), after))]

    def judged(self, after: int, device: bytes | None = None) -> list[tuple[int, bytes, int, str, str]]:
        """Return (arrival, device, seq, code, facts) of the commits (of one device) kept aside, or taken after all, since an arrival."""
        query = (
            "SELECT arrival, device, seq, reason, facts FROM refusal WHERE arrival > ?1 AND (?2 IS NULL OR device = ?2)"
        )
        found = self.sql(query + " ORDER BY arrival", (after, None if device is None else self.device_number(device)))
        return [(arrival, self.device_id(n), *more) for arrival, n, *more in found]

    # --- servers that this node syncs with ---

    def add_server(self, server: Server) -> None:
        """Remember a server."""
        self.sql(f"INSERT OR REPLACE INTO server ({_SERVER}) VALUES (?,?,?,?,?,?,?,?)", tuple(server))

    def servers(self) -> list[Server]:
        """Return the servers known, the most recently synced first."""
        found = self.sql(f"SELECT {_SERVER} FROM server ORDER BY synced DESC")
        return [Server(row[0], row[1], row[2], row[3], row[4], bool(row[5]), row[6], bool(row[7])) for row in found]

    def set_server(
        self, server: bytes, *, nonce: bytes | None = None, unsure: bool | None = None, synced: int | None = None
    ) -> None:
        """Change what is given."""
        self.sql(
            "UPDATE server SET nonce = coalesce(?, nonce), unsure = coalesce(?, unsure), synced = coalesce(?, synced) WHERE id = ?",
            (nonce, unsure, synced, server),
        )

    def mixed(self, server: bytes, *, others: bool) -> None:
        """Remember that something came from this server, which the others may lack; or that it lacks nothing of ours."""
        self.sql(
            "UPDATE server SET mixed = 1 WHERE id <> ?" if others else "UPDATE server SET mixed = 0 WHERE id = ?",
            (server,),
        )

    def cursor(self, server: bytes, channel: int) -> tuple[int, int]:
        """Return the arrivals of a server's channel up to which its entries were taken, and all of it is known.

        They differ after a cut: a record that changed at 5 and again at 9 stands at 9, so one who took entries up to 7
        still lacks what changed at 5.
        """
        row = self.sql(
            "SELECT arrival, whole FROM cursor WHERE server = ? AND channel = ?", (server, channel)
        ).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    def set_cursor(self, server: bytes, channel: int, arrival: int, *, whole: bool = False) -> None:
        """Remember the arrival taken, in the transaction that applied it; `whole` when nothing is left behind it."""
        self.sql(
            "INSERT INTO cursor VALUES (?1,?2,?3,?4) ON CONFLICT (server, channel) "
            "DO UPDATE SET arrival = ?3, whole = CASE WHEN ?4 THEN ?3 ELSE whole END",
            (server, channel, arrival, arrival if whole else 0),
        )

    def forget_cursors(self, channel: int) -> None:
        """Forget what was taken of a channel, from any server: its records were taken off this node."""
        self.sql("DELETE FROM cursor WHERE channel = ?", (channel,))

    def acknowledged(self, server: bytes, device: bytes) -> int:
        """Return up to which of a device's commits a server has acknowledged."""
        query = "SELECT seq FROM receipt WHERE server = ? AND device = ?"
        row = self.sql(query, (server, self.device_number(device))).fetchone()
        return int(row[0]) if row else 0

    def acknowledge(self, server: bytes, device: bytes, seq: int, at: int) -> None:
        """Remember a server's acknowledgement; it may also fall, when a server was restored from a backup."""
        self.sql(
            "INSERT INTO receipt SELECT ?1, ?2, ?3, ?4, coalesce(max(arrival), 0) + 1 FROM receipt WHERE true "
            "ON CONFLICT DO UPDATE SET seq = excluded.seq, at = excluded.at, arrival = excluded.arrival WHERE seq <> excluded.seq",
            (server, self.device_number(device), seq, at),
        )

    def receipts(self, device: bytes) -> list[tuple[bytes, int, int]]:
        """Return (server id, seq, milliseconds) of a device's acknowledgements."""
        query = "SELECT server, seq, at FROM receipt WHERE device = ? ORDER BY at"
        return [tuple(row) for row in self.sql(query, (self.device_number(device),))]

    def receipts_since(self, arrival: int, device: bytes | None = None) -> list[tuple[int, bytes, bytes, int, int]]:
        """Return (arrival, device, server, seq, milliseconds) of the acknowledgements (of one device's commits) since an arrival."""
        query = (
            "SELECT arrival, device, server, seq, at FROM receipt WHERE arrival > ?1 AND (?2 IS NULL OR device = ?2)"
        )
        number = None if device is None else self.device_number(device)
        found = self.sql(query + " ORDER BY arrival", (arrival, number))
        return [(arrival, self.device_id(n), *more) for arrival, n, *more in found]

    # --- invites ---

    def add_invite(self, id: bytes, secret: bytes, person: str, grants: Sequence[Grant], expires: int) -> None:
        """Keep an invite: the hash of its secret, for whom, what for, until when (milliseconds)."""
        text = msgspec.json.encode(list(grants)).decode()
        self.sql("INSERT INTO invite VALUES (?,?,?,?,?,NULL,NULL)", (id, secret, person, text, expires))

    def invite(self, id: bytes) -> tuple[bytes, str, tuple[Grant, ...], int, bytes | None] | None:
        """Return (hashed secret, person, grants, expires, the device that used it) of an invite."""
        row = self.sql("SELECT secret, person, grants, expires, device FROM invite WHERE id = ?", (id,)).fetchone()
        return None if row is None else (row[0], row[1], _grants(row[2]), row[3], row[4])

    def use_invite(self, id: bytes, at: int, device: bytes) -> None:
        """Mark an invite as used by a device."""
        self.sql("UPDATE invite SET used = ?, device = ? WHERE id = ? AND used IS NULL", (at, device, id))

    def has_letters(self, letters: str) -> bool:
        """Say whether a device has these letters."""
        return self.sql("SELECT 1 FROM device WHERE letters = ?", (letters,)).fetchone() is not None

    def letters_twice(self) -> list[str]:
        """Return letters that several enrolled devices have: their records may have the same codes."""
        query = "SELECT letters FROM device WHERE key IS NOT NULL AND letters <> '' GROUP BY letters HAVING count(*) > 1 ORDER BY letters"
        return [row[0] for row in self.sql(query)]


def _device(row: Sequence[Any]) -> Device:
    n, id_, letters, person, key, grants, *more = row
    return Device(n, id_, letters, person, key, _grants(grants) if grants else (), *more)

"""The commit log in SQL: devices, their commits, the servers that acknowledged them, invites, and this node's own data."""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import structs

from fieldsync.core.grants import Grant
from fieldsync.store.contract import GRANTS, KnownServer, LoggedCommit
from fieldsync.store.sql.commit_log_queries import SERVER, SqlCommitReads
from fieldsync.store.sql.device_families import NEXT, SqlDeviceWrites

_grants = msgspec.json.Decoder(tuple[Grant, ...]).decode
_MOST_NEW = 32_768
_GATHERED = 2_048  # in one statement: until it ends, SQLite has each page in memory as it was before


class SqlCommitWrites(SqlCommitReads, SqlDeviceWrites):
    """A transaction's devices, commits and servers."""

    # --- schemas ---

    def keep_schema(self, hash: bytes, schema: bytes) -> None:
        self.sql("DELETE FROM schema_past WHERE hash = ?", (hash,))
        self.sql("INSERT INTO schema_past (hash, schema) VALUES (?, ?)", (hash, schema))

    # --- devices ---

    def enrol_device(
        self, device: bytes, key: bytes, letters: str, person: str, grants: Sequence[Grant], at: int, chain: bytes
    ) -> None:
        self.device_number(device)
        self.sql(
            "UPDATE device SET key=?1, letters=?2, person=?3, grants=?4, enrolled=?5, changed=?5, "
            "state = CASE state WHEN 'known' THEN 'enrolled' ELSE state END, "
            f"arrival={NEXT}, head=0, chain=?6 WHERE id=?7",
            (key, letters, person, msgspec.json.encode(list(grants)).decode(), at, chain, device),
        )

    def set_letters(self, device: bytes, letters: str) -> None:
        self.sql(f"UPDATE device SET letters = ?, arrival = {NEXT} WHERE id = ?", (letters, device))

    def name_device(self, device: bytes, letters: str, person: str, units: Sequence[str] = ()) -> None:
        self.device_number(device)
        self.sql(
            "UPDATE device SET letters = ?1, person = CASE WHEN letters IS NULL THEN ?2 ELSE person END, "
            f"arrival = {NEXT} WHERE id = ?3 AND (letters IS NULL OR (key IS NULL AND letters <> ?1))",
            (letters, person, device),
        )
        grants = msgspec.json.encode(
            [Grant(unit, "") for unit in units]
        ).decode()  # what it may do is the servers' to know
        self.sql("UPDATE device SET grants = ? WHERE id = ? AND key IS NULL", (grants, device))

    def set_grants(self, device: bytes, grants: Sequence[Grant], at: int, *, until: int | None = None) -> None:
        row = self.sql("SELECT grants, former FROM device WHERE id = ?", (device,)).fetchone()
        now = {grant.unit for grant in grants}
        former = {
            *msgspec.json.decode(row[1]),
            *(grant.unit for grant in _grants(row[0] or "[]") if grant.unit not in now),
        }
        told = msgspec.json.encode(list(grants)).decode(), msgspec.json.encode(sorted(former)).decode()
        if told[0] != row[0]:
            self.note_change(device, GRANTS, at, until=until)
        query = f"UPDATE device SET grants = ?, former = ?, changed = ?, arrival = {NEXT} WHERE id = ?"
        self.sql(query, (*told, at, device))

    def set_former(self, device: bytes, units: Iterable[str]) -> None:
        self.sql("UPDATE device SET former = ? WHERE id = ?", (msgspec.json.encode(sorted(units)).decode(), device))

    def set_enrolment(self, device: bytes, person: str, grants: Sequence[Grant], state: str, changed: int) -> None:
        self.set_grants(device, grants, changed)
        self.sql("UPDATE device SET person = ? WHERE id = ?", (person, device))
        self.set_device_state(device, state, at=changed)

    def use_nonce(self, device: bytes, issued: int, at: int) -> bool:
        done = self.sql(
            "UPDATE device SET nonce = ?, seen = ? WHERE id = ? AND nonce < ?", (issued, at, device, issued)
        )
        return bool(done.rowcount == 1)

    # --- commits ---

    def append_commits(self, device: bytes, commits: Sequence[LoggedCommit], seal: bytes | None = None) -> None:
        if not commits:
            return
        n = self.device_number(device)
        # bytearrays: the driver takes a detour for each bytes
        self.many(
            "INSERT INTO commit_log (device, seq, stamp, author, record, note, body, hash, chain) VALUES (?,?,?,?,?,?,?,?,?)",
            [
                (
                    n,
                    c.seq,
                    c.stamp,
                    self.author_number(c.author),
                    bytearray(c.record),
                    self.bodies.store_note(n, c.seq, c.note),
                    self.bodies.store_body(n, c.seq, c.body),
                    bytearray(c.hash),
                    bytearray(c.chain),
                )
                for c in commits
            ],
        )
        self.many(
            "INSERT INTO commit_about_new VALUES (?,?,?)", [(bytearray(c.record[10:]), n, c.seq) for c in commits]
        )
        self.gather_commits(_MOST_NEW)
        last = commits[-1]
        self.sql("UPDATE device SET head = ?, chain = ? WHERE n = ?", (last.seq, last.chain, n))
        if seal is not None:
            self.sql("UPDATE commit_log SET seal = ? WHERE device = ? AND seq = ?", (seal, n, last.seq))
        self.wake_commits(device, commits[0].seq, last.seq)

    def add_chain_signatures(self, device: bytes, seals: Iterable[tuple[int, bytes]]) -> None:
        n = self.device_number(device)
        self.many(
            "UPDATE commit_log SET seal = ? WHERE device = ? AND seq = ?", [(seal, n, seq) for seq, seal in seals]
        )

    def gather_commits(self, above: int) -> None:
        count = self.sql("SELECT count(*) FROM commit_about_new").fetchone()[0]
        if count > above:
            order = "ORDER BY record, device, seq LIMIT ? OFFSET ?"
            for start in range(0, count, _GATHERED):
                self.sql(f"INSERT INTO commit_about SELECT * FROM commit_about_new {order}", (_GATHERED, start))
            self.sql("DELETE FROM commit_about_new")

    # --- servers that this node syncs with ---

    def add_server(self, server: KnownServer) -> None:
        told = ", ".join(f"{name} = excluded.{name}" for name in SERVER.split(", ")[1:])
        query = f"INSERT INTO server ({SERVER}) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET {told}"
        self.sql(query, structs.astuple(server))

    def set_server(
        self, server: bytes, *, nonce: bytes | None = None, unsure: bool | None = None, synced: int | None = None
    ) -> None:
        self.sql(
            "UPDATE server SET nonce = coalesce(?, nonce), unsure = coalesce(?, unsure), synced = coalesce(?, synced) WHERE id = ?",
            (nonce, unsure, synced, server),
        )

    def note_mixed(self, server: bytes, *, others: bool) -> None:
        self.sql(
            "UPDATE server SET mixed = 1 WHERE id <> ?" if others else "UPDATE server SET mixed = 0 WHERE id = ?",
            (server,),
        )

    def set_cursor(self, server: bytes, channel: int, arrival: int, *, whole: bool = False) -> None:
        self.sql(
            "INSERT INTO cursor VALUES (?1,?2,?3,?4) ON CONFLICT (server, channel) "
            "DO UPDATE SET arrival = ?3, whole = CASE WHEN ?4 > 0 THEN ?3 ELSE cursor.whole END",
            (server, channel, arrival, arrival if whole else 0),
        )

    def forget_cursors(self, channel: int) -> None:
        self.sql("DELETE FROM cursor WHERE channel = ?", (channel,))

    def set_acknowledged(self, server: bytes, device: bytes, seq: int, at: int) -> None:
        self.sql(
            "INSERT INTO receipt (server, device, seq, at, arrival) VALUES (?,?,?,?,?) "
            "ON CONFLICT (server, device) DO UPDATE SET seq = excluded.seq, at = excluded.at, arrival = excluded.arrival "
            "WHERE receipt.seq <> excluded.seq",
            (server, self.device_number(device), seq, at, self.next_arrival("receipt")),
        )

    # --- invites ---

    def add_invite(self, id: bytes, secret: bytes, person: str, grants: Sequence[Grant], expires: int) -> None:
        text = msgspec.json.encode(list(grants)).decode()
        self.sql("INSERT INTO invite VALUES (?,?,?,?,?,NULL,NULL)", (id, secret, person, text, expires))

    def use_invite(self, id: bytes, at: int, device: bytes) -> bool:
        used = self.sql("UPDATE invite SET used = ?, device = ? WHERE id = ? AND used IS NULL", (at, device, id))
        return used.rowcount == 1

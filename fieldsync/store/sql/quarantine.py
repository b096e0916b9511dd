"""Quarantined commits in SQL: verified and logged but not applied, each with its reason and the item it awaits, if any.

`awaited` is the index from awaited items to commits: nothing else reads it until the item arrives. Then the commit is due
and judged again (authority/quarantine.py).
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import msgspec

from fieldsync import errors
from fieldsync.store.contract import (
    QuarantineAction,
    QuarantinedCommit,
    QuarantineVerdict,
    Refusal,
    WaitKey,
    commit_key,
)
from fieldsync.store.sql.node_settings import SqlSettingReads, SqlSettingWrites

_MOST_FACTS = 4_096  # characters
_FINAL, _WAITS, _DUE = 0, 1, 2  # refusal.waits
_NEWEST = 1_000  # commits of a device that are looked through
_PART = 500  # keys in one statement
_BY_KEY = "UPDATE refusal SET waits = 2 WHERE waits = 1 AND (device, seq) IN (SELECT device, seq FROM awaited WHERE"


class SqlQuarantineReads(SqlSettingReads):
    """A transaction's quarantined commits, to be read."""

    def oldest_waiting(self) -> int | None:
        found = self.sql("SELECT min(at) FROM refusal WHERE waits <> 0").fetchone()[0]
        return None if found is None else int(found)

    def waiting_commits(self) -> dict[bytes, list[int]]:
        return self._by_device(self.sql("SELECT device, seq FROM refusal WHERE waits <> 0 ORDER BY device, seq"))

    def due_commits(self, most: int) -> dict[bytes, list[int]]:
        if self.sql("SELECT 1 FROM refusal WHERE waits = 2 LIMIT 1").fetchone() is None:
            return {}  # mostly none is
        query = (  # a verdict from above on a commit that is not here may be due before it: it is judged when it comes
            "SELECT r.device, r.seq FROM refusal AS r JOIN commit_log AS c ON c.device = r.device AND c.seq = r.seq "
            "WHERE r.waits = 2 ORDER BY r.device, r.seq LIMIT ?"
        )
        return self._by_device(self.sql(query, (most,)))

    def _by_device(self, found: Iterable[Any]) -> dict[bytes, list[int]]:
        by_device: dict[bytes, list[int]] = {}
        for device, seq in found:
            by_device.setdefault(self.device_id(device), []).append(seq)
        return by_device

    def quarantined_commits(
        self, device: bytes | None = None, record: bytes | None = None, seq: int | None = None
    ) -> list[QuarantinedCommit]:
        where, values = ["true"], list[Any]()
        if device is not None:
            where.append("r.device = ?")
            values.append(self.known_device(device))
        if seq is not None:
            where.append("r.seq = ?")
            values.append(seq)
        kinds = f"(SELECT {self.dialect.joined('kind')} FROM awaited AS a WHERE a.device = r.device AND a.seq = r.seq)"
        query = (
            "SELECT r.device, r.seq, r.reason, r.facts, r.waits, r.at, c.record, c.author, c.stamp, r.kinds "
            f"FROM (SELECT r.*, {kinds} AS kinds FROM refusal AS r WHERE {' AND '.join(where)}) AS r "
            "JOIN commit_log AS c ON c.device = r.device AND c.seq = r.seq"
        )
        if record is not None:
            query += " WHERE c.record = ?"
            values.append(record)
        query += " ORDER BY r.device, r.seq"
        return [
            QuarantinedCommit(
                self.device_id(n), seq, reason, facts, bool(waits), at, about, self.author_name(author), stamp,
                tuple((kinds or "").split(",")) if kinds else (),
            )
            for n, seq, reason, facts, waits, at, about, author, stamp, kinds in self.sql(query, values)
        ]  # fmt: skip

    def quarantine_actions(self) -> dict[tuple[bytes, int], list[QuarantineAction]]:
        found: dict[tuple[bytes, int], list[QuarantineAction]] = {}
        for n, seq, *row in self.sql("SELECT device, seq, act, by, at, note FROM quarantine_act ORDER BY n"):
            device = self.device_id(n)
            found.setdefault((device, seq), []).append(QuarantineAction(device, seq, *row))
        return found

    def last_waiting_before(self, device: bytes, seq: int, record: bytes) -> int | None:
        found = self.sql(
            "SELECT r.seq FROM refusal AS r JOIN commit_log AS c ON c.device = r.device AND c.seq = r.seq "
            "WHERE r.device = ?1 AND c.device = ?1 AND r.seq BETWEEN ?2 AND ?3 AND r.waits <> 0 AND c.record = ?4 "
            "ORDER BY r.seq DESC LIMIT 1",
            (self.known_device(device), seq - _NEWEST, seq - 1, record),
        ).fetchone()
        return None if found is None else int(found[0])

    def released_seqs(self, device: bytes, seqs: Sequence[int]) -> set[int]:
        query = "SELECT seq, act FROM quarantine_act WHERE device = ? ORDER BY n"
        last = dict(self.sql(query, (self.known_device(device),)))
        return {seq for seq in seqs if last.get(seq) == "release"}

    def has_waiting(self, device: bytes) -> bool:
        query = "SELECT 1 FROM refusal WHERE device = ? AND waits <> 0 LIMIT 1"
        return self.sql(query, (self.known_device(device),)).fetchone() is not None

    def verdicts_on_record(self, record: bytes) -> dict[tuple[bytes, int], bool]:
        about = " UNION ALL ".join(
            f"SELECT device, seq FROM {table} WHERE record = ?1" for table in ("commit_about", "commit_about_new")
        )
        query = f"SELECT device, seq, waits FROM ({about}) AS about JOIN refusal USING (device, seq) WHERE reason <> ''"
        return {(self.device_id(n), seq): bool(waits) for n, seq, waits in self.sql(query, (record[10:],))}

    def quarantined_records(self, low: bytes, high: bytes, code: str) -> list[bytes]:
        refused = (
            "FROM refusal AS r JOIN commit_log AS c ON c.device = r.device AND c.seq = r.seq "
            f"WHERE r.reason <> '' AND c.record NOT IN (SELECT id FROM {self.dialect.directory})"
        )
        named = self.sql(f"SELECT DISTINCT c.record {refused} AND c.record BETWEEN ? AND ?", (low, high))
        found = {bytes(row[0]) for row in named}
        if code:  # in a body, which may be sealed
            for n, seq, record, stored in self.sql(f"SELECT c.device, c.seq, c.record, c.body {refused}"):
                if code.encode() in (self.bodies.read_body(n, seq, stored) or b""):
                    found.add(bytes(record))
        return list(found)

    def unapplied_records(self) -> set[bytes]:
        query = (
            "SELECT DISTINCT c.record FROM refusal AS r JOIN commit_log AS c ON c.device = r.device AND c.seq = r.seq "
            "WHERE r.reason NOT IN ('', ?)"
        )
        return {bytes(row[0]) for row in self.sql(query, (errors.SaidAgain.code,))}

    def server_verdicts(self, device: bytes) -> dict[int, dict[bytes, str]]:
        found: dict[int, dict[bytes, str]] = {}
        query = "SELECT seq, server, code FROM verdict WHERE device = ? ORDER BY seq"
        for seq, server, code in self.sql(query, (self.known_device(device),)):
            found.setdefault(seq, {})[bytes(server)] = code
        return found

    # --- notices about them ---

    def refusals(self, device: bytes, after: int = 0) -> list[Refusal]:
        query = "SELECT seq, reason, facts FROM refusal WHERE device = ? AND seq > ? AND reason <> '' ORDER BY seq"
        return list(map(Refusal._make, self.sql(query, (self.known_device(device), after))))

    def verdicts_since(self, after: int, device: bytes | None = None) -> list[QuarantineVerdict]:
        query, values = "SELECT arrival, device, seq, reason, facts FROM refusal WHERE arrival > ?", [after]
        if device is not None:
            query, values = query + " AND device = ?", [after, self.known_device(device)]
        found = self.sql(query + " ORDER BY arrival", values)
        return [QuarantineVerdict(arrival, self.device_id(n), *more) for arrival, n, *more in found]


class SqlQuarantineWrites(SqlQuarantineReads, SqlSettingWrites):
    """A transaction's quarantined commits."""

    def quarantine_commit(
        self, device: bytes, seq: int, error: errors.FieldsyncError, *, waits_for: Iterable[WaitKey] = (), at: int = 0
    ) -> None:
        self._write_verdict(device, seq, error.code, msgspec.json.encode(error.facts).decode(), waits_for, at)

    def accept_commit(self, device: bytes, seq: int, facts: dict[str, object] | None = None) -> None:
        self._write_verdict(device, seq, "", msgspec.json.encode(facts or {}).decode())

    def _write_verdict(
        self, device: bytes, seq: int, reason: str, facts: str, waits_for: Iterable[WaitKey] = (), at: int = 0
    ) -> None:
        if len(facts) > _MOST_FACTS:  # a hostile name of a field, say: it is to fit a frame with others
            facts = "{}"
        n, keys = self.device_number(device), dict.fromkeys(waits_for)
        known = self._verdict_on(n, seq)
        if known is not None:
            self.sql("DELETE FROM awaited WHERE device = ? AND seq = ?", (n, seq))
        self.many("INSERT INTO awaited VALUES (?,?,?,?)", [(one.kind, one.what, n, seq) for one in keys])
        waits = _WAITS if keys else _FINAL
        if known is not None and known == (reason, facts):  # no news for anybody
            self.sql("UPDATE refusal SET waits = ? WHERE device = ? AND seq = ?", (waits, n, seq))
            return
        self.sql(
            "INSERT INTO refusal (device, seq, reason, facts, arrival, waits, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
            "ON CONFLICT (device, seq) DO UPDATE SET reason = ?3, facts = ?4, arrival = ?5, waits = ?6",
            (n, seq, reason, facts, self.next_arrival("refusal"), waits, at or None),
        )
        self._last_judged[n] = max(seq, self._last_judged[n])
        if known is not None and not keys:
            self.wake_waiting([commit_key(device, seq)])

    def judge_as(
        self,
        device: bytes,
        seq: int,
        code: str,
        facts: str,
        *,
        ends_wait: bool = False,
        waits_for: Iterable[WaitKey] = (),
    ) -> None:
        if ends_wait or self._verdict_on(self.device_number(device), seq) != (code, facts):
            self._write_verdict(device, seq, code, facts, waits_for)

    @cached_property
    def _last_judged(self) -> dict[int, int]:
        """The last commit of a device that has a verdict: mostly those that get one are behind it."""
        return {}

    def _verdict_on(self, n: int, seq: int) -> tuple[str, str] | None:
        """Return the reason and facts of a verdict, by the device's local number."""
        if n not in self._last_judged:
            (self._last_judged[n],) = self.sql(
                "SELECT coalesce(max(seq), 0) FROM refusal WHERE device = ?", (n,)
            ).fetchone()
        if seq > self._last_judged[n]:
            return None
        row = self.sql("SELECT reason, facts FROM refusal WHERE device = ? AND seq = ?", (n, seq)).fetchone()
        return None if row is None else (row[0], row[1])

    def note_verdict(self, device: bytes, seq: int, server: bytes, code: str) -> None:
        n = self.device_number(device)
        if code:
            self.sql(
                "INSERT INTO verdict VALUES (?,?,?,?) ON CONFLICT (device, seq, server) DO UPDATE SET code = excluded.code",
                (n, seq, server, code),
            )
        else:  # b"": noticed before the reporter was stored
            self.sql("DELETE FROM verdict WHERE device = ? AND seq = ? AND server IN (?, ?)", (n, seq, server, b""))

    def forget_verdicts(self, device: bytes, seq: int) -> None:
        self.sql("DELETE FROM verdict WHERE device = ? AND seq = ?", (self.device_number(device), seq))

    def add_quarantine_action(self, one: QuarantineAction) -> None:
        values = (self.device_number(one.device), one.seq, one.act, one.by, one.at, one.note)
        self.sql("INSERT INTO quarantine_act (device, seq, act, by, at, note) VALUES (?,?,?,?,?,?)", values)

    # --- waiting and due ---

    def wake_waiting(self, came: Iterable[WaitKey]) -> None:
        if self.sql("SELECT 1 FROM awaited LIMIT 1").fetchone() is None:
            return  # mostly nothing waits
        by_kind: dict[str, list[bytes]] = {}
        for one in came:
            by_kind.setdefault(one.kind, []).append(one.what)
        for kind, what in by_kind.items():
            if self.sql("SELECT 1 FROM awaited WHERE kind = ? LIMIT 1", (kind,)).fetchone() is None:
                continue
            for start in range(0, len(what), _PART):
                part = what[start : start + _PART]
                marks = ",".join("?" * len(part))
                self.sql(f"{_BY_KEY} kind = ? AND what IN ({marks}))", (kind, *part))

    def wake_commits(self, device: bytes, first: int = 1, last: int = (1 << 63) - 1) -> None:
        """Record that these commits of a device have arrived, or never will."""
        low, high = commit_key(device, first), commit_key(device, last)
        self.sql(f"{_BY_KEY} kind = ? AND what BETWEEN ? AND ?)", (low.kind, low.what, high.what))
